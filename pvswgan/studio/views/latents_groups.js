// Two selections, A and B, by the lasso, by keys or by buttons: their mean clips, and a direction from one to the other.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
  const NAMES = ["a", "b"];

  pvs.latents.groups = (view) => {
    const { ref, state, timeline } = view;
    view.groups = { a: new Set(), b: new Set() };
    const players = {}, means = {};
    for (const name of NAMES) {
      const upper = name.toUpperCase();
      players[name] = new pvs.SheetPlayer(ref[`mean${upper}`], { timeline });
      means[name] = pvs.latest((wish) => showMean(name, wish));
      ref[`clear${upper}`].addEventListener("click", () => view.setGroup(name, []));
      ref[`add${upper}`].addEventListener("click", () => view.toggleIn(name, view.point));
    }

    const seeds = (name) => [...view.groups[name]].filter((i) => i < view.generated());
    const reals = (name) => [...view.groups[name]].filter((i) => i >= view.generated()).map((i) => i - view.generated());

    async function showMean(name, { model, generated, real }) {
      const canvas = ref[`mean${name.toUpperCase()}`];
      try {
        if (!generated.length && !real.length) {
          canvas.hidden = true;
          return;
        }
        const response = await pvs.request("api/latents/mean", { model, generated, real });
        const { blob, frames } = await pvs.sheetOf(response);
        if (model !== view.data.model) return;
        timeline.frames = frames;
        await players[name].show(blob, { frames, seq: generated.length + real.length });
        canvas.hidden = false;
        about(name, Number(response.headers.get("X-Averaged")));
      } catch (error) {
        view.fail(error);
      }
    }

    function about(name, averaged = 0) {
      const [upper, count] = [name.toUpperCase(), view.groups[name].size];
      const of = averaged && averaged < count ? `, mean of ${averaged}` : "";
      ref[`about${upper}`].textContent = count ? `${upper}: ${count} ${count === 1 ? "clip" : "clips"}${of}` : `${upper}: nothing selected`;
      ref[`clear${upper}`].disabled = !count;
    }

    function put(groups) {
      const changed = NAMES.filter((name) => [...groups[name]].join() !== [...view.groups[name]].join());
      view.groups = groups;
      for (const name of changed) {
        about(name);
        view.averaging = means[name]({ model: view.data?.model, generated: seeds(name), real: reals(name) });
      }
      view.plot.groups(view.groups);
      view.showButtons();
      buttons();
      view.follow();
    }

    // A point is in one selection at most.
    view.setGroup = (name, points) => {
      const other = name === "a" ? "b" : "a", chosen = new Set(points);
      view.doing(() => put({ [name]: chosen, [other]: new Set([...view.groups[other]].filter((i) => !chosen.has(i))) }));
    };

    // What a link or a step of undo brings: the point that is looked at, and both selections.
    view.choose = ({ point, a, b }) => {
      const there = (i) => i < view.data.coordinates.length;
      put({ a: new Set(a.filter(there)), b: new Set(b.filter((i) => there(i) && !a.includes(i))) });
      if (point !== null && there(point)) view.keep(point);
    };
    view.toggleIn = (name, i) => {
      if (i === null) return;
      const points = new Set(view.groups[name]);
      if (!points.delete(i)) points.add(i);
      view.setGroup(name, [...points]);
    };
    // Other points: what was chosen is of those that are gone.
    view.clearGroups = () => put({ a: new Set(), b: new Set() });

    function buttons() {
      const [a, b] = NAMES.map((name) => seeds(name).length);
      ref.send.disabled = !(a && b);
      const real = NAMES.some((name) => reals(name).length);
      ref.groupNote.textContent = !(a && b)
        ? "Select points for A and for B: drag around them in a flat plot, or press A and B on single points."
        : `One step of the slider is a standard deviation.${real ? " Real clips have no latent: only the generated ones count." : ""}`;
    }
    buttons();

    ref.send.addEventListener("click", view.attempt(async () => {
      const { model } = view.data; // that of the points, though another may have been chosen
      const name = ref.name.value.trim() || `A to B (${seeds("a").length} to ${seeds("b").length} clips)`;
      ref.send.disabled = true;
      try {
        const made = await pvs.json("api/latents/direction", { model, name, a: seeds("a"), b: seeds("b") });
        ref.groupNote.textContent = `“${name}” is a slider in Explore now. A and B lie ${made.gap.toFixed(2)} standard deviations apart.`;
        pvs.openTab("explore", { model, direction: made.id });
        view.loadDirections();
      } finally {
        ref.send.disabled = false;
      }
    }));

    // ---- what the mouse does --------------------------------------------------------------------------------
    view.dragging = "pan";
    const drags = [...view.element.querySelectorAll("[data-drag]")];
    function showDrag() {
      const flat = state.dims === 2;
      if (!flat) view.dragging = "pan";
      for (const button of drags) {
        button.setAttribute("aria-pressed", String(button.dataset.drag === view.dragging));
        button.disabled = !flat && button.dataset.drag !== "pan";
      }
      ref.dragNote.textContent = flat ? "" : "A lasso needs the flat plot. Here, press A or B on a point.";
      view.plot.drag = view.dragging === "pan" ? "pan" : "lasso";
    }
    for (const button of drags) {
      button.addEventListener("click", () => {
        view.dragging = button.dataset.drag;
        showDrag();
        view.plot.draw();
      });
    }
    view.showDrag = showDrag;
  };
})();
