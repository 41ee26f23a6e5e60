// Undo and redo of what Latents shows: a step is a choice above the plot, or a change of the selections.
//
//   pvs.latents.history(view)    view.doing(act): a person changes something. The step before other points brings their
//                                selections back.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};

  pvs.latents.history = (view) => {
    const { state } = view;
    const now = () => ({ state: { ...state, axes: [...state.axes] }, ...view.chosen() });
    const same = (one, other) => JSON.stringify({ ...one, point: null }) === JSON.stringify({ ...other, point: null });
    const steps = pvs.history(view, { now, same, go: (there) => {
      const others = pvs.latents.POINTS.some((key) => there.state[key] !== view.data?.[key]);
      view.linked = others ? there : null; // chosen when those points have come
      view.settle(there.state);
      if (!others) view.choose(there);
    } });
    view.doing = (act) => {
      const before = now();
      act();
      steps.did(before);
    };
  };
})();
