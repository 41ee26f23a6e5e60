// The wall of seeds: twelve at a time, all in step with the clip; a click takes one.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const BATCH = 12;
  const MOST = 8; // batches on the wall; then the first ones go

  pvs.explorer.seeds = (view) => {
    const { ref, store, state, timeline } = view;
    const { make } = pvs.explorer;
    const batches = []; // {first, node, player, key, shown}
    let next = 0;

    function add() {
      const node = make("div", "pe-batch"), canvas = make("canvas", "", { "aria-hidden": "true" });
      const over = make("div", "pe-tiles");
      canvas.width = 4;
      canvas.height = 3;
      const batch = { first: next, node, player: new pvs.SheetPlayer(canvas, { timeline, columns: 4 }), key: null, shown: false };
      for (let seed = next; seed < next + BATCH; seed++) {
        const tile = make("button", "pe-tile", { type: "button", title: `Seed ${seed}`, "aria-label": `Seed ${seed}` });
        tile.addEventListener("click", () => view.setSeed(seed));
        tile.dataset.seed = seed;
        over.append(tile);
      }
      node.append(canvas, over);
      ref.wall.append(node);
      batch.gone = pvs.whenShown(node, (on) => {
        batch.shown = on;
        if (on) refresh(batch);
      });
      batches.push(batch);
      next += BATCH;
      if (batches.length > MOST) drop(batches.shift());
      mark();
    }

    function drop({ node, player, gone }) {
      gone();
      player.dispose();
      node.remove();
    }

    // The wall shows what a click would give: with the truncation and the moves as they are now.
    const now = () => {
      const { truncation, moves, of } = store.point();
      return [JSON.stringify([state.model, truncation, moves, of]), { latent: null, truncation, moves, of }];
    };

    function refresh(batch) {
      const [key, point] = now();
      if (batch.key === key || !state.model) return;
      const points = Array.from({ length: BATCH }, (_, i) => ({ ...point, seed: batch.first + i }));
      store.later(`seeds ${batch.first}`, async (signal) => {
        if (!batch.shown || now()[0] !== key) return; // the hand has moved on, or back
        const { blob, rows, frames } = await pvs.explorer.rows(state.model, points, signal);
        await batch.player.show(blob, { rows, frames });
        batch.node.dataset.drawn = "yes";
        batch.key = key;
      });
    }

    function mark() {
      for (const tile of ref.wall.querySelectorAll(".pe-tile")) {
        const on = state.latent === null && !Object.keys(store.point().parts).length && Number(tile.dataset.seed) === state.seed;
        if (on) tile.setAttribute("aria-current", "true");
        else tile.removeAttribute("aria-current");
      }
    }

    // Arrow keys go from tile to tile.
    ref.wall.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -4, ArrowDown: 4 }[event.key];
      if (!by || !event.target.dataset.seed) return;
      event.preventDefault();
      event.stopPropagation();
      ref.wall.querySelector(`[data-seed="${Number(event.target.dataset.seed) + by}"]`)?.focus();
    });

    store.listen((keys) => {
      if (["seed", "parts", "latent"].some((key) => keys.has(key))) mark();
    });
    store.onRest(() => batches.filter((batch) => batch.shown).forEach(refresh));
    ref.moreSeeds.addEventListener("click", add);
    view.sections.w.addEventListener("toggle", () => {
      if (view.sections.w.open && !batches.length) add();
    });
  };
})();
