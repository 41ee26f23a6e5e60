// A critic of points in the plane, and the exact gradients of its four losses, second derivatives with them: no library.
//
//   pvs.critic.start(leash, seed)                 a net: two hidden layers, LeakyReLU, and a head
//   pvs.critic.score(net, points)                 {values, slopes}: D at each point [x, y] and its gradient there. High: looks
//                                                 real (SWGAN's own score says fake where it is high: turned round here)
//   pvs.critic.loss(net, leash, strength, real, fake, mix)
//                                                 {loss, distance, gradients}; mix: e of the points, e2 of the features
//   pvs.critic.train(net, leash, strength, real, fake, mix)   one step of Adam, and what the leash does after it
//
// leash: "none" | "clip" | "gp" | "swgan". strength: times the usual penalty (gp: 10; swgan: 50 and 10), or clip: the bound
// is CLIP divided by it. Losses as in pvswgan/losses.py, without what a leash is not about: the drift term and equalised weights.
(() => {
  "use strict";
  const pvs = window.pvs;
  if (pvs.critic) return;
  const C = (pvs.critic = {});
  const WIDTH = 32, LEAK = 0.2, RATE = 0.002, BETA2 = 0.99, EPS = 1e-8;
  C.CLIP = 0.1;
  const USUAL = { gp: 10, sliced: 50, slope: 10, k: 1 }; // losses.WGANGP and losses.SWGAN

  // ---- linear algebra on rows: X (n x from), W (to x from), both flat -------------------------------------------------
  function times(X, W, from, to, b = null) { // X Wᵀ + b, (n x to)
    const n = X.length / from, Y = new Float64Array(n * to);
    for (let r = 0; r < n; r++)
      for (let j = 0; j < to; j++) {
        let sum = b ? b[j] : 0;
        for (let i = 0, x = r * from, w = j * from; i < from; i++) sum += X[x + i] * W[w + i];
        Y[r * to + j] = sum;
      }
    return Y;
  }
  function back(V, W, from, to) { // V W, (n x from)
    const n = V.length / to, Y = new Float64Array(n * from);
    for (let r = 0; r < n; r++)
      for (let j = 0; j < to; j++) {
        const v = V[r * to + j];
        if (v) for (let i = 0, y = r * from, w = j * from; i < from; i++) Y[y + i] += v * W[w + i];
      }
    return Y;
  }
  function outer(G, V, X, from, to) { // G += Vᵀ X
    const n = V.length / to;
    for (let r = 0; r < n; r++)
      for (let j = 0; j < to; j++) {
        const v = V[r * to + j];
        if (v) for (let i = 0, x = r * from, g = j * from; i < from; i++) G[g + i] += v * X[x + i];
      }
  }
  const columns = (G, V, to) => V.forEach((v, i) => (G[i % to] += v));
  const product = (V, M) => V.map((v, i) => v * M[i]);

  // ---- the net ------------------------------------------------------------------------------------------------------------
  C.start = (leash, seed) => {
    const next = pvs.random(seed);
    const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const draw = (to, from) => Float64Array.from({ length: to * from }, () => normal() * Math.sqrt(2 / from));
    const parts = { w1: draw(WIDTH, 2), b1: new Float64Array(WIDTH).map(normal).map((x) => 0.3 * x), w2: draw(WIDTH, WIDTH), b2: new Float64Array(WIDTH) };
    if (leash === "swgan") {
      parts.slices = orthogonal(draw(WIDTH, WIDTH)); // row by row: slices[i * WIDTH + j], column j a slice
      parts.scale = new Float64Array(WIDTH).fill(1);
      parts.offset = new Float64Array(WIDTH);
    } else parts.w3 = draw(1, WIDTH);
    const second = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, new Float64Array(part.length)]));
    const net = { leash, parts, second, steps: 0 };
    if (leash === "clip") bound(net, C.CLIP);
    return net;
  };

  // Columns made orthonormal, the first kept, each with the sign it had: Q of a QR decomposition whose R has a positive diagonal.
  function orthogonal(M) {
    const Q = M.slice(), n = WIDTH;
    for (let j = 0; j < n; j++) {
      for (let pass = 0; pass < 2; pass++) // twice: rounding
        for (let k = 0; k < j; k++) {
          let dot = 0;
          for (let i = 0; i < n; i++) dot += Q[i * n + j] * Q[i * n + k];
          for (let i = 0; i < n; i++) Q[i * n + j] -= dot * Q[i * n + k];
        }
      let norm = 0;
      for (let i = 0; i < n; i++) norm += Q[i * n + j] ** 2;
      norm = Math.sqrt(norm);
      for (let i = 0; i < n; i++) Q[i * n + j] /= norm;
    }
    return Q;
  }

  // Layers {w, b, from, to}, each followed by LeakyReLU, and `end`: D is the sum of the last activations, weighed by it.
  function layers({ parts, leash }) {
    const found = [{ w: parts.w1, b: parts.b1, from: 2, to: WIDTH }, { w: parts.w2, b: parts.b2, from: WIDTH, to: WIDTH }];
    if (leash !== "swgan") return { layers: found, end: parts.w3 };
    const w = new Float64Array(WIDTH * WIDTH); // the j-th row: scale_j times the j-th slice
    for (let j = 0; j < WIDTH; j++) for (let i = 0; i < WIDTH; i++) w[j * WIDTH + i] = parts.scale[j] * parts.slices[i * WIDTH + j];
    return { layers: [...found, { w, b: parts.offset, from: WIDTH, to: WIDTH }], end: new Float64Array(WIDTH).fill(1 / WIDTH) };
  }

  // Activations (h[0] the points), the slopes of LeakyReLU, and D.
  function forward(stack, X) {
    const h = [X], m = [];
    for (const { w, b, from, to } of stack.layers) {
      const a = times(h[h.length - 1], w, from, to, b);
      m.push(a.map((x) => (x > 0 ? 1 : LEAK)));
      h.push(product(a, m[m.length - 1]));
    }
    return { h, m, values: times(h[h.length - 1], stack.end, WIDTH, 1) };
  }

  // dD/dx of each point, and on the way v: dD/d(before LeakyReLU) of each layer.
  function slope(stack, { m }) {
    const v = [];
    let down = null;
    for (let l = stack.layers.length - 1; l >= 0; l--) {
      v[l] = down ? product(down, m[l]) : m[l].map((x, i) => x * stack.end[i % WIDTH]);
      down = back(v[l], stack.layers[l].w, stack.layers[l].from, stack.layers[l].to);
    }
    return { v, slopes: down };
  }

  const empty = (stack) => ({ w: stack.layers.map(({ w }) => new Float64Array(w.length)), b: stack.layers.map(({ b }) => new Float64Array(b.length)),
    end: new Float64Array(stack.end.length) });

  // Adds to G the gradient of a sum of D, each point's weighed by `of`.
  function firstOrder(G, stack, { h, m }, of) {
    const last = stack.layers.length;
    outer(G.end, of, h[last], WIDTH, 1);
    let down = times(of, stack.end, 1, WIDTH);
    for (let l = last - 1; l >= 0; l--) {
      const { w, from, to } = stack.layers[l], v = product(down, m[l]);
      outer(G.w[l], v, h[l], from, to);
      columns(G.b[l], v, to);
      if (l) down = back(v, w, from, to);
    }
  }

  // Adds to G the gradient of a function of the slopes dD/dx, whose derivative after each slope is p (n x 2). LeakyReLU is
  // linear around almost every point, so that only the weights on the way matter.
  function secondOrder(G, stack, { m }, { v }, p) {
    let q = p;
    stack.layers.forEach(({ w, from, to }, l) => {
      outer(G.w[l], v[l], q, from, to);
      q = product(times(q, w, from, to), m[l]);
    });
    columns(G.end, q, WIDTH);
  }

  C.score = (net, points) => {
    const stack = layers(net), sign = net.leash === "swgan" ? -1 : 1, pass = forward(stack, Float64Array.from(points.flat()));
    const { slopes } = slope(stack, pass);
    return { values: pass.values.map((x) => sign * x), slopes: slopes.map((x) => sign * x) };
  };

  // ---- the losses -----------------------------------------------------------------------------------------------------------
  C.loss = (net, leash, strength, real, fake, mix) => {
    const n = real.length, stack = layers(net), G = empty(stack), sign = leash === "swgan" ? 1 : -1; // SWGAN: real low
    const both = forward(stack, Float64Array.from([...real, ...fake].flat()));
    firstOrder(G, stack, both, Float64Array.from({ length: 2 * n }, (_, i) => (i < n ? sign : -sign) / n));
    const mean = (from) => both.values.slice(from, from + n).reduce((a, b) => a + b) / n;
    const distance = -sign * (mean(0) - mean(n));
    let penalty = 0, bend = null;

    if (leash === "gp" || leash === "swgan") {
      const between = forward(stack, Float64Array.from(real.flatMap(([x, y], i) => [x + mix.e[i] * (fake[i][0] - x), y + mix.e[i] * (fake[i][1] - y)])));
      const found = slope(stack, between), p = new Float64Array(2 * n);
      for (let i = 0; i < n; i++) {
        const x = found.slopes[2 * i], y = found.slopes[2 * i + 1], square = x * x + y * y;
        const norm = Math.sqrt(square + 1e-12), e = 1 - mix.e[i];
        const [value, by] = leash === "gp" ? [USUAL.gp * (norm - 1) ** 2, (2 * USUAL.gp * (norm - 1)) / norm]
          : [USUAL.sliced * e * e * square, 2 * USUAL.sliced * e * e];
        penalty += (strength * value) / n;
        [p[2 * i], p[2 * i + 1]] = [(strength * by * x) / n, (strength * by * y) / n];
      }
      secondOrder(G, stack, between, found, p);
    }
    if (leash === "swgan") {
      bend = slopePenalty(net, stack, both.h[2], mix.e2, n, strength);
      penalty += bend.value;
    }
    return { loss: penalty - distance, distance, gradients: gathered(net, G, bend) };
  };

  // strength * 10 * mean_j (phi'_j - k)^2 at the mixed features; it pulls at the scales alone.
  function slopePenalty({ parts }, { layers: [, , { w, b }] }, f, e2, n, strength) {
    const size = n * WIDTH, mixed = Float64Array.from({ length: size }, (_, i) => f[i] + e2[Math.floor(i / WIDTH)] * (f[size + i] - f[i]));
    const scale = new Float64Array(WIDTH);
    let value = 0;
    times(mixed, w, WIDTH, WIDTH, b).forEach((u, i) => {
      const m = u > 0 ? 1 : LEAK, off = m * parts.scale[i % WIDTH] - USUAL.k;
      value += (strength * USUAL.slope * off * off) / size;
      scale[i % WIDTH] += (2 * strength * USUAL.slope * off * m) / size;
    });
    return { value, scale };
  }

  // By the net's own parts: of SWGAN's third layer, scale and slices.
  function gathered({ parts, leash }, G, bend) {
    const found = { w1: G.w[0], b1: G.b[0], w2: G.w[1], b2: G.b[1] };
    if (leash !== "swgan") return { ...found, w3: G.end };
    const slices = new Float64Array(WIDTH * WIDTH), scale = bend.scale.slice();
    for (let j = 0; j < WIDTH; j++)
      for (let i = 0; i < WIDTH; i++) {
        const g = G.w[2][j * WIDTH + i];
        slices[i * WIDTH + j] = g * parts.scale[j];
        scale[j] += g * parts.slices[i * WIDTH + j];
      }
    return { ...found, slices, scale, offset: G.b[2] };
  }

  // ---- a step ---------------------------------------------------------------------------------------------------------------
  C.train = (net, leash, strength, real, fake, mix) => {
    const found = C.loss(net, leash, strength, real, fake, mix), { parts, second } = net;
    if (leash === "swgan") tangent(parts.slices, found.gradients.slices);
    net.steps++;
    const mend = 1 - BETA2 ** net.steps;
    for (const [name, g] of Object.entries(found.gradients)) {
      const part = parts[name], s = second[name]; // Adam with beta1 = 0, as the paper's
      for (let i = 0; i < g.length; i++) {
        s[i] = BETA2 * s[i] + (1 - BETA2) * g[i] * g[i];
        part[i] -= (RATE * g[i]) / (Math.sqrt(s[i] / mend) + EPS);
      }
    }
    if (leash === "swgan") parts.slices = orthogonal(parts.slices);
    if (leash === "clip") bound(net, C.CLIP / strength);
    return found;
  };

  // G - O sym(OᵀG): what of a gradient keeps an orthogonal matrix orthogonal.
  function tangent(O, G) {
    const n = WIDTH, A = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) for (let k = 0; k < n; k++) A[j * n + k] += O[i * n + j] * G[i * n + k];
    for (let i = 0; i < n; i++)
      for (let k = 0; k < n; k++) {
        let sum = 0;
        for (let j = 0; j < n; j++) sum += (O[i * n + j] * (A[j * n + k] + A[k * n + j])) / 2;
        G[i * n + k] -= sum;
      }
  }

  function bound({ parts }, most) {
    for (const part of Object.values(parts)) for (let i = 0; i < part.length; i++) part[i] = Math.max(-most, Math.min(most, part[i]));
  }
})();
