// Undo and redo of what Compare shows: one step a gesture. The quiz's answers and the clock are not part of it.
//
//   pvs.compare.history(view)  view.change takes down what was before; view.settle, of compare_state.js, does not
(() => {
  "use strict";
  const pvs = window.pvs;
  const KEPT = 60;
  const GESTURE_MS = 800; // a slider that moves on within it is still the same gesture
  const NAMES = { ids: "what is compared", seed: "seed", rows: "number of seeds", truncation: "truncation", mode: "how clips are shown",
    left: "the two that are compared", right: "the two that are compared", gain: "amplification", wipe: "divider", fps: "speed",
    along: "axis of the curves", smoothing: "smoothing", together: "one slider for all" };

  pvs.compare.history = (view) => {
    const { ref, state } = view;
    const past = [], future = []; // {text: a state as JSON, name: of what was changed after or before it}
    let changing = false, last = "", when = 0;

    const now = () => JSON.stringify(Object.fromEntries(Object.keys(NAMES).map((key) => [key, state[key]])));

    view.change = (change) => {
      if (changing) return view.settle(change); // what a change brings with it is part of it
      const text = now(), keys = Object.keys(change).filter((key) => key in NAMES), name = NAMES[keys[0]];
      changing = true;
      try {
        view.settle(change);
      } finally {
        changing = false;
      }
      if (now() === text) return;
      const gesture = keys.join(), on = gesture === last && Date.now() - when < GESTURE_MS;
      [last, when] = [gesture, Date.now()];
      if (!on) past.push({ text, name });
      if (past.length > KEPT) past.shift();
      future.length = 0;
      show();
    };

    function step(from, to) {
      if (!from.length) return;
      const { text, name } = from.pop();
      to.push({ text: now(), name });
      last = "";
      view.settle(JSON.parse(text));
      show();
    }
    const undo = () => step(past, future), redo = () => step(future, past);

    function show() {
      for (const [button, steps, word, keys] of [[ref.undo, past, "Undo", "Ctrl+Z"], [ref.redo, future, "Redo", "Ctrl+Shift+Z"]]) {
        button.disabled = !steps.length;
        const what = steps.length ? `: ${steps[steps.length - 1].name}` : "";
        button.setAttribute("aria-label", `${word}${what}`);
        button.title = `${word}${what} (${keys})`;
      }
    }

    ref.undo.addEventListener("click", undo);
    ref.redo.addEventListener("click", redo);
    pvs.undoKeys(view, undo, redo);
  };
})();
