// The parts of a latent that change different things (MoCoGAN: content and motion): each has a seed of its own, the point's
// own where nothing else is chosen. A model whose latents are of one piece has no such rows.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const LARGEST_SEED = 2 ** 31 - 1;

  pvs.explorer.parts = (view) => {
    const { ref, store, state } = view;
    const { make } = pvs.explorer;
    const title = (name) => name[0].toUpperCase() + name.slice(1);
    let fields = new Map(); // name -> its input

    view.setPart = (name, seed, gesture = null) => {
      if (!Number.isFinite(seed)) return; // an emptied field: keep what is shown
      store.change({ parts: { ...state.parts, [name]: Math.max(0, Math.min(LARGEST_SEED, Math.round(seed))) } }, gesture);
    };
    const seedOf = (name) => state.parts[name] ?? (state.latent === null ? state.seed : null); // null: of the fitted latent

    view.onParts = (names) => {
      ref.parts.hidden = !names.length;
      if (names.join() === [...fields.keys()].join()) return;
      fields = new Map();
      ref.partRows.replaceChildren(...names.map((name) => row(name, names.filter((other) => other !== name).join(" and "))));
      show();
    };

    function row(name, others) {
      const node = make("div", "pvs-row pvs-tight", { role: "group", "aria-label": title(name) });
      const label = Object.assign(make("label", "", { for: `pvs-explore-part-${name}` }), { textContent: title(name) });
      const field = make("input", "", { id: `pvs-explore-part-${name}`, type: "number", min: 0, max: LARGEST_SEED, step: 1,
        "aria-label": `Seed of the ${name}`, placeholder: "fitted" });
      const fresh = Object.assign(make("button", "pvs-button", { type: "button" }),
        { textContent: `New ${name}, same ${others}` });
      field.addEventListener("input", () => view.setPart(name, field.valueAsNumber, `part ${name}`));
      field.addEventListener("change", show);
      fresh.addEventListener("click", () => view.setPart(name, Math.floor(Math.random() * 1e6)));
      node.append(label, field, fresh);
      fields.set(name, field);
      return node;
    }

    function show() {
      for (const [name, field] of fields) {
        const seed = seedOf(name);
        if (field.value !== String(seed ?? "")) field.value = seed ?? "";
      }
    }
    store.listen((keys) => ["parts", "seed", "latent"].some((key) => keys.has(key)) && show());
  };
})();
