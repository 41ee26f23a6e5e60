// Seed and truncation.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const LARGEST_SEED = 2 ** 31 - 1;

  pvs.explorer.latent = (view) => {
    const { ref, store, state } = view;

    view.setSeed = (seed, gesture = null) => {
      if (!Number.isFinite(seed)) return; // an emptied field: keep what is shown
      store.change({ seed: Math.max(0, Math.min(LARGEST_SEED, Math.round(seed))), latent: null, parts: {} }, gesture);
    };
    view.randomSeed = () => view.setSeed(Math.floor(Math.random() * 1e6));
    ref.seed.addEventListener("input", () => view.setSeed(ref.seed.valueAsNumber, "seed"));
    ref.seed.addEventListener("change", () => (ref.seed.value = state.seed));
    ref.seedBack.addEventListener("click", () => view.setSeed(state.seed - 1));
    ref.seedNext.addEventListener("click", () => view.setSeed(state.seed + 1));
    ref.seedRandom.addEventListener("click", view.randomSeed);
    ref.latentOff.addEventListener("click", () => {
      store.change({ latent: null, parts: {} });
      ref.seed.focus(); // the button goes
    });

    const setTruncation = (truncation) => store.change({ truncation }, "truncation");
    ref.truncation.addEventListener("input", () => setTruncation(ref.truncation.valueAsNumber));
    ref.truncation.addEventListener("dblclick", () => setTruncation(1));

    store.listen((keys) => {
      if (keys.has("seed") && ref.seed.valueAsNumber !== state.seed) ref.seed.value = state.seed;
      if (keys.has("latent")) ref.latentNote.hidden = state.latent === null;
      if (keys.has("truncation")) {
        ref.truncation.value = state.truncation;
        ref.truncationText.textContent = state.truncation.toFixed(2);
      }
    });
  };
})();
