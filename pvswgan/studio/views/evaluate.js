// The Evaluate page: a wish -> a job on the server -> results in tables.
//
// window.pvs.evaluateView lets a test look in: .tables, .measuring, .near.
(() => {
  "use strict";
  const pvs = window.pvs;
  const ASK_MS = 400;
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  pvs.view("evaluate", ({ element }) => {
    const view = { ...pvs.page(element), tables: [], measuring: false };
    const { ref, fail, fine, attempt } = view;
    const who = Math.random().toString(36).slice(2);
    const all = new Set(); // keys of tables that show every measure
    view.timeline = new pvs.Timeline({ fps: 16 });
    pvs.evaluateView = view;

    // ---- what can be measured ---------------------------------------------------------------------------------
    const choose = attempt(async () => {
      const { models: groups } = await pvs.json("api/models");
      ref.empty.hidden = groups.length > 0;
      ref.body.hidden = !groups.length;
      if (!groups.length) return;
      const before = ref.model.value;
      const kinds = Object.entries(pvs.KINDS).map(([kind, label]) => {
        const node = Object.assign(document.createElement("optgroup"), { label });
        for (const group of groups.filter((one) => one.kind === kind)) {
          node.append(...group.checkpoints.map(({ id, clips }) =>
            pvs.option(id, group.checkpoints.length > 1 || clips ? `${group.name}${clips ? `, ${pvs.kimg(clips)}` : ""}` : group.name)));
        }
        return node;
      });
      ref.model.replaceChildren(...kinds.filter((node) => node.children.length));
      if ([...ref.model.options].some(({ value }) => value === before)) ref.model.value = before;
      await stores();
    });

    const stores = attempt(async () => {
      const found = await pvs.json(`api/evaluate/stores?model=${encodeURIComponent(ref.model.value)}`);
      const before = ref.store.value;
      ref.store.replaceChildren(...found.map(({ id, name }) => pvs.option(id, name)));
      if (found.some(({ id }) => id === before)) ref.store.value = before;
    });

    // ---- measuring ----------------------------------------------------------------------------------------------
    let stopped = false;
    const measure = attempt(async () => {
      if (view.measuring) return;
      const wish = { model: ref.model.value, store: ref.store.value, clips: Number(ref.clips.value), seed: Number(ref.seed.value), who };
      view.measuring = true;
      stopped = false;
      busy(true);
      const began = performance.now();
      let from = null;
      try {
        for (;;) {
          const answer = await pvs.json("api/evaluate/measure", wish);
          if (stopped) return;
          if (answer.state === "done") break;
          const share = answer.of ? answer.done / answer.of : 0;
          if (from === null && answer.done) from = { share, at: performance.now() };
          const gone = from && share > from.share ? (performance.now() - from.at) / 1000 : null;
          const left = gone === null ? "" : `, about ${Math.max(1, Math.round((gone * (1 - share)) / (share - from.share)))} s left`;
          ref.waitText.textContent = `${answer.sentence}${answer.of ? `: ${answer.done} of ${answer.of}` : ""}${left}`;
          if (answer.of) ref.progress.value = share;
          else ref.progress.removeAttribute("value");
          await sleep(ASK_MS);
          if (stopped) return;
        }
        fine();
        view.seconds = (performance.now() - began) / 1000;
        await load();
      } finally {
        view.measuring = false;
        busy(false);
      }
    });

    function busy(on) {
      ref.wait.hidden = ref.stop.hidden = !on;
      ref.measure.disabled = on;
      if (on) ref.waitText.textContent = "Waiting for its turn";
    }

    ref.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (ref.form.reportValidity()) measure();
    });
    ref.stop.addEventListener("click", attempt(async () => {
      stopped = true;
      await pvs.json("api/evaluate/stop", { who });
    }));

    // ---- results ------------------------------------------------------------------------------------------------
    const load = attempt(async () => {
      const { tables, broken } = await pvs.json("api/evaluate/results");
      view.tables = tables;
      ref.none.hidden = tables.length > 0;
      ref.broken.hidden = !broken.length;
      ref.broken.textContent = broken.join(" ");
      draw();
    });

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

    // ---- nearest real clips ---------------------------------------------------------------------------------------
    let players = [];
    const near = attempt(async ({ id, name }) => {
      const sheet = await pvs.sheetOf(await pvs.request(`api/evaluate/nearest?id=${encodeURIComponent(id)}`));
      fine();
      players.forEach((player) => player.dispose());
      view.timeline.frames = sheet.frames;
      ref.near.hidden = false;
      ref.nearTitle.textContent = `${name}: samples and the nearest real clips`;
      const figures = [];
      players = [];
      for (let i = 0; i < sheet.rows / 2; i++) {
        const node = document.createElement("figure");
        for (const [place, what] of [[2 * i, `Sample ${i}`], [2 * i + 1, `Nearest real clip to sample ${i}`]]) {
          const canvas = document.createElement("canvas");
          canvas.setAttribute("role", "img");
          canvas.setAttribute("aria-label", what);
          node.append(canvas);
          const player = new pvs.SheetPlayer(canvas, { timeline: view.timeline });
          players.push(player);
          player.show(sheet.blob, { rows: sheet.rows, frames: sheet.frames, row: place });
        }
        figures.push(node);
      }
      ref.pairs.replaceChildren(...figures);
      ref.near.scrollIntoView({ block: "nearest", behavior: pvs.reducedMotion() ? "auto" : "smooth" });
      view.near = id;
    });
    ref.nearClose.addEventListener("click", () => {
      ref.near.hidden = true;
      view.near = null;
    });
    ref.play.addEventListener("click", () => view.timeline.toggle());
    view.timeline.listen(() => {
      ref.play.dataset.playing = String(view.timeline.playing);
      ref.play.setAttribute("aria-label", view.timeline.playing ? "Pause" : "Play");
    });

    ref.model.addEventListener("change", stores);
    ref.toTrain.addEventListener("click", () => pvs.openTab("train"));
    ref.lookAgain.addEventListener("click", choose);
    pvs.onOpen("evaluate", (model) => choose().then(() => (ref.model.value = model)).then(stores));
    pvs.whenShown(element, (shown) => {
      if (shown) Promise.all([choose(), load()]).catch(fail);
    });
  });
})();
