// The pictures of the critic's lesson: its value as a height map under the two clouds, how steep it is everywhere, and what
// became of both numbers step by step. score: points -> {values, slopes}, as pvs.critic.score.
(() => {
  "use strict";
  const pvs = window.pvs;
  if (pvs.criticMaps) return;
  const D = (pvs.criticMaps = {});
  const { context, dot, line } = pvs.sketch;
  const CELLS = 48, REACH = 0.92; // of the half width, for 1
  const SCALE = 40; // pixels below the map
  const ARROW = 0.22; // the longest arrow
  const STEEP = [219, 39, 119], FLAT = [37, 99, 235], DECADES = 2; // of steepness on either side of 1
  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

  // The middles of the cells, row by row from the top.
  D.grid = () => Array.from({ length: CELLS * CELLS }, (_, i) => [
    ((2 * (i % CELLS) + 1) / CELLS - 1) / REACH, (1 - (2 * Math.floor(i / CELLS) + 1) / CELLS) / REACH]);

  // Cells as a smooth picture: shade(i) -> [colour, opacity].
  function picture(c, high, shade) {
    const small = new OffscreenCanvas(CELLS, CELLS), image = new ImageData(CELLS, CELLS);
    for (let i = 0; i < CELLS * CELLS; i++) {
      const [colour, opacity] = shade(i);
      image.data.set([...colour, Math.round(255 * opacity)], 4 * i);
    }
    small.getContext("2d").putImageData(image, 0, 0);
    c.imageSmoothingQuality = "high";
    c.drawImage(small, 0, 0, c.wide, high);
  }

  const steepness = (slopes, i) => Math.hypot(slopes[2 * i], slopes[2 * i + 1]);

  // What looks real in the colour of the reals, what looks generated in the other one; arrows: uphill, where the generated are to go.
  D.heights = (canvas, ink, cells, real, fake, score) => {
    const c = context(canvas), half = c.wide / 2, to = ([x, y]) => [half + REACH * half * x, half - REACH * half * y];
    const here = score([...real, ...fake]), mean = (from, n) => here.values.slice(from, from + n).reduce((a, b) => a + b, 0) / n;
    const middle = (mean(0, real.length) + mean(real.length, fake.length)) / 2;
    const most = Math.max(1e-9, ...here.values.map((value) => Math.abs(value - middle)));
    const a = rgb(ink.a), b = rgb(ink.b);
    picture(c, c.high, (i) => {
      const value = Math.max(-1, Math.min(1, (cells.values[i] - middle) / most));
      return [value > 0 ? a : b, 0.7 * Math.abs(value)];
    });
    const norms = fake.map((_, i) => steepness(here.slopes, real.length + i)), longest = Math.max(1e-9, ...norms);
    fake.forEach((point, i) => {
      const at = 2 * (real.length + i), by = ARROW / longest, [x, y] = point;
      line(c, [to(point), to([x + by * here.slopes[at], y + by * here.slopes[at + 1]])], ink.text, 1.2);
    });
    for (const [points, colour] of [[real, ink.a], [fake, ink.b]])
      for (const point of points) {
        c.fillStyle = ink.back;
        dot(c, ...to(point), 4.6);
        c.fillStyle = colour;
        dot(c, ...to(point), 3.6);
      }
  };

  // Logarithmic, no colour where the norm is 1; a scale below.
  D.steepness = (canvas, ink, cells) => {
    const c = context(canvas), high = c.high - SCALE, part = (log) => Math.min(1, Math.abs(log) / DECADES);
    picture(c, high, (i) => {
      const log = Math.log10(Math.max(1e-9, steepness(cells.slopes, i)));
      return [log > 0 ? STEEP : FLAT, 0.85 * part(log)];
    });
    c.strokeStyle = ink.line;
    c.strokeRect(0.5, 0.5, c.wide - 1, high - 1);
    const left = 20, right = c.wide - 20, x = (log) => left + ((log + DECADES) / (2 * DECADES)) * (right - left);
    for (let px = left; px < right; px++) {
      const log = (2 * DECADES * (px - left)) / (right - left) - DECADES;
      c.fillStyle = `rgba(${(log > 0 ? STEEP : FLAT).join(",")},${0.85 * part(log)})`;
      c.fillRect(px, high + 8, 1, 10);
    }
    c.strokeRect(left, high + 8, right - left, 10);
    c.fillStyle = ink.dim;
    c.textAlign = "center";
    for (let log = -DECADES; log <= DECADES; log++) c.fillText(10 ** log, x(log), high + 33);
  };

  // path: {distance, slope} of each step. Both on one logarithmic axis; what is under its foot lies on it. level: a dashed line.
  D.curves = (canvas, ink, path, level) => {
    const c = context(canvas), left = 44, right = c.wide - 10, top = 10, bottom = c.high - 22, foot = -3;
    const values = path.flatMap(({ distance, slope }) => [distance, slope]).filter((value) => value > 0);
    const peak = Math.max(1, Math.ceil(Math.log10(Math.max(1, ...values)))), most = Math.max(100, path.length);
    const x = (step) => left + (step / most) * (right - left);
    const y = (value) => bottom - ((Math.max(foot, Math.log10(Math.max(1e-9, value))) - foot) / (peak - foot)) * (bottom - top);
    c.strokeStyle = ink.line;
    c.strokeRect(left, top, right - left, bottom - top);
    c.fillStyle = ink.dim;
    c.textAlign = "right";
    for (let log = foot; log <= peak; log += peak > 2 ? 2 : 1) c.fillText(10 ** log, left - 4, y(10 ** log) + 4);
    c.fillText(`step ${most}`, right, c.high - 6);
    if (level) {
      c.setLineDash([5, 4]);
      line(c, [[left, y(level)], [right, y(level)]], ink.dim);
      c.setLineDash([]);
    }
    line(c, path.map(({ slope }, step) => [x(step + 1), y(slope)]), `rgb(${STEEP})`, 2);
    line(c, path.map(({ distance }, step) => [x(step + 1), y(distance)]), ink.text, 2);
  };
})();
