// The pictures of the slice theatre, each drawn whole from what it is given: the two clouds with their direction, their shadows
// joined, the mean that settles, and the distance that falls. ink: of pvs.sketch.
(() => {
  "use strict";
  const pvs = window.pvs;
  if (pvs.theatre) return;
  const D = (pvs.theatre = {});
  const { context, dot, line } = pvs.sketch;
  const REACH = 0.92; // of the half width, for 1
  const LONGEST = 1.45; // a projection: a little over the root of 2

  // Where on the canvas's element an event is, as a point of the plane.
  D.at = (canvas, event) => {
    const box = canvas.getBoundingClientRect(), to = (share) => (2 * share - 1) / REACH;
    return [to((event.clientX - box.left) / box.width), -to((event.clientY - box.top) / box.height)];
  };

  D.plane = (canvas, ink, a, b, angle) => {
    const c = context(canvas), half = c.wide / 2, to = ([x, y]) => [half + REACH * half * x, half - REACH * half * y];
    const x = Math.cos(angle), y = Math.sin(angle);
    c.fillStyle = ink.back;
    c.fillRect(0, 0, c.wide, c.high);
    line(c, [to([-x, -y]), to([x, y])], ink.dim, 2);
    c.fillStyle = ink.text;
    dot(c, ...to([x, y]), 9); // the arrow's head, to be taken hold of
    for (const [points, colour, sign] of [[a, ink.a, 1], [b, ink.b, -1]]) {
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
      for (const point of points) dot(c, ...to(point), points.length > 200 ? 2.6 : 4);
    }
  };

  // a, b: projections; pairs: [place in a, place in b, mass].
  D.shadow = (canvas, ink, a, b, pairs) => {
    const c = context(canvas), to = (value) => c.wide / 2 + (value / LONGEST) * (c.wide / 2 - 8), top = 26, bottom = c.high - 26;
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
      for (const value of values) dot(c, to(value), y, 3.5);
    }
  };

  // means: of the first slices; the band is mean ± deviation / sqrt(n) of all directions.
  D.settle = (canvas, ink, means, { mean, deviation }) => {
    const c = context(canvas), n = means.length, left = 44, right = c.wide - 10, top = 12, bottom = c.high - 26;
    const most = Math.max(100, n), reach = Math.max(2 * deviation, ...Array.from(means, (x) => Math.abs(x - mean)), 1e-3);
    const x = (k) => left + (Math.log(k) / Math.log(most)) * (right - left);
    const y = (value) => (top + bottom) / 2 - ((value - mean) / reach) * ((bottom - top) / 2);
    const edge = Array.from({ length: 61 }, (_, i) => most ** (i / 60));
    c.fillStyle = ink.line;
    c.beginPath();
    for (const k of edge) c.lineTo(x(k), y(mean + deviation / Math.sqrt(k)));
    for (const k of edge.reverse()) c.lineTo(x(k), y(mean - deviation / Math.sqrt(k)));
    c.fill();
    line(c, [[left, y(mean)], [right, y(mean)]], ink.dim);
    c.fillStyle = ink.dim;
    c.textAlign = "right";
    for (const value of [mean - reach / 2, mean, mean + reach / 2]) c.fillText(value.toFixed(2), left - 6, y(value) + 4);
    c.fillText("slices (logarithmic) →", right, top);
    c.textAlign = "center";
    for (let k = 1; k <= most; k *= 10) c.fillText(k, x(k), c.high - 8);
    if (!n) return;
    line(c, Array.from(means, (value, k) => [x(k + 1), y(value)]), ink.a, 2);
    c.fillStyle = ink.a;
    dot(c, x(n), y(means[n - 1]), 4);
  };

  D.fall = (canvas, ink, path) => {
    const c = context(canvas), left = 44, right = c.wide - 10, top = 10, bottom = c.high - 22;
    const last = path.length - 1, most = Math.max(30, last), high = path[0] * 1.1 || 1;
    const x = (step) => left + (step / most) * (right - left), y = (value) => bottom - (value / high) * (bottom - top);
    c.strokeStyle = ink.line;
    c.strokeRect(left, top, right - left, bottom - top);
    c.fillStyle = ink.dim;
    c.textAlign = "right";
    c.fillText(path[0].toFixed(3), left - 4, y(path[0]) + 4);
    c.fillText("0", left - 4, bottom + 4);
    c.textAlign = "center";
    c.fillText(`step ${most}`, right - 24, c.high - 6);
    line(c, path.map((value, step) => [x(step), y(value)]), ink.a, 2);
    c.fillStyle = ink.a;
    dot(c, x(last), y(path[last]), 4);
  };
})();
