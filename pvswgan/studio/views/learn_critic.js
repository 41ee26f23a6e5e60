// Lesson: the critic and its leash. A small critic trained in the browser on two clouds, one step at a time or running.
// The mathematics is in learn_critic_net.js; only the exact distance is the server's (POT).
//
// window.pvs.learnCritic lets a test look in: .net, .clouds(), .path (of each step, {distance, slope}), .exact, .busy.
(() => {
  "use strict";
  const pvs = window.pvs;
  const T = pvs.transport, C = pvs.critic, D = pvs.criticMaps;
  const MOST = 600, EACH_MS = 14, FOLLOW = 0.02; // steps in all; of a frame; how far a point goes for a slope of 1

  const FIELDS = {
    a: { value: "ring", of: T.SHAPES },
    b: { value: "two blobs", of: T.SHAPES },
    count: { value: 60, of: [30, 60, 120] },
    seed: { value: 1, min: 0, max: 9999 },
    leash: { value: "none", of: ["none", "clip", "gp", "swgan"] },
    strength: { value: 1, of: [0.01, 0.1, 1, 10, 100] },
    follow: { value: false },
    each: { value: 1, of: [1, 5] },
    steps: { value: 0, min: 0, max: MOST },
  };
  const BEGIN = ["a", "b", "count", "seed", "leash", "strength", "follow", "each"];
  // The settings of a training whose critic has this leash.
  const settings = { none: () => ({ "loss.name": "wgan-gp", "loss.gp": "0" }), gp: (by) => ({ "loss.name": "wgan-gp", "loss.gp": `${10 * by}` }),
    swgan: (by) => ({ "loss.name": "swgan", "loss.gp": `${50 * by}`, "loss.slope": `${10 * by}` }) };
  const figure = (value) => (Math.abs(value) < 0.0995 ? value.toFixed(4) : value < 100 ? value.toFixed(3) : value.toFixed(0));
  const between = (real, fake) => real.map(([x, y], i) => [(x + fake[i][0]) / 2, (y + fake[i][1]) / 2]);

  pvs.learn.lesson("critic", FIELDS, ({ element, ref, fail, state, change, attempt }) => {
    const view = (pvs.learnCritic = { net: null, clouds: () => ({ a: real, b: fake }), path: [], exact: null, busy: false, sliced: null });
    let real = [], fake = [], next = null, running = false, on = true, loop = false;
    const cells = D.grid();
    for (const name of ["a", "b"]) ref[name].replaceChildren(...T.SHAPES.map((shape) => pvs.option(shape, shape)));

    // ---- the exact distance: the server's, latest wins, of clouds that rest --------------------------------------------
    const exact = pvs.latest(async ({ a, b, key }) => {
      try {
        const { distance } = await pvs.json("api/learn/exact", { a, b });
        if (key !== exact.key) return;
        [view.exact, ref.exact.textContent] = [distance, figure(distance)];
        paint();
      } catch (error) {
        fail(error);
      }
    });
    function forgetExact() {
      [view.exact, exact.key] = [null, {}]; // what is on its way is of other clouds
      ref.exact.textContent = "…";
    }
    function askExact() {
      forgetExact();
      const far = fake.some((point) => point.some((x) => Math.abs(x) > 10));
      if (far) ref.exact.textContent = "–";
      else exact({ a: real, b: fake, key: exact.key });
    }

    // ---- training ---------------------------------------------------------------------------------------------------------
    function begin() {
      real = T.shape(state.a, state.count, state.seed);
      fake = T.shape(state.b, state.count, state.seed + 5000);
      next = pvs.random(state.seed + 31);
      view.net = C.start(state.leash, state.seed);
      view.path = [];
      view.sliced = [T.everywhere(real, fake).mean];
      askExact();
    }

    function step() {
      let found = null;
      for (let time = 0; time < (state.follow ? state.each : 1); time++) {
        const draw = () => Array.from({ length: real.length }, next);
        found = C.train(view.net, state.leash, state.strength, real, fake, { e: draw(), e2: draw() });
      }
      const { slopes } = C.score(view.net, state.follow ? [...between(real, fake), ...fake] : between(real, fake));
      const n = real.length, norms = real.map((_, i) => Math.hypot(slopes[2 * i], slopes[2 * i + 1]));
      view.path.push({ distance: found.distance, slope: norms.reduce((a, b) => a + b) / n });
      if (!state.follow) return;
      if (exact.key !== null) forgetExact(), (exact.key = null);
      fake = fake.map(([x, y], i) => [x + FOLLOW * slopes[2 * (n + i)], y + FOLLOW * slopes[2 * (n + i) + 1]]);
    }

    // Trains till state.steps are done, or on and on while it runs; a link's steps too come frame by frame, and are seen.
    const frame = attempt(async () => {
      loop = false;
      const until = performance.now() + EACH_MS;
      while (view.path.length < (running ? MOST : state.steps) && performance.now() < until) step();
      if (running) change({ steps: view.path.length });
      if (view.path.length >= MOST) run(false);
      if (running || view.path.length < state.steps) go();
      else rest();
      paint();
    });
    function go() {
      view.busy = true;
      if (!loop && on) requestAnimationFrame(frame);
      loop ||= on;
    }
    function rest() {
      if (!view.busy) return;
      view.busy = false;
      if (!state.follow) return;
      view.sliced[1] = T.everywhere(real, fake).mean;
      askExact();
    }
    function run(now) {
      running = now && view.path.length < MOST;
      ref.run.textContent = running ? "Pause" : "Run";
      if (running) go();
    }

    // ---- drawing ------------------------------------------------------------------------------------------------------------
    function paint() {
      const ink = pvs.sketch.ink(element), done = view.path.length, last = view.path[done - 1];
      const score = (points) => C.score(view.net, points), all = score(cells);
      D.heights(ref.heights, ink, all, real, fake, score);
      D.steepness(ref.steepness, ink, all);
      D.curves(ref.curves, ink, view.path, view.exact);
      ref.stepText.textContent = done < state.steps ? `${done} of ${state.steps}` : done;
      ref.distance.textContent = last ? figure(last.distance) : "–";
      ref.slope.textContent = last ? figure(last.slope) : "–";
      const left = fake.filter((point) => point.some((x) => Math.abs(x) > 1 / 0.92)).length;
      const [start, end] = view.sliced;
      ref.follows.textContent = !state.follow ? "" : (view.busy || end === undefined ? "" : `Sliced distance of the clouds: ${figure(end)} (at the start `
        + `${figure(start)}). `) + (left ? `${left} of ${fake.length} points have left the picture.` : "");
      ref.more.disabled = ref.one.disabled = ref.run.disabled = done >= MOST;
    }

    function draw(changed) {
      const has = (...names) => names.some((name) => changed.has(name));
      for (const name of ["a", "b", "count", "strength", "each"]) ref[name].value = state[name];
      for (const radio of ref.leash.querySelectorAll("input")) radio.checked = radio.value === state.leash;
      ref.follow.checked = state.follow;
      ref.each.disabled = !state.follow;
      ref.strength.disabled = state.leash === "none";
      ref.toTrain.hidden = !(ref.noTrain.hidden = state.leash !== "clip");
      for (const note of ref.said.children) note.hidden = note.dataset.leash !== state.leash;
      if (has(...BEGIN) || view.path.length > state.steps) {
        if (has(...BEGIN)) run(false);
        begin();
      }
      if (view.path.length < state.steps) go();
      else if (!running) paint();
    }

    // ---- the hand -----------------------------------------------------------------------------------------------------------
    const anew = (changes) => {
      run(false);
      change({ steps: 0, ...changes });
    };
    ref.run.addEventListener("click", () => run(!running));
    for (const [name, more] of [["one", 1], ["more", 100]])
      ref[name].addEventListener("click", () => {
        run(false);
        change({ steps: Math.min(MOST, view.path.length + more) });
      });
    ref.back.addEventListener("click", () => anew({}));
    ref.again.addEventListener("click", () => anew({ seed: (state.seed + 1) % (FIELDS.seed.max + 1) }));
    for (const name of ["a", "b"]) ref[name].addEventListener("change", () => anew({ [name]: ref[name].value }));
    for (const name of ["count", "strength", "each"]) ref[name].addEventListener("change", () => anew({ [name]: Number(ref[name].value) }));
    ref.leash.addEventListener("change", ({ target }) => anew({ leash: target.value }));
    ref.toTrain.addEventListener("click", () =>
      pvs.openTab("train", { config: "toyfaces-cpu", typed: settings[state.leash](state.strength) }));
    ref.follow.addEventListener("change", () => anew({ follow: ref.follow.checked }));
    for (const button of ref.tries.querySelectorAll("button"))
      button.addEventListener("click", () => anew({ follow: false, each: 1, steps: 300, ...JSON.parse(button.dataset.state) }));
    new ResizeObserver(() => view.net && on && !view.busy && paint()).observe(ref.heights);

    return { draw, shown(now) {
      on = now;
      if (!now) run(false);
      else if (view.path.length < state.steps) go();
      else if (view.net) rest(), paint(); // it was left while it ran
    } };
  });
})();
