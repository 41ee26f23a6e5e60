// Undo and redo: one step a gesture, each with a picture, in a strip under the clip.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const KEPT = 60;
  const THUMB = 44;

  pvs.explorer.history = (view) => {
    const { ref, store, state, player } = view;
    const steps = []; // {text: the state as JSON, button}
    let at = -1;

    const snapshot = () => JSON.stringify({ model: state.model, ...store.point(), keyframes: state.keyframes });

    // Takes down where we are, if it is somewhere new. What was undone is gone from then on.
    function commit() {
      if (!state.model) return;
      const text = snapshot();
      if (steps[at]?.text === text) return;
      for (const { button } of steps.splice(at + 1)) button.remove();
      steps.push({ text, button: draw() });
      if (steps.length > KEPT) steps.shift().button.remove();
      at = steps.length - 1;
      picture(steps[at]);
      show();
    }

    function draw() {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "pe-step";
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = THUMB;
      button.append(canvas);
      button.addEventListener("click", () => {
        commit();
        go(steps.findIndex((step) => step.button === button));
      });
      ref.past.append(button);
      return button;
    }

    // The middle frame of the clip that is drawn, where that is the clip of this step.
    function picture(step) {
      const { sheet } = player;
      if (step.drawn || !sheet || view.drawn !== view.asked || snapshot() !== step.text) return;
      paint(step, sheet.image, sheet.frames, 1, 0);
    }

    // Steps that went by faster than their clips came, in one request.
    async function missing(signal) {
      const open = steps.filter((step) => !step.drawn && JSON.parse(step.text).model === state.model);
      if (open.length) await pictures(open.slice(-16), signal);
    }

    async function pictures(some, signal) {
      try {
        const points = some.map(({ text }) => pvs.explorer.copyPoint(JSON.parse(text)));
        const { blob, rows, frames } = await pvs.explorer.rows(state.model, points, signal);
        const image = await createImageBitmap(blob);
        some.forEach((step, i) => paint(step, image, frames, rows, i));
        image.close();
      } catch (error) {
        if (error.name === "AbortError") throw error;
        // Of one alone: it cannot be drawn (a changed link's, say), stays blank, and is not asked for again.
        if (some.length === 1) some[0].drawn = true;
        else for (const step of some) await pictures([step], signal);
      }
    }

    function paint(step, image, frames, rows, row) {
      const [width, height] = [image.width / frames, image.height / rows];
      const context = step.button.firstChild.getContext("2d", { alpha: false });
      context.imageSmoothingEnabled = false;
      context.drawImage(image, Math.floor(frames / 2) * width, row * height, width, height, 0, 0, THUMB, THUMB);
      step.drawn = true;
    }

    function show() {
      steps.forEach(({ button, text }, i) => {
        const { seed, parts, latent, model } = JSON.parse(text);
        const own = Object.entries(parts).map(([part, of]) => `, ${part} of seed ${of}`).join("");
        const name = `Step ${i + 1}: ${model}, ${latent ? "fitted latent" : `seed ${seed}`}${own}`;
        button.setAttribute("aria-label", name);
        button.title = name;
        if (i === at) button.setAttribute("aria-current", "step");
        else button.removeAttribute("aria-current");
        button.classList.toggle("undone", i > at);
      });
      ref.undo.disabled = at <= 0;
      ref.redo.disabled = at >= steps.length - 1;
      const { past } = ref;
      const now = steps[at]?.button;
      if (now) past.scrollLeft = now.offsetLeft - past.clientWidth / 2 + THUMB / 2;
    }

    function go(to) {
      if (to < 0 || to >= steps.length || to === at) return;
      at = to;
      store.onGesture = null; // going back is no new step
      store.change(JSON.parse(steps[at].text));
      store.onGesture = commit;
      show();
    }
    view.undo = () => {
      commit();
      go(at - 1);
    };
    view.redo = () => {
      commit();
      go(at + 1);
    };

    store.onGesture = commit;
    store.onRest(() => {
      commit();
      if (at >= 0) picture(steps[at]);
      if (steps.some((step) => !step.drawn)) store.later("history", missing);
    });
    // A step that was taken down before its picture had come gets it when the picture comes.
    view.sheetListeners.push(() => steps[at] && picture(steps[at]));
    view.element.addEventListener("pointerdown", commit, true);
    ref.undo.addEventListener("click", view.undo);
    ref.redo.addEventListener("click", view.redo);
  };
})();
