// The Evaluate page: a wish -> a job on the server -> results in tables.
//
// window.pvs.evaluateView lets a test look in: .tables, .measuring, .near.
(() => {
  "use strict";
  const pvs = window.pvs;

  pvs.view("evaluate", ({ element }) => {
    const view = { ...pvs.page(element), tables: [], measuring: false };
    const { ref, fail, fine, attempt } = view;
    const all = new Set(); // keys of tables that show every measure
    view.timeline = new pvs.Timeline({ fps: 16 });
    pvs.evaluateView = view;

    // ---- what can be measured ---------------------------------------------------------------------------------
    const choose = attempt(async () => {
      const models = await pvs.models();
      ref.empty.hidden = models.length > 0;
      ref.body.hidden = !models.length;
      if (!models.length) return;
      fill(ref.model, pvs.checkpointOptions(models));
      await Promise.all([stores(), extractors()]);
      ref.measure.disabled = view.measuring; // until here a click would ask for nothing in particular
    });

    const extractors = attempt(async () => {
      const { extractors: found } = await pvs.json("api/evaluate/extractors");
      fill(ref.extractor, found.map(({ id, name, problem }) => Object.assign(pvs.option(id, problem ? `${name} (not available)` : name),
        { disabled: Boolean(problem), title: problem })));
      const missing = found.filter(({ problem }) => problem);
      ref.others.hidden = !missing.length;
      ref.reasons.replaceChildren(...missing.map(({ name, problem }) =>
        Object.assign(document.createElement("li"), { textContent: `${name}: ${problem}.` })));
    });

    const stores = pvs.latest(attempt(async () => {
      const { stores: found, read_only: readOnly } = await pvs.json(`api/evaluate/stores?model=${encodeURIComponent(ref.model.value)}`);
      fill(ref.store, found.map(({ id, name }) => pvs.option(id, name)));
      ref.readOnly.hidden = !readOnly;
      ref.measure.hidden = readOnly;
    }));

    // What was chosen stays chosen where it is still there.
    function fill(select, options) {
      const before = select.value;
      select.replaceChildren(...options);
      if ([...select.options].some(({ value, disabled }) => value === before && !disabled)) select.value = before;
    }

    // ---- measuring ----------------------------------------------------------------------------------------------
    const ask = pvs.job(), wait = pvs.waiting(ref.wait, ref.waitText, ref.progress);

    const measure = attempt(async () => {
      busy(true);
      wait({ sentence: "Waiting for its turn" });
      try {
        const wish = { model: ref.model.value, store: ref.store.value, extractor: ref.extractor.value, clips: Number(ref.clips.value), seed: Number(ref.seed.value) };
        if ((await ask("api/evaluate/measure", wish, wait)) === null) return; // stopped
        fine();
        await load();
      } finally {
        wait(null);
        busy(false);
      }
    });

    function busy(on) {
      view.measuring = ref.measure.disabled = on;
      ref.stop.hidden = !on;
    }

    ref.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (ref.form.reportValidity()) measure();
    });
    ref.stop.addEventListener("click", attempt(async () => {
      ask.drop();
      await pvs.json("api/evaluate/stop", { who: ask.who });
    }));

    // ---- results ------------------------------------------------------------------------------------------------
    const load = pvs.latest(attempt(async () => {
      const { tables, broken } = await pvs.json("api/evaluate/results");
      view.tables = tables;
      ref.none.hidden = tables.length > 0;
      ref.broken.hidden = !broken.length;
      ref.broken.textContent = broken.join(" ");
      draw();
    }));

    function draw() {
      ref.tables.replaceChildren(...view.tables.map((one) => {
        const panel = pvs.evaluate.table(one, all.has(one.key), near);
        const more = Object.assign(document.createElement("button"), { type: "button", className: "pvs-button",
          textContent: all.has(one.key) ? "Fewer measures" : `All ${one.rows.length} measures` });
        more.addEventListener("click", () => {
          if (!all.delete(one.key)) all.add(one.key);
          draw();
          ref.tables.querySelector(`[data-key="${one.key}"] > button`)?.focus();
        });
        panel.append(more);
        return panel;
      }));
    }

    // ---- nearest training clips -----------------------------------------------------------------------------------
    let players = [], wanted = null;
    const near = attempt(async ({ id, name, unseen }) => {
      wanted = id;
      const sheet = await pvs.request(`api/evaluate/nearest?id=${encodeURIComponent(id)}`).then(pvs.sheetOf).catch((error) => {
        if (wanted === id) throw error;
      });
      if (wanted !== id) return; // those of another, or none
      fine();
      players.forEach((player) => player.dispose());
      view.timeline.frames = sheet.frames;
      ref.near.hidden = false;
      ref.nearTitle.textContent = `${name}: samples and the nearest training clips`;
      ref.nearReals.textContent = unseen
        ? "How near is near? Above: clips that were held out of the training. Below each: the training clip that is nearest."
        : "How near is near? Above: training clips. Below each: the one that is nearest among all others.";
      players = [];
      const half = sheet.rows / 2; // samples with their nearest, then clips that were not trained on, or stand in for such, with theirs
      const pair = (first, i, kind) => {
        const node = document.createElement("figure");
        for (const [place, what] of [[first + 2 * i, `${kind} ${i}`], [first + 2 * i + 1, `Nearest training clip to ${kind.toLowerCase()} ${i}`]]) {
          const canvas = document.createElement("canvas");
          canvas.setAttribute("role", "img");
          canvas.setAttribute("aria-label", what);
          node.append(canvas);
          const player = new pvs.SheetPlayer(canvas, { timeline: view.timeline });
          players.push(player);
          player.show(sheet.blob, { rows: sheet.rows, frames: sheet.frames, row: place });
        }
        return node;
      };
      const places = [...Array(half / 2).keys()];
      ref.pairs.replaceChildren(...places.map((i) => pair(0, i, "Sample")));
      ref.realPairs.replaceChildren(...places.map((i) => pair(half, i, unseen ? "Held-out clip" : "Training clip")));
      ref.near.scrollIntoView({ block: "nearest", behavior: pvs.reducedMotion() ? "auto" : "smooth" });
      view.near = id;
    });
    ref.nearClose.addEventListener("click", () => {
      ref.near.hidden = true;
      players.splice(0).forEach((player) => player.dispose());
      view.near = wanted = null;
    });
    pvs.playButton(ref.play, view.timeline);

    ref.model.addEventListener("change", () => {
      fine(); // what was said of the last one
      stores();
    });
    ref.toTrain.addEventListener("click", () => pvs.openTab("train"));
    ref.lookAgain.addEventListener("click", choose);
    pvs.onOpen("evaluate", (model) => choose().then(() => (ref.model.value = model)).then(stores));
    pvs.whenShown(element, (shown) => {
      if (shown) Promise.all([choose(), load()]).catch(fail);
    });
  });
})();
