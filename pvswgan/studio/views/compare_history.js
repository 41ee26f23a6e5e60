// Undo and redo of what Compare shows: one step a gesture. The quiz's answers and the clock are not part of it.
//
//   pvs.compare.history(view)  view.change takes down what was before; view.settle, of compare_state.js, does not
(() => {
  "use strict";
  const pvs = window.pvs;
  const NAMES = { ids: "what is compared", seed: "seed", rows: "number of seeds", truncation: "truncation", mode: "how clips are shown",
    left: "the two that are compared", right: "the two that are compared", gain: "amplification", wipe: "divider", fps: "speed",
    along: "axis of the curves", smoothing: "smoothing", together: "one slider for all" };

  pvs.compare.history = (view) => {
    const { state } = view;
    const now = () => Object.fromEntries(Object.keys(NAMES).map((key) => [key, state[key]]));
    const steps = pvs.history(view, { now, go: view.settle });
    view.change = (change) => {
      const before = now(), keys = Object.keys(change).filter((key) => key in NAMES);
      view.settle(change);
      steps.did(before, NAMES[keys[0]], keys.join());
    };
  };
})();
