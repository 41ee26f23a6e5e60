// The clip of the point that is looked at: under the mouse, or kept by a click or the arrow keys.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};

  pvs.latents.clip = (view) => {
    const { ref, timeline } = view;
    const player = new pvs.SheetPlayer(ref.clip, { timeline });
    view.player = player;
    let failed = null; // the point whose clip could not be had, which is said: to be asked for again
    let kept = null; // the point that a click has kept; what is under the mouse is shown meanwhile

    // Generated clips come by Explore's own route, real ones by their number.
    view.sheetOf = (i) => {
      const { model } = view.data; // another one may have been chosen, whose points are on their way
      if (i < view.generated()) return pvs.request("api/render", { model, seed: i });
      return pvs.request(`api/latents/real?model=${encodeURIComponent(model)}&number=${i - view.generated()}`);
    };
    view.label = (i) => (i < view.generated() ? `generated, seed ${i}` : `real clip ${i - view.generated()}`);

    const ask = pvs.latest(async ({ i, model }) => {
      try {
        const { blob, frames } = await pvs.sheetOf(await view.sheetOf(i));
        if (model !== view.data.model || i !== view.point) return;
        timeline.frames = frames;
        await player.show(blob, { frames, seq: i });
        if (failed !== null) view.fine(); // other sentences are not about the clip
        failed = null;
      } catch (error) {
        failed = i;
        view.fail(error);
      }
    });

    function about(i) {
      const { label, unit, names, values, scale } = view.data.colour;
      const value = values[i];
      if (value === null) return view.label(i);
      const text = scale === "choices" ? names[value] : `${Number(value).toFixed(2)} ${unit}`.trim();
      return label === "Seed" || label === "Clip" ? view.label(i) : `${view.label(i)}: ${label.toLowerCase()} ${text}`;
    }

    view.look = (i) => {
      if (!view.data || (i === view.point && i !== failed)) return;
      view.point = i;
      ref.which.textContent = about(i);
      buttons();
      view.plot.mark(i);
      view.settling = ask({ i, model: view.data.model });
    };
    view.keep = (i) => {
      kept = i;
      view.look(i);
      view.follow();
    };
    view.kept = () => kept;
    // Other points, or none: what is kept may not be among them.
    view.forgetPoint = () => {
      kept = view.point = null;
      view.plot.mark(null);
      ref.which.textContent = "Point at a dot to see its clip; click to keep it here.";
      buttons();
    };
    view.recolour = () => view.point !== null && view.data && (ref.which.textContent = about(view.point));
    ref.plot.addEventListener("pointerleave", () => kept !== null && view.look(kept));

    function buttons() {
      const none = view.point === null;
      ref.addA.disabled = ref.addB.disabled = none;
      ref.toExplore.disabled = none || view.point >= view.generated();
      for (const name of ["a", "b"]) {
        const inside = !none && view.groups[name].has(view.point);
        ref[`add${name.toUpperCase()}`].textContent = `${inside ? "Out of" : "Into"} ${name.toUpperCase()}`;
      }
    }
    view.showButtons = buttons;

    ref.toExplore.addEventListener("click", () =>
      pvs.openTab("explore", { model: view.data.model, point: { seed: view.point, latent: null, truncation: 1, moves: {} } }));

    // ---- time and keys --------------------------------------------------------------------------------------
    const showTime = () => (ref.counter.textContent = `${timeline.frame + 1} / ${timeline.frames}`);
    timeline.listen(showTime);
    showTime();
    pvs.playButton(ref.play, timeline);
    ref.clip.addEventListener("click", () => timeline.toggle());

    const STEPS = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowUp: ["y", 1], ArrowDown: ["y", -1] };
    ref.plot.addEventListener("keydown", (event) => {
      if (!view.data || event.ctrlKey || event.metaKey || event.altKey) return;
      const key = event.key.toLowerCase();
      if (STEPS[event.key]) view.keep(view.plot.next(view.point, ...STEPS[event.key]));
      else if (key === " ") timeline.toggle();
      else if ((key === "a" || key === "b") && view.point !== null) view.toggleIn(key, view.point);
      else if (event.key === "Enter" && !ref.toExplore.disabled) ref.toExplore.click();
      else return;
      event.preventDefault();
    });
  };
})();
