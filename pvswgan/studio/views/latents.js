// The Latents page: choices -> a job on the server -> points in a plot. Its parts are latents_NAME.js; each reads
// view.state and view.data {points, generated, colour, explained, dimensions}.
//
// window.pvs.latentsView lets a test look in: .state, .data, .plot, .point, .groups, .settling (the clip), .loading.
(() => {
  "use strict";
  const pvs = window.pvs;
  const { option, optionGroup: group } = pvs;

  const FLAT = "This browser has no WebGL, which a plot in space needs. The flat plot shows any two axes.";
  const LESSONS = {
    z: (n) => `Sampled latents: ${n} independent normal numbers each. There is nothing to find here, and that is the lesson: the cloud is ` +
      `equally wide in every direction (each of the ${n} has a share near ${(100 / n).toFixed(1)} %), and what looks like an axis is chance. ` +
      "Structure begins behind the first layer.",
    first: "The first layer’s activations: here the network has given some directions more room than others. Explore’s PCA sliders are these axes.",
    later: "Activations of a later stage, averaged down to the first layer’s size. The further on, the nearer to what is seen.",
    critic: "The critic’s features of as many real as generated clips: its last layer, which its head turns into a score. Where the two " +
      "kinds lie apart, the critic still tells them apart.",
  };

  pvs.view("latents", ({ element }) => {
    const view = { ...pvs.page(element), data: null, point: null, directions: [], shown: false, linked: null };
    const { ref, fail, fine, attempt } = view;
    view.timeline = new pvs.Timeline({ fps: 16 });
    view.generated = () => view.data?.generated ?? 0;
    pvs.latentsView = view;
    pvs.latents.state(view);
    const { state } = view;
    view.plot = new pvs.latents.Plot(ref.plot, { onHover: (i) => view.look(i), onClick: (i) => view.keep(i),
      onSelect: (chosen) => view.dragging !== "pan" && view.setGroup(view.dragging, chosen), label: (i) => view.label(i) });
    pvs.latents.clip(view);
    pvs.latents.groups(view);
    pvs.latents.history(view);
    pvs.latents.table(view);

    // ---- points ---------------------------------------------------------------------------------------------
    const ask = pvs.job();
    const wait = pvs.waiting(ref.wait, ref.waitText, ref.progress);

    // A colour for which clips must be drawn takes long, so new points come first in one that takes nothing.
    const load = attempt(async () => {
      const { model, space, points, colour } = state;
      const quick = /^(seed|real|pca:|sefa:|own:)/.test(colour) || has({ model, space, points });
      try {
        for (const now of quick ? [colour] : [space === "critic" ? "real" : "seed", colour]) {
          const answer = await ask("api/latents/points", { model, space, points, colour: now }, wait);
          if (answer === null) return; // a newer choice is on its way
          fine();
          show({ ...answer, model, space, points });
        }
      } catch (error) {
        wait(null);
        throw error;
      }
      wait(null);
    });

    const has = (wish) => view.data !== null && pvs.latents.POINTS.every((key) => view.data[key] === wish[key]);

    function show(data) {
      const same = has(data);
      view.data = data;
      const named = view.directions.find(({ id }) => id === state.colour);
      if (named && data.colour.label === named.id) data.colour.label = named.label;
      if (!same) {
        view.clearGroups();
        view.forgetPoint();
      }
      draw();
      if (view.linked) view.choose(view.linked);
      view.linked = null;
      if (view.point === null) view.keep(0);
      view.recolour();
    }
    view.load = () => (view.loading = load());

    function draw() {
      if (!view.data) return;
      const { coordinates, generated, colour, explained, dimensions, model, space } = view.data;
      const { dims, axes } = state;
      view.showDrag();
      const key = [model, space, dims, coordinates.length, ...axes].join("|");
      view.drawing = view.plot.show({ points: coordinates, generated, colour, explained, dims, axes, key }).catch(fail);
      bars(explained, dimensions);
      const r2 = colour.r2;
      const read = r2 === null ? "" : ` ${colour.label} is read off the clips by a regression; on real clips that it has not seen its R² is ${r2.toFixed(2)}.`;
      ref.lesson.textContent = (space === "z" ? LESSONS.z(dimensions)
        : space === "critic" ? LESSONS.critic : space === "layer:0" ? LESSONS.first : LESSONS.later) + read;
    }

    function bars(explained, dimensions) {
      const most = Math.max(...explained, 1e-9);
      ref.explained.replaceChildren(...explained.map((share, i) => {
        const bar = document.createElement("span");
        bar.style.setProperty("--share", share / most);
        bar.dataset.on = String(state.axes.slice(0, state.dims).includes(i));
        const [value, name] = [document.createElement("b"), document.createElement("i")];
        value.textContent = `${(100 * share).toFixed(1)} %`;
        name.textContent = `PC${i + 1}`;
        bar.append(value, name);
        return bar;
      }));
      const texts = explained.map((share, i) => `PC${i + 1} ${(100 * share).toFixed(1)} %`);
      ref.explained.setAttribute("aria-label", `Explained variance: ${texts.join(", ")}`);
      const sum = 100 * explained.reduce((a, b) => a + b, 0);
      ref.explainedNote.textContent = `Together ${sum.toFixed(1)} % of the variance in ${dimensions} dimensions.`;
    }

    // ---- choices --------------------------------------------------------------------------------------------
    function fill() {
      const { layers, no_critic, factors } = view.choices;
      ref.space.replaceChildren(option("z", "sampled latents z"),
        ...layers.map(({ id, frames, resolution }, i) => option(id, i === 0 ? "first layer’s activations" : `activations of ${frames}×${resolution}×${resolution}`)),
        option("critic", no_critic ? "the critic’s features (none here)" : "the critic’s features, real and generated"));
      if (![...ref.space.options].some(({ value }) => value === state.space)) state.space = "layer:0";
      const inCritic = state.space === "critic";
      ref.colour.replaceChildren(
        group("The clip", option("motion", "motion"), option("brightness", "brightness"), option("seed", "seed"),
          ...(inCritic ? [option("real", "real or generated")] : [])),
        ...(factors.length ? [group("A factor, read off the clip", ...factors.map(({ id, label }) => option(id, label)))] : []),
        ...(view.directions.length ? [group("Place along a direction", ...view.directions.map(({ id, label }) => option(id, label)))] : []));
      if (![...ref.colour.options].some(({ value }) => value === state.colour)) state.colour = inCritic ? "real" : "motion";
      for (const name of ["model", "space", "colour", "points", "dims"]) ref[name].value = state[name];
      ["x", "y", "z"].forEach((name, i) => (ref[name].value = state.axes[i]));
      ref.depth.hidden = state.dims === 2;
    }

    for (const name of ["x", "y", "z"]) ref[name].append(...Array.from({ length: 8 }, (_, i) => option(i, `PC${i + 1}`)));
    for (const name of ["x", "y", "z"]) {
      ref[name].addEventListener("change", () => view.change({ axes: ["x", "y", "z"].map((axis) => Number(ref[axis].value)) }));
    }
    ref.model.addEventListener("change", () => view.change({ model: ref.model.value }));
    ref.space.addEventListener("change", () => {
      const space = ref.space.value;
      if (space === "critic" && view.choices.no_critic) {
        ref.space.value = state.space;
        return fail(new Error(view.choices.no_critic));
      }
      const colour = space === "critic" ? "real" : state.colour === "real" ? "motion" : state.colour;
      view.change({ space, colour });
    });
    ref.colour.addEventListener("change", () => view.change({ colour: ref.colour.value }));
    ref.points.addEventListener("change", () => view.change({ points: Number(ref.points.value) }));
    ref.dims.addEventListener("change", () => {
      if (ref.dims.value === "3" && !pvs.latents.webgl()) {
        ref.dims.value = "2";
        return fail(new Error(FLAT));
      }
      view.change({ dims: Number(ref.dims.value) });
    });

    view.listen((keys) => {
      if (keys.has("model")) return view.opening = openModel();
      fine();
      fill();
      if (keys.has("space") || keys.has("points") || keys.has("colour")) view.load();
      else draw();
    });

    // ---- models ---------------------------------------------------------------------------------------------
    const openModel = attempt(async () => {
      const { model } = state;
      const id = encodeURIComponent(model);
      const choices = await pvs.json(`api/latents/choices?model=${id}`);
      if (model !== state.model) return;
      view.choices = choices;
      view.directions = [];
      view.resetTable();
      const sorry = []; // said when the points are there: they take sentences away
      if (state.space === "critic" && choices.no_critic) {
        Object.assign(state, { space: "layer:0" });
        sorry.push(choices.no_critic);
      }
      if (state.dims === 3 && !pvs.latents.webgl()) { // a link's
        state.dims = 2;
        sorry.push(FLAT);
      }
      await view.loadDirections();
      if (model !== state.model) return;
      fill();
      view.follow();
      await view.load();
      if (sorry.length && model === state.model) throw new Error(sorry.join(" "));
    });

    view.loadDirections = attempt(async () => {
      const { model } = state;
      const answer = await pvs.json(`api/directions?id=${encodeURIComponent(model)}`);
      if (model !== state.model) return;
      const label = ({ id, kind, name }) => name || (kind === "own" ? "own" : `${{ pca: "PCA", sefa: "SeFa" }[kind] || kind.slice(4)} ${Number(id.split(":")[1]) + 1}`);
      const number = ({ id, kind }) => kind === "own" || Number(id.split(":")[1]) < 8;
      view.directions = answer.directions.filter(number).map((direction) => ({ id: direction.id, label: label(direction) }));
    });

    const refresh = attempt(async () => {
      const models = await pvs.models();
      ref.empty.hidden = models.length > 0;
      ref.body.hidden = models.length === 0;
      if (!models.length) return;
      const ids = models.flatMap(({ checkpoints }) => checkpoints.map(({ id }) => id));
      ref.model.replaceChildren(...pvs.checkpointOptions(models));
      const asked = view.wanted;
      view.wanted = null;
      const newestOf = (id) => models.find((model) => id && model.group === pvs.family(id))?.checkpoints[0].id;
      const found = ids.includes(asked) ? asked : newestOf(asked);
      const gone = asked || (ids.includes(state.model) ? null : state.model);
      const next = found || (ids.includes(state.model) ? state.model : newestOf(state.model) || ids[0]);
      if (gone && !found) view.linked = null; // it was of that model's points
      if (next !== state.model) view.settle({ model: next });
      else ref.model.value = state.model;
      await view.opening; // points that come take sentences away
      if (gone && !found) fail(new Error(`There is no model "${gone}" here any more: this is ${newestOf(gone) ? "the newest of its training" : "another one"}.`));
    });

    ref.toTrain.addEventListener("click", () => pvs.openTab("train"));
    ref.lookAgain.addEventListener("click", refresh);
    pvs.onOpen("latents", ({ model }) => {
      view.wanted = model;
      if (view.shown) refresh();
    });
    // Nothing is computed before somebody looks.
    pvs.whenShown(element, (on) => {
      if (on && !view.shown) {
        view.shown = true;
        refresh().then(view.follow);
      }
      view.shown = on;
    });
  });
})();
