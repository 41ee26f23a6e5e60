// Clouds of points in the plane, their slices, and the flow from one to the other. Everything is a pure function of its
// arguments: chance comes from a seed. Points are [x, y] in [-1, 1].
//
//   T.shape(name, count, seed)        points of a toy shape
//   T.project(points, angle)          Float64Array of <x, direction>, angle in radians
//   T.slice(a, b, angle)              {distance, pairs: [[place in a, place in b, mass] ...]}: the one-dimensional
//                                     optimal plan, whose mean length is the slice's distance W1
//   T.distance(a, b, angle)           that distance alone
//   T.angles(count, seed, pairs)      directions drawn at random; pairs: every second one at right angles to the one before
//   T.average(a, b, angles)           {means: Float64Array of running means, deviation: of single slices}
//   T.everywhere(a, b)                {mean, deviation, worst: {angle, distance}, best: the orthogonal pair with the greatest sum}
//   T.flow(a, b, steps, slices, seed) points after so many steps down the gradient of the sliced distance (W2, squared)
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.transport) return;
  const T = (pvs.transport = {});
  const ALL = 90; // angles in half a turn that stand for all of them: quick enough for every step of the flow

  const normal = (next) => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const SHAPES = {
    ring: (next) => {
      const turn = 2 * Math.PI * next(), far = 0.62 + 0.05 * normal(next);
      return [far * Math.cos(turn), far * Math.sin(turn)];
    },
    blob: (next) => [0.2 * normal(next), 0.2 * normal(next)],
    "two blobs": (next) => {
      const side = next() < 0.5 ? -1 : 1;
      return [0.5 * side + 0.11 * normal(next), 0.35 * side + 0.11 * normal(next)];
    },
    moons: (next) => {
      const turn = Math.PI * next(), upper = next() < 0.5;
      const [x, y] = upper ? [Math.cos(turn), Math.sin(turn) - 0.35] : [1 - Math.cos(turn), 0.35 - Math.sin(turn)];
      return [0.5 * (x - 0.5) + 0.03 * normal(next), 0.7 * y + 0.03 * normal(next)];
    },
    square: (next) => [1.2 * next() - 0.6, 1.2 * next() - 0.6],
    spiral: (next) => {
      const along = Math.sqrt(next()), turn = 3.2 * Math.PI * along, far = 0.72 * along;
      return [far * Math.cos(turn) + 0.025 * normal(next), far * Math.sin(turn) + 0.025 * normal(next)];
    },
    line: (next) => {
      const along = 1.4 * next() - 0.7;
      return [along + 0.02 * normal(next), 0.5 * along + 0.02 * normal(next)];
    },
  };
  T.SHAPES = Object.keys(SHAPES);
  const within = (value) => Math.max(-1, Math.min(1, value));
  T.shape = (name, count, seed) => {
    const next = pvs.random(seed);
    return Array.from({ length: count }, () => SHAPES[name](next).map(within));
  };

  // ---- slices ---------------------------------------------------------------------------------------------------
  T.project = (points, angle) => {
    const x = Math.cos(angle), y = Math.sin(angle), found = new Float64Array(points.length);
    for (let i = 0; i < found.length; i++) found[i] = points[i][0] * x + points[i][1] * y;
    return found;
  };

  // Places in the order of their values.
  const order = (values) => Array.from(values.keys()).sort((i, j) => values[i] - values[j]);

  T.slice = (a, b, angle) => {
    const left = T.project(a, angle), right = T.project(b, angle), p = order(left), q = order(right), pairs = [];
    let distance = 0;
    // Each cloud has mass 1: where one has more points, a point's mass is shared.
    for (let i = 0, j = 0, moved = 0; i < p.length && j < q.length; ) {
      const until = Math.min((i + 1) / p.length, (j + 1) / q.length), mass = until - moved;
      if (mass > 1e-12) {
        distance += mass * Math.abs(left[p[i]] - right[q[j]]);
        pairs.push([p[i], q[j], mass]);
      }
      moved = until;
      const last = until + 1e-12;
      if ((i + 1) / p.length <= last) i++;
      if ((j + 1) / q.length <= last) j++;
    }
    return { distance, pairs };
  };

  T.distance = (a, b, angle) => {
    if (a.length !== b.length) return T.slice(a, b, angle).distance;
    return meanGap(T.project(a, angle).sort(), T.project(b, angle).sort());
  };

  function meanGap(left, right) {
    let sum = 0;
    for (let i = 0; i < left.length; i++) sum += Math.abs(left[i] - right[i]);
    return sum / left.length;
  }

  // A cloud that stays, seen from every angle: while the other one flows it is asked for at each step.
  const seen = new WeakMap();
  function fromEverywhere(points, step) {
    if (!seen.has(points)) seen.set(points, Array.from({ length: ALL }, (_, i) => T.project(points, i * step).sort()));
    return seen.get(points);
  }

  T.angles = (count, seed, pairs = false) => {
    const next = pvs.random(seed), found = [];
    while (found.length < count) {
      const angle = Math.PI * next();
      found.push(angle);
      if (pairs && found.length < count) found.push((angle + Math.PI / 2) % Math.PI);
    }
    return found;
  };

  T.average = (a, b, angles) => {
    const means = new Float64Array(angles.length);
    let sum = 0, squares = 0;
    for (const [i, angle] of angles.entries()) {
      const distance = T.distance(a, b, angle);
      sum += distance;
      squares += distance * distance;
      means[i] = sum / (i + 1);
    }
    const mean = sum / angles.length;
    return { means, deviation: Math.sqrt(Math.max(0, squares / angles.length - mean * mean)) };
  };

  T.everywhere = (a, b) => {
    const step = Math.PI / ALL, still = a.length === b.length ? fromEverywhere(b, step) : null;
    const found = Float64Array.from({ length: ALL }, (_, i) =>
      still ? meanGap(T.project(a, i * step).sort(), still[i]) : T.distance(a, b, i * step));
    const mean = found.reduce((sum, x) => sum + x, 0) / ALL;
    const deviation = Math.sqrt(found.reduce((sum, x) => sum + (x - mean) ** 2, 0) / ALL);
    const worst = { angle: found.indexOf(Math.max(...found)) * step, distance: Math.max(...found) };
    for (let fine = step / 2; fine > 1e-3; fine /= 2) { // between the angles: the greatest nearby
      for (const angle of [worst.angle - fine, worst.angle + fine]) {
        const distance = T.distance(a, b, angle);
        if (distance > worst.distance) Object.assign(worst, { angle: (angle + Math.PI) % Math.PI, distance });
      }
    }
    let best = 0;
    const both = (i) => (found[i] + found[(i + ALL / 2) % ALL]) / 2;
    for (let i = 1; i < ALL / 2; i++) if (both(i) > both(best)) best = i;
    return { mean, deviation, worst, best: { angle: best * step, distance: both(best) } };
  };

  // ---- the flow ---------------------------------------------------------------------------------------------------
  // One step: each slice pulls every point of a along its direction toward its partner; twice their mean (the plane has two
  // dimensions) would be Newton's step for clouds that differ by a shift; RATE of it is taken.
  const RATE = 0.35;
  T.step = (a, b, angles) => {
    const pulled = a.map(() => [0, 0]);
    for (const angle of angles) {
      const x = Math.cos(angle), y = Math.sin(angle), left = T.project(a, angle), right = T.project(b, angle);
      for (const [i, j, mass] of T.slice(a, b, angle).pairs) {
        const pull = mass * a.length * (right[j] - left[i]);
        pulled[i][0] += pull * x;
        pulled[i][1] += pull * y;
      }
    }
    const rate = (2 * RATE) / angles.length;
    return a.map((point, i) => [point[0] + rate * pulled[i][0], point[1] + rate * pulled[i][1]]);
  };

  T.flow = (a, b, steps, slices, seed) => {
    let points = a;
    for (let step = 0; step < steps; step++) points = T.step(points, b, T.angles(slices, seed + 7919 * (step + 1), true));
    return points;
  };
})();
