// The scatter plot, 2-D or 3-D: colours that colour-blind people can tell apart, selections as rings, the point that
// is looked at as a circle. A zoom stays while colours and selections change.
//
//   const plot = new pvs.latents.Plot(element, {onHover(i), onClick(i), onSelect([i, ...])});
//   plot.show({points: [[8 numbers], ...], generated: n, colour, explained, dims, axes, key});   plot.drag = "pan" | "lasso"
//   plot.mark(i | null);  plot.groups({a: Set, b: Set});  plot.next(i, "x" | "y", +1 | -1)
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};

  // Cividis, PuOr and a ring, short; choices: Okabe & Ito, without black (the page may be dark).
  const SEQUENTIAL = [[0, "#00306f"], [0.25, "#4a5c8c"], [0.5, "#8a8678"], [0.75, "#c3ab5f"], [1, "#ffe945"]];
  const DIVERGING = [[0, "#7f3b08"], [0.25, "#e08214"], [0.5, "#b9b4bd"], [0.75, "#8073ac"], [1, "#43107a"]];
  const DIVERGING_DARK = [[0, "#ff9d3c"], [0.5, "#6b6870"], [1, "#b7a4ff"]];
  const SEQUENTIAL_DARK = [[0, "#3f6fc4"], [0.35, "#7d8aa6"], [0.6, "#aca57f"], [1, "#ffe945"]];
  const CYCLIC = [[0, "#e2d9e2"], [0.25, "#6785be"], [0.5, "#4b2c6b"], [0.75, "#b06a5c"], [1, "#e2d9e2"]];
  const CHOICES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#8c8c8c"];
  const RINGS = { a: "#d55e00", b: "#0072b2" };
  const RINGS_DARK = { a: "#ff9a4d", b: "#6cc4ff" };
  const MANY = 1000; // points from which on WebGL draws them, where there is WebGL


  let webgl = null;
  pvs.latents.webgl = () => {
    webgl = webgl ?? Boolean(document.createElement("canvas").getContext("webgl"));
    return webgl;
  };

  function scaleOf(colour, values) {
    const known = values.filter((value) => value !== null);
    const sorted = [...known].sort((a, b) => a - b);
    const at = (share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
    if (colour.scale === "choices") {
      const count = colour.names.length;
      const steps = colour.names.flatMap((_, i) => [[i / count, CHOICES[i]], [(i + 1) / count, CHOICES[i]]]);
      const ticks = { tickvals: colour.names.map((_, i) => i), ticktext: colour.names.map(pvs.plotText) };
      return { colorscale: steps, cmin: -0.5, cmax: count - 0.5, ticks };
    }
    if (colour.scale === "cyclic") return { colorscale: CYCLIC, cmin: 0, cmax: 1, ticks: {} };
    if (colour.scale === "diverging") {
      const reach = Math.max(-at(0.01), at(0.99), 1e-6);
      return { colorscale: pvs.isDark() ? DIVERGING_DARK : DIVERGING, cmin: -reach, cmax: reach, ticks: {} };
    }
    // A few outliers must not take the colours of all others.
    const [low, high] = [at(0.01), at(0.99)];
    return { colorscale: pvs.isDark() ? SEQUENTIAL_DARK : SEQUENTIAL, cmin: low, cmax: high > low ? high : low + 1, ticks: {} };
  }

  pvs.latents.Plot = class {
    constructor(element, on) {
      Object.assign(this, { element, on, shown: null, marked: null, drag: "pan", selections: 0 });
      this.sets = { a: new Set(), b: new Set() };
      this.held = this.late = this.lasso = false;
      this.ring = Object.assign(document.createElement("i"), { className: "pl-ring", hidden: true });
      element.after(this.ring);
      element.addEventListener("pointerdown", () => {
        this.held = true;
        this.lasso = this.drag === "lasso" && this.shown?.dims === 2;
      });
      // plotly needs a moment from the end of a lasso to tell what is in it.
      const over = () => setTimeout(() => this.#release(), this.lasso ? 400 : 0);
      for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, over, true);
      new ResizeObserver(() => this.shown && element.clientWidth !== this.width && this.draw()).observe(element);
      const dark = new MutationObserver(() => this.shown && this.draw());
      dark.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    }

    show(shown) {
      this.shown = shown;
      return this.draw();
    }

    // In a flat plot the circle is an element of its own: a plot drawn anew for every movement would lag behind the mouse.
    mark(i) {
      this.marked = i;
      if (this.shown?.dims === 3) return this.draw();
      this.#place();
    }

    #place() {
      const { ring, element, marked, shown } = this;
      const { xaxis, yaxis } = element._fullLayout ?? {};
      const flat = shown?.dims === 2 && xaxis && marked !== null && marked < shown.points.length;
      const [x, y] = flat ? [xaxis, yaxis].map((axis, k) => axis.d2p(shown.points[marked][shown.axes[k]])) : [-1, -1];
      ring.hidden = !flat || !(x >= 0 && x <= xaxis._length && y >= 0 && y <= yaxis._length);
      if (ring.hidden) return;
      ring.style.translate = `${element.offsetLeft + xaxis._offset + x}px ${element.offsetTop + yaxis._offset + y}px`;
    }

    groups(sets) {
      this.sets = sets;
      return this.draw();
    }

    // The nearest point further along an axis; at the end, the one at the other end.
    next(from, axis, by) {
      const { points, axes } = this.shown;
      const column = axes[axis === "x" ? 0 : 1];
      const order = points.map((_, i) => i).sort((i, j) => points[i][column] - points[j][column] || i - j);
      if (from === null) return order[Math.floor(order.length / 2)];
      return order[(order.indexOf(from) + by + order.length) % order.length];
    }

    // One drawing at a time; of several wishes meanwhile, the last. Not while the mouse is down: it would end its drag.
    draw() {
      if (this.held) return (this.late = true);
      this.asked = this.asked || pvs.latest(() => this.#draw());
      this.drawn = this.asked(true);
      return this.drawn;
    }

    #release() {
      this.held = false;
      if (this.late) this.draw();
      this.late = false;
    }

    async #draw() {
      const { element } = this;
      if (!this.shown || element.clientWidth < 100) return; // hidden: ResizeObserver calls again
      await pvs.plotly();
      this.width = element.clientWidth;
      await window.Plotly.react(element, this.#traces(), this.#layout(), { displaylogo: false, displayModeBar: false,
        scrollZoom: true, doubleClick: "reset" });
      element.dataset.points = this.shown.points.length;
      this.#place();
      if (!this.listening) this.#listen();
      this.listening = true;
    }

    #listen() {
      const index = (event) => event?.points?.find((point) => typeof point.customdata === "number")?.customdata;
      const tell = (handler) => (event) => index(event) !== undefined && handler(index(event));
      for (const kind of ["plotly_relayout", "plotly_relayouting"]) this.element.on(kind, () => this.#place());
      this.element.on("plotly_hover", tell(this.on.onHover));
      this.element.on("plotly_click", tell(this.on.onClick));
      this.element.on("plotly_selected", (event) => {
        if (!this.lasso || !event?.points) return; // drawing anew tells of selections too
        this.lasso = false;
        this.#release();
        const chosen = event.points.map((point) => point.customdata).filter((i) => typeof i === "number");
        this.selections++;
        this.on.onSelect(chosen);
      });
    }

    #traces() {
      const { points, generated, colour, dims, axes } = this.shown;
      const column = (rows, axis) => rows.map((i) => points[i][axes[axis]]);
      const type = dims === 3 ? "scatter3d" : points.length > MANY && pvs.latents.webgl() ? "scattergl" : "scatter";
      const place = (rows) => ({ type, mode: "markers", x: column(rows, 0), y: column(rows, 1),
        ...(dims === 3 ? { z: column(rows, 2) } : {}) });
      const scale = scaleOf(colour, colour.values);
      const all = points.map((_, i) => i);
      const size = (points.length > 1000 ? 5 : 7) - (dims === 3 ? 2 : 0);
      const traces = [];
      // Real clips have a form of their own, so that no eye depends on the colour alone.
      for (const [name, rows, symbol] of [["generated", all.slice(0, generated), "circle"], ["real", all.slice(generated), "diamond"]]) {
        if (!rows.length) continue;
        const values = rows.map((i) => colour.values[i]);
        const known = values.some((value) => value !== null);
        traces.push({ ...place(rows), name, customdata: rows, text: rows.map((i) => this.on.label(i)),
          hovertemplate: "%{text}<extra></extra>", selectedpoints: null,
          marker: { symbol, size, opacity: 0.9, line: { width: 0.5, color: pvs.isDark() ? "rgba(255,255,255,.35)" : "rgba(0,0,0,.35)" },
            ...(known ? { color: values, colorscale: scale.colorscale, cmin: scale.cmin, cmax: scale.cmax,
              showscale: !traces.some((trace) => trace.marker.showscale), colorbar: this.#bar(colour, scale) } : { color: "#8c8c8c" }) } });
      }
      const rings = pvs.isDark() ? RINGS_DARK : RINGS;
      for (const group of ["a", "b"]) {
        const rows = [...this.sets[group]].filter((i) => i < points.length);
        traces.push({ ...place(rows), name: group.toUpperCase(), hoverinfo: "skip", showlegend: rows.length > 0,
          marker: { symbol: group === "a" ? "circle-open" : "square-open", size: size + (dims === 3 ? 1 : 6), color: rings[group], line: { width: 2, color: rings[group] } } });
      }
      if (dims === 2) return traces;
      const one = this.marked !== null && this.marked < points.length ? [this.marked] : [];
      traces.push({ ...place(one), name: "shown", hoverinfo: "skip", showlegend: false,
        marker: { symbol: "circle-open", size: size + 5, color: this.#text(), line: { width: 3, color: this.#text() } } });
      return traces;
    }

    #text() {
      return getComputedStyle(this.element).color;
    }

    #bar(colour, { ticks }) {
      const label = pvs.plotText(colour.label), title = colour.unit ? `${label}<br>(${colour.unit})` : label;
      const narrow = this.width < 560;
      return { title: { text: title, side: narrow ? "top" : "right", font: { size: 12 } }, thickness: 12, outlinewidth: 0, ...ticks,
        ...(narrow ? { orientation: "h", y: -0.2, yanchor: "top", len: 0.9 } : { len: 0.9 }) };
    }

    #layout() {
      const { dims, axes, explained, key, generated, points } = this.shown;
      const grid = pvs.isDark() ? "rgba(255,255,255,.12)" : "rgba(0,0,0,.09)";
      const axis = (i) => ({ title: { text: `PC${axes[i] + 1} · ${(100 * explained[axes[i]]).toFixed(1)} %` }, gridcolor: grid,
        zerolinecolor: grid, ...(dims === 3 ? { showspikes: false, backgroundcolor: "rgba(0,0,0,0)" } : {}) });
      const narrow = this.width < 560;
      const base = { height: this.element.clientHeight, width: this.width, font: { color: this.#text(), size: 12 },
        margin: { l: narrow ? 44 : 54, r: narrow ? 10 : 16, t: 26, b: narrow ? 110 : 44 }, paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)", uirevision: key, selectionrevision: this.selections, selections: [], hovermode: "closest",
        showlegend: generated < points.length || this.sets.a.size + this.sets.b.size > 0, legend: { orientation: "h", x: 0, y: 1.08, itemclick: false, itemdoubleclick: false } };
      if (dims === 3) return { ...base, scene: { xaxis: axis(0), yaxis: axis(1), zaxis: axis(2), uirevision: key } };
      return { ...base, dragmode: this.drag, xaxis: axis(0), yaxis: axis(1) };
    }
  };
})();
