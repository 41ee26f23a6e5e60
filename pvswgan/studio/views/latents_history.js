// Undo and redo of what Latents shows: a step is a choice above the plot, or a change of the selections.
//
//   pvs.latents.history(view)    view.before() takes down where we are, before a person changes something;
//                                view.undo(), view.redo(). The step before other points brings their selections back.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
  const KEPT = 60;

  pvs.latents.history = (view) => {
    const { ref, state } = view;
    const past = [], future = [];

    const now = () => {
      const { point, a, b } = view.chosen();
      return { state: { ...state, axes: [...state.axes] }, point, a, b };
    };
    const same = (one, other) => JSON.stringify({ ...one, point: null }) === JSON.stringify({ ...other, point: null });

    view.before = () => {
      if (past.length && same(past[past.length - 1], now())) return;
      past.push(now());
      if (past.length > KEPT) past.shift();
      future.length = 0;
      show();
    };

    function step(from, to) {
      const here = now();
      while (from.length && same(from[from.length - 1], here)) from.pop(); // what was begun and not done
      if (!from.length) return show();
      const there = from.pop();
      to.push(here);
      const others = pvs.latents.POINTS.some((key) => there.state[key] !== view.data?.[key]);
      view.linked = others ? there : null; // chosen when those points have come
      view.settle(there.state);
      if (!others) view.choose(there);
      show();
    }
    view.undo = () => step(past, future);
    view.redo = () => step(future, past);

    function show() {
      ref.undo.disabled = !past.length;
      ref.redo.disabled = !future.length;
    }

    ref.undo.addEventListener("click", view.undo);
    ref.redo.addEventListener("click", view.redo);
    pvs.undoKeys(view, view.undo, view.redo);
  };
})();
