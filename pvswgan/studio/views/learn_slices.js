// Lesson: the slice theatre. Two clouds, a direction under the hand, the two sorted shadows, and what comes of many of them.
// The mathematics is in learn_transport.js, all of it in the browser; only the exact distance is the server's (POT).
//
// window.pvs.learnSlices lets a test look in: .clouds() (as drawn: the first one where it has flowed to), .exact, .frames.
(() => {
  "use strict";
  const pvs = window.pvs;
  const T = pvs.transport, D = pvs.theatre;
  const CLIPS = { "real clips": "real", "generated clips": "fake" }, NAMES = [...T.SHAPES, ...Object.keys(CLIPS)];
  const MOST_EXACT = 200, MOST_SLICES = 3000, MOST_STEPS = 200;

  const FIELDS = {
    a: { value: "ring", of: NAMES },
    b: { value: "two blobs", of: NAMES },
    drawn: { value: null, points: 500 },
    count: { value: 60, of: [10, 30, 60, 120, 200, 500] },
    seed: { value: 1, min: 0, max: 9999 },
    angle: { value: 30, min: 0, max: 180, step: 0.5 },
    slices: { value: 0, min: 0, max: MOST_SLICES },
    orthogonal: { value: false },
    steps: { value: 0, min: 0, max: MOST_STEPS },
    each: { value: 8, of: [1, 2, 8, 32] },
  };
  const CLOUDS = ["a", "b", "drawn", "count", "seed"];
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const figure = (value) => value.toFixed(3);

  pvs.learn.lesson("slices", FIELDS, ({ element, ref, fail, state, change, attempt }) => {
    let first = [], second = [], whole = null, flowed = [], path = [], playing = null, on = true;
    const view = (pvs.learnSlices = { clouds: () => ({ a: flowed, b: second }), exact: null, frames: 0 });
    const drawing = () => ref.drawing.checked;
    for (const name of ["a", "b"]) ref[name].replaceChildren(...NAMES.map((shape) => pvs.option(shape, shape)));

    // ---- clips as a critic sees them: recorded (train.recorded) ---------------------------------------------------------
    let clips = null;
    const loadClips = pvs.latest(async () => {
      try {
        const { recorded } = await pvs.json("api/learn/growing");
        if (!recorded) throw new Error("There are no recorded clips in assets/recorded: python -m train.recorded makes them.");
        clips = recorded.critic;
        draw(new Set(Object.keys(FIELDS)));
      } catch (error) {
        fail(error);
      }
    });
    const cloud = (name, seed) => {
      if (!(name in CLIPS)) return T.shape(name, state.count, seed);
      const all = clips[CLIPS[name]]; // "Other points": others of them, where not all are shown
      return Array.from({ length: Math.min(state.count, all.length) }, (_, i) => all[(i + state.count * Math.max(0, state.seed - 1)) % all.length]);
    };
    function tell() {
      const wanted = state.a in CLIPS || state.b in CLIPS;
      ref.seen.hidden = !wanted;
      if (wanted) ref.seen.textContent = `${clips.real.length} real and as many generated clips, as the critic of a recorded training sees them: along two of its `
        + `${clips.distances.length} learned slices, those on which they differ most. One is at 0°, the other at 90°; all directions between are the critic’s too.`;
    }

    // ---- slice by slice -----------------------------------------------------------------------------------------------
    function settle(ink) {
      const n = state.slices, { means } = T.average(flowed, second, T.angles(n, state.seed + 101, state.orthogonal));
      D.settle(ref.settle, ink, means, whole);
      ref.meanTitle.textContent = n ? `mean of ${n} slice${n > 1 ? "s" : ""}` : "mean of no slice";
      ref.mean.textContent = n ? figure(means[n - 1]) : "–";
    }

    // ---- the exact distance: the server's, latest wins ----------------------------------------------------------------
    const exact = pvs.latest(async ({ a, b, key }) => {
      try {
        const { distance } = await pvs.json("api/learn/exact", { a, b });
        if (key === exact.key) [view.exact, ref.exact.textContent] = [distance, figure(distance)];
      } catch (error) {
        fail(error);
      }
    });
    function askExact() {
      view.exact = null;
      exact.key = {}; // what is on its way is of other clouds
      const many = Math.max(flowed.length, second.length) > MOST_EXACT;
      ref.exact.textContent = many ? `for at most ${MOST_EXACT} points` : flowed.length ? "…" : "–";
      if (!many && !playing && flowed.length) exact({ a: flowed, b: second, key: exact.key });
    }

    // ---- the flow ---------------------------------------------------------------------------------------------------------
    const key = () => JSON.stringify([...CLOUDS.map((name) => state[name]), state.each]);
    let flowKey = "";
    // The points after state.steps steps: on from where they are, or again from the start.
    function follow() {
      if (flowKey !== key() || path.length - 1 > state.steps) {
        whole = T.everywhere(first, second);
        [flowKey, flowed, path] = [key(), first, [whole.mean]];
      }
      for (let step = path.length; step <= state.steps; step++) {
        flowed = T.step(flowed, second, T.angles(state.each, state.seed + 7919 * step, true));
        whole = T.everywhere(flowed, second);
        path.push(whole.mean);
      }
    }

    function fall(ink) {
      const steps = path.length - 1;
      D.fall(ref.fall, ink, path);
      ref.flowText.textContent = `After ${steps} step${steps === 1 ? "" : "s"} the mean of all directions is ${figure(path[steps])} `
        + `(at the start ${figure(path[0])}).`;
    }

    function play(go) {
      playing = go && on;
      ref.flow.textContent = playing ? "Pause" : "Flow";
      if (playing) requestAnimationFrame(frame);
      else askExact();
    }
    const frame = attempt(async () => {
      if (!playing) return;
      view.frames++;
      if (state.steps >= MOST_STEPS || path[path.length - 1] < 0.004) return play(false);
      change({ steps: state.steps + 1 });
      requestAnimationFrame(frame);
    });

    // ---- drawing all of it ------------------------------------------------------------------------------------------------
    function draw(changed) {
      const has = (...names) => names.some((name) => changed.has(name));
      if (!clips && (state.a in CLIPS || state.b in CLIPS)) return loadClips();
      if (has(...CLOUDS)) {
        first = state.drawn ?? cloud(state.a, state.seed);
        second = cloud(state.b, state.seed + 5000);
        tell();
        Object.assign(ref.a, { value: state.drawn ? "" : state.a });
        Object.assign(ref.b, { value: state.b });
        ref.count.value = state.count;
      }
      const clouds = has(...CLOUDS, "steps", "each");
      if (clouds) {
        follow();
        ref.all.textContent = figure(whole.mean);
        ref.max.textContent = `${figure(whole.worst.distance)} at ${((whole.worst.angle * 180) / Math.PI).toFixed(1)}°`;
        ref.orthogonalBest.textContent = figure(whole.best.distance);
        askExact();
      }
      ref.angle.value = state.angle;
      ref.angleText.textContent = `${state.angle.toFixed(1)}°`;
      ref.plane.setAttribute("aria-valuenow", state.angle);
      ref.orthogonal.checked = state.orthogonal;
      ref.each.value = state.each;
      const ink = pvs.sketch.ink(element), angle = radians(state.angle), slice = T.slice(flowed, second, angle);
      ref.distance.textContent = figure(slice.distance);
      D.plane(ref.plane, ink, flowed, second, angle);
      D.shadow(ref.line, ink, T.project(flowed, angle), T.project(second, angle), slice.pairs);
      if (clouds || has("slices", "orthogonal")) settle(ink);
      if (clouds) fall(ink);
    }

    // ---- the hand -----------------------------------------------------------------------------------------------------
    const at = (event) => D.at(ref.plane, event);
    const turn = ([x, y]) => {
      const degrees = ((Math.atan2(y, x) * 180) / Math.PI + 360) % 180;
      change({ angle: Math.round(degrees * 2) / 2 });
    };
    let pressed = false;
    ref.plane.addEventListener("pointerdown", (event) => {
      pressed = true;
      ref.plane.setPointerCapture(event.pointerId);
      if (drawing()) stroke(event);
      else turn(at(event));
    });
    ref.plane.addEventListener("pointermove", (event) => {
      if (!pressed) return;
      if (drawing()) stroke(event);
      else turn(at(event));
    });
    for (const name of ["pointerup", "pointercancel"]) ref.plane.addEventListener(name, () => (pressed = false));
    function stroke(event) {
      const point = at(event), drawn = state.drawn ?? [];
      if (drawn.length >= FIELDS.drawn.points || point.some((x) => Math.abs(x) > 1)) return;
      change({ drawn: [...drawn, point], steps: 0 });
    }
    ref.plane.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      change({ angle: (state.angle + by * (event.shiftKey ? 10 : 1) + 180) % 180 });
    });

    const start = () => play(false);
    const clouds = (changes) => {
      start();
      change({ steps: 0, ...changes });
    };
    ref.angle.addEventListener("input", () => change({ angle: ref.angle.valueAsNumber }));
    ref.worst.addEventListener("click", () => change({ angle: (whole.worst.angle * 180) / Math.PI }));
    ref.pair.addEventListener("click", () => change({ angle: (whole.best.angle * 180) / Math.PI }));
    ref.a.addEventListener("change", () => clouds({ a: ref.a.value, drawn: null }));
    ref.b.addEventListener("change", () => clouds({ b: ref.b.value }));
    ref.count.addEventListener("change", () => clouds({ count: Number(ref.count.value) }));
    ref.again.addEventListener("click", () => clouds({ seed: (state.seed + 1) % (FIELDS.seed.max + 1) }));
    ref.drawing.addEventListener("change", () => {
      ref.plane.dataset.drawing = String(drawing());
      if (drawing()) clouds({ drawn: [] });
      else if (!state.drawn?.length) clouds({ drawn: null });
    });
    for (const [name, more] of [["add1", 1], ["add10", 10], ["add100", 100]])
      ref[name].addEventListener("click", () => change({ slices: Math.min(MOST_SLICES, state.slices + more) }));
    ref.none.addEventListener("click", () => change({ slices: 0 }));
    ref.orthogonal.addEventListener("change", () => change({ orthogonal: ref.orthogonal.checked }));
    ref.flow.addEventListener("click", () => play(!playing));
    ref.step.addEventListener("click", () => {
      start();
      change({ steps: Math.min(MOST_STEPS, state.steps + 1) });
    });
    ref.back.addEventListener("click", () => clouds({}));
    ref.each.addEventListener("change", () => clouds({ each: Number(ref.each.value) }));
    new ResizeObserver(() => whole && on && draw(new Set(Object.keys(FIELDS)))).observe(ref.plane);

    return { draw, shown(now) {
      on = now;
      if (!now) play(false);
    } };
  });
})();
