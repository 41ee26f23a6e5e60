// What Explore shows, in one place, and the sense of when the person's hand rests.
//
//   const store = pvs.explorer.store(element);
//   store.state                      {model, seed, parts, latent, truncation, moves, of, keyframes}; parts: {part: seed}, of what
//                                    is not of the seed; of: the checkpoint whose directions the moves are along, where
//                                    that is not the model (null) itself
//   store.point()                    a copy of {seed, parts, latent, truncation, moves, of} without moves of nothing
//   store.change(patch, gesture)     changes it and tells the listeners; changes of one gesture are one step of undo
//   store.listen(f)                  f(keys) after every change; keys: a Set of the names that changed
//   store.onGesture = f              called before a new gesture changes anything
//   store.onRest(f)                  f() when nothing moved for a moment, no button is held and all is drawn
//   store.resting                    true from then on until the next movement
//   store.busy()                     the hand moves: background work stops
//   store.later(key, job)            background work: job(signal), one at a time, only at rest; a newer job of a key
//                                    takes the older one's place, and one that was cut off begins again
//   store.held = true                no background work (a walk needs the server)
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const REST = 350; // milliseconds without a change

  pvs.explorer.copyPoint = ({ seed = 0, parts: some = {}, latent = null, truncation = 1, moves: all = {}, of = null }) => {
    const parts = Object.fromEntries(Object.entries(some).filter(([, of]) => latent !== null || of !== seed));
    const moves = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== 0));
    return { seed, parts, latent, truncation, moves, of: Object.keys(moves).length ? of : null };
  };

  // What a point still means in another model: a seed; directions, fitted latents and parts belong to one model.
  pvs.explorer.portable = ({ seed, truncation }) => ({ seed, parts: {}, latent: null, truncation, moves: {}, of: null });

  // Clips of several points in one picture: {blob, rows, frames}.
  pvs.explorer.rows = async (model, points, signal) => pvs.sheetOf(await pvs.request("api/rows", { model, points }, { signal }));

  pvs.explorer.store = (element, fail) => {
    const state = { model: null, seed: 0, parts: {}, latent: null, truncation: 1, moves: {}, of: null, keyframes: [] };
    const listeners = [];
    const restListeners = [];
    const jobs = new Map();
    let gesture = null;
    let pressed = false;
    let resting = false;
    let timer = null;
    let working = null; // AbortController of the job in progress

    const store = { state, onGesture: null, settled: async () => {} };
    let held = false;

    store.point = () => pvs.explorer.copyPoint(state);
    store.listen = (f) => listeners.push(f);
    store.onRest = (f) => restListeners.push(f);

    store.change = (patch, name = null) => {
      if (name === null || name !== gesture) store.onGesture?.();
      gesture = name;
      const keys = new Set(Object.keys(patch).filter((key) => patch[key] !== state[key]));
      Object.assign(state, patch);
      for (const listener of listeners) listener(keys);
      store.busy();
    };

    // ---- rest -----------------------------------------------------------------------------------------------
    store.busy = () => {
      resting = false;
      working?.abort();
      clearTimeout(timer);
      timer = setTimeout(settle, REST);
    };

    Object.defineProperty(store, "resting", { get: () => resting });

    async function settle() {
      const mine = timer;
      await store.settled();
      if (pressed || mine !== timer) return; // the release begins it anew
      resting = true;
      for (const listener of restListeners) listener();
      work();
    }

    element.addEventListener("pointerdown", () => {
      pressed = true;
      gesture = null; // the next change is of this press
      store.busy();
    });
    const released = () => {
      if (!pressed) return;
      pressed = false;
      store.busy();
    };
    for (const kind of ["pointerup", "pointercancel", "blur", "dragend"]) window.addEventListener(kind, released);

    // ---- background work ------------------------------------------------------------------------------------
    store.later = (key, job) => {
      jobs.set(key, job);
      work();
    };

    Object.defineProperty(store, "held", {
      get: () => held,
      set: (on) => {
        held = on;
        on ? working?.abort() : work();
      },
    });

    async function work() {
      while (!working && resting && !held && jobs.size) {
        const [key, job] = jobs.entries().next().value;
        jobs.delete(key);
        working = new AbortController();
        try {
          await job(working.signal);
        } catch (error) {
          if (error.name !== "AbortError") fail(error);
          else if (!jobs.has(key)) jobs.set(key, job);
        }
        working = null;
      }
    }

    return store;
  };
})();
