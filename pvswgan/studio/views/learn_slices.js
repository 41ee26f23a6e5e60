// Lesson: the slice theatre. Two clouds, a direction under the hand, the two sorted shadows, and what comes of many of them.
// The mathematics is in learn_transport.js, all of it in the browser; only the exact distance is the server's (POT).
//
// window.pvs.learnSlices lets a test look in: .clouds() (as drawn: the first one where it has flowed to), .exact, .frames.
(() => {
  "use strict";
  const pvs = window.pvs;
  const T = pvs.transport;
  const MOST_EXACT = 200, MOST_SLICES = 3000, MOST_STEPS = 200;

  const FIELDS = {
    a: { value: "ring", of: T.SHAPES },
    b: { value: "two blobs", of: T.SHAPES },
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
    for (const name of ["a", "b"]) ref[name].replaceChildren(...T.SHAPES.map((shape) => pvs.option(shape, shape)));

    // ---- colours and scales -----------------------------------------------------------------------------------------
    function colours() {
      const style = getComputedStyle(element), of = (name) => style.getPropertyValue(name).trim();
      return { a: of("--pvs-accent"), b: of("--pvs-accent-2"), text: of("--pvs-text"), dim: of("--pvs-dim"), line: of("--pvs-line"), back: of("--pvs-bg") };
    }

    // As many pixels as the screen has; drawing is in those of CSS.
    function context(canvas) {
      const wide = canvas.clientWidth || 1, high = canvas.clientHeight || 1, scale = Math.min(2, devicePixelRatio);
      const width = Math.round(wide * scale), height = Math.round(high * scale);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const c = canvas.getContext("2d");
      c.setTransform(width / wide, 0, 0, height / high, 0, 0);
      c.clearRect(0, 0, wide, high);
      return Object.assign(c, { wide, high, font: "12px system-ui, sans-serif", lineWidth: 1, globalAlpha: 1 });
    }

    // ---- the plane and its shadow -----------------------------------------------------------------------------------
    function plane(ink) {
      const c = context(ref.plane), half = c.wide / 2, to = ([x, y]) => [half + 0.92 * half * x, half - 0.92 * half * y];
      const angle = radians(state.angle), x = Math.cos(angle), y = Math.sin(angle);
      c.fillStyle = ink.back;
      c.fillRect(0, 0, c.wide, c.high);
      c.strokeStyle = ink.dim;
      c.lineWidth = 2;
      c.beginPath();
      c.moveTo(...to([-x, -y]));
      c.lineTo(...to([x, y]));
      c.stroke();
      const [tx, ty] = to([x, y]);
      c.fillStyle = ink.text;
      c.beginPath(); // the arrow's head, to be taken hold of
      c.arc(tx, ty, 9, 0, 7);
      c.fill();
      for (const [points, colour, sign] of [[flowed, ink.a, 1], [second, ink.b, -1]]) {
        c.strokeStyle = c.fillStyle = colour;
        c.lineWidth = 1;
        c.globalAlpha = 0.5; // its shadow: a tick across the line, each cloud on a side of its own
        c.beginPath();
        for (const [px, py] of points) {
          const along = px * x + py * y, [fx, fy] = to([along * x, along * y]);
          c.moveTo(fx, fy);
          c.lineTo(fx + sign * 8 * -y, fy - sign * 8 * x);
        }
        c.stroke();
        c.globalAlpha = points.length > 200 ? 0.6 : 0.85;
        for (const point of points) {
          const [px, py] = to(point);
          c.beginPath();
          c.arc(px, py, points.length > 200 ? 2.6 : 4, 0, 7);
          c.fill();
        }
      }
    }

    function shadow(ink, { pairs }) {
      const c = context(ref.line), angle = radians(state.angle), a = T.project(flowed, angle), b = T.project(second, angle);
      const to = (value) => c.wide / 2 + (value / 1.45) * (c.wide / 2 - 8), top = 26, bottom = c.high - 26;
      c.strokeStyle = ink.dim;
      c.globalAlpha = Math.max(0.18, Math.min(0.8, 30 / pairs.length));
      c.beginPath();
      for (const [i, j] of pairs) {
        c.moveTo(to(a[i]), top);
        c.lineTo(to(b[j]), bottom);
      }
      c.stroke();
      c.globalAlpha = 0.85;
      for (const [values, colour, y] of [[a, ink.a, top], [b, ink.b, bottom]]) {
        c.fillStyle = colour;
        for (const value of values) {
          c.beginPath();
          c.arc(to(value), y, 3.5, 0, 7);
          c.fill();
        }
      }
    }

    // ---- slice by slice -----------------------------------------------------------------------------------------------
    function settle(ink) {
      const c = context(ref.settle), n = state.slices, left = 44, right = c.wide - 10, top = 12, bottom = c.high - 26;
      const { means } = T.average(flowed, second, T.angles(n, state.seed + 101, state.orthogonal));
      const most = Math.max(100, n), reach = Math.max(2 * whole.deviation, ...Array.from(means, (x) => Math.abs(x - whole.mean)), 1e-3);
      const x = (k) => left + (Math.log(k) / Math.log(most)) * (right - left);
      const y = (value) => (top + bottom) / 2 - ((value - whole.mean) / reach) * ((bottom - top) / 2);
      c.fillStyle = ink.line; // the band of 1/sqrt(n)
      c.beginPath();
      for (let i = 0; i <= 60; i++) c.lineTo(x(most ** (i / 60)), y(whole.mean + whole.deviation / Math.sqrt(most ** (i / 60))));
      for (let i = 60; i >= 0; i--) c.lineTo(x(most ** (i / 60)), y(whole.mean - whole.deviation / Math.sqrt(most ** (i / 60))));
      c.fill();
      c.strokeStyle = ink.dim;
      c.beginPath();
      c.moveTo(left, y(whole.mean));
      c.lineTo(right, y(whole.mean));
      c.stroke();
      c.fillStyle = ink.dim;
      c.textAlign = "right";
      for (const value of [whole.mean - reach / 2, whole.mean, whole.mean + reach / 2]) c.fillText(value.toFixed(2), left - 6, y(value) + 4);
      c.textAlign = "center";
      for (let k = 1; k <= most; k *= 10) c.fillText(k, x(k), c.high - 8);
      c.textAlign = "right";
      c.fillText("slices (logarithmic) →", right, top);
      c.strokeStyle = c.fillStyle = ink.a;
      c.lineWidth = 2;
      c.beginPath();
      for (let k = 0; k < n; k++) c.lineTo(x(k + 1), y(means[k]));
      c.stroke();
      if (n) {
        c.beginPath();
        c.arc(x(n), y(means[n - 1]), 4, 0, 7);
        c.fill();
      }
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
      const c = context(ref.fall), left = 44, right = c.wide - 10, top = 10, bottom = c.high - 22, most = Math.max(30, path.length - 1), high = path[0] * 1.1 || 1;
      const x = (step) => left + (step / most) * (right - left), y = (value) => bottom - (value / high) * (bottom - top);
      c.strokeStyle = ink.line;
      c.strokeRect(left, top, right - left, bottom - top);
      c.fillStyle = ink.dim;
      c.textAlign = "right";
      c.fillText(figure(path[0]), left - 4, y(path[0]) + 4);
      c.fillText("0", left - 4, bottom + 4);
      c.textAlign = "center";
      c.fillText(`step ${most}`, right - 24, c.high - 6);
      c.strokeStyle = c.fillStyle = ink.a;
      c.lineWidth = 2;
      c.beginPath();
      path.forEach((value, step) => c.lineTo(x(step), y(value)));
      c.stroke();
      c.beginPath();
      c.arc(x(path.length - 1), y(path[path.length - 1]), 4, 0, 7);
      c.fill();
      ref.flowText.textContent = `After ${path.length - 1} steps the mean of all directions is ${figure(path[path.length - 1])} (at the start ${figure(path[0])}).`;
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
      if (has(...CLOUDS)) {
        first = state.drawn ?? T.shape(state.a, state.count, state.seed);
        second = T.shape(state.b, state.count, state.seed + 5000);
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
      const ink = colours(), slice = T.slice(flowed, second, radians(state.angle));
      ref.distance.textContent = figure(slice.distance);
      plane(ink);
      shadow(ink, slice);
      if (clouds || has("slices", "orthogonal")) settle(ink);
      if (clouds) fall(ink);
    }

    // ---- the hand -----------------------------------------------------------------------------------------------------
    const at = (event) => {
      const box = ref.plane.getBoundingClientRect(), to = (share) => (2 * share - 1) / 0.92;
      return [to((event.clientX - box.left) / box.width), -to((event.clientY - box.top) / box.height)];
    };
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
