// What the lessons' pictures are drawn with: colours as the page has them now, and a canvas as sharp as the screen.
//
//   pvs.sketch.ink(element)                         {a, b, text, dim, line, back}: colours of the page, light or dark
//   pvs.sketch.context(canvas)                      a cleared context, c.wide by c.high pixels of CSS
//   pvs.sketch.dot(c, x, y, size), .line(c, points, colour, width)
(() => {
  "use strict";
  const pvs = window.pvs;
  if (pvs.sketch) return;
  const S = (pvs.sketch = {});

  S.ink = (element) => {
    const style = getComputedStyle(element), of = (name) => style.getPropertyValue(name).trim();
    return { a: of("--pvs-accent"), b: of("--pvs-accent-2"), text: of("--pvs-text"), dim: of("--pvs-dim"), line: of("--pvs-line"), back: of("--pvs-bg") };
  };

  // A cleared 2-D context with as many pixels as the screen has; drawing is in those of CSS: c.wide by c.high.
  S.context = (canvas) => {
    const wide = canvas.clientWidth || 1, high = canvas.clientHeight || 1, scale = Math.min(2, devicePixelRatio);
    const width = Math.round(wide * scale), height = Math.round(high * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const c = canvas.getContext("2d");
    c.setTransform(width / wide, 0, 0, height / high, 0, 0);
    c.clearRect(0, 0, wide, high);
    return Object.assign(c, { wide, high, font: "12px system-ui, sans-serif", lineWidth: 1, globalAlpha: 1 });
  };

  S.dot = (c, x, y, size) => {
    c.beginPath();
    c.arc(x, y, size, 0, 7);
    c.fill();
  };

  S.line = (c, points, colour, width = 1) => {
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    for (const [x, y] of points) c.lineTo(x, y);
    c.stroke();
  };
})();
