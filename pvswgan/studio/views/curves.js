// Training curves: four panels on one axis of kimg. Each quantity is drawn twice, raw (thin) and smoothed (bold).
// Plotly.react with a uirevision per run: a zoom stays while new points arrive.
//
//   const curves = new pvs.TrainCurves(element);
//   curves.run(id, plan);          forgets the lines of the run before
//   curves.add(rows, reset);       rows of stats.jsonl; reset: they replace all
//   curves.smooth(0.9);            weight of the moving average, 0 (none) to below 1
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});

  const PANELS = [
    { title: "Losses", lines: [["loss_G", "generator", 0], ["loss_D", "critic", 1]] },
    { title: "Penalties", lines: [["gradient_penalty", "gradient", 2], ["slope_penalty", "slope", 3]] },
    { title: "Critic’s scores", lines: [["score_real", "real", 4], ["score_fake", "fake", 0], ["distance", "distance", 1]] },
    { title: "Gradient norms", lines: [["grad_norm_G", "generator", 0], ["grad_norm_D", "critic", 1]] },
  ];
  const COLOURS = { light: ["#2563eb", "#d9480f", "#7c3aed", "#b45309", "#0f8a5f"],
    dark: ["#6ea8fe", "#ff9f5a", "#b794f6", "#f0c060", "#4fd1a5"] };

  // A moving average from zero, divided by the weight that it has seen so far: no false start at the first value.
  function smoothed(values, weight) {
    let sum = 0, seen = 0;
    return values.map((value) => {
      if (typeof value !== "number") return null;
      sum = weight * sum + (1 - weight) * value;
      seen = weight * seen + (1 - weight);
      return sum / seen;
    });
  }

  const present = (row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));

  const isDark = () => document.body.classList.contains("dark") || document.documentElement.classList.contains("dark");

  class TrainCurves {
    constructor(element) {
      this.element = element;
      this.rows = [];
      this.weight = 0.9;
      this.stale = true;
      new ResizeObserver(() => this._resized()).observe(element);
      new MutationObserver(() => this._changed()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    }

    run(id, plan) {
      this.id = id;
      this.stages = plan ? plan.stages : [];
      this.total = plan ? plan.total : 0;
      this.rows = [];
      this._changed();
    }

    smooth(weight) {
      this.weight = weight;
      this._changed();
    }

    add(rows, reset) {
      if (reset) this.rows = [];
      for (const row of rows) {
        if (typeof row.clips !== "number") continue;
        // A resumed run goes back to its last checkpoint: what came after it was undone, and would draw a loop.
        while (this.rows.length && this.rows[this.rows.length - 1].clips > row.clips) this.rows.pop();
        const last = this.rows[this.rows.length - 1];
        if (last && last.clips === row.clips) Object.assign(last, present(row));  // an event's line has no losses
        else this.rows.push(row);
      }
      if (rows.length || reset) this._changed();
    }

    _changed() {
      this.stale = true;
      if (this.waiting) return;
      this.waiting = requestAnimationFrame(() => { this.waiting = 0; this._draw(); });
    }

    _resized() {
      const columns = this._columns();
      if (this.stale || columns !== this.columns || this.width !== this.element.clientWidth) this._changed();
    }

    _columns() { return this.element.clientWidth >= 720 ? 2 : 1; }

    async _draw() {
      if (!this.id || this.element.clientWidth < 100) return;  // hidden: ResizeObserver calls again
      try {
        await pvs.plotly();
      } catch (error) {
        this.element.textContent = "The curves cannot be drawn: plotly.js did not load.";
        return;
      }
      this.stale = false;
      this.columns = this._columns();
      this.width = this.element.clientWidth;
      await window.Plotly.react(this.element, this._traces(), this._layout(), { displaylogo: false, responsive: false,
        modeBarButtonsToRemove: ["lasso2d", "select2d", "toImage"] });
      this.element.dataset.points = this.rows.length;
    }

    _traces() {
      const x = this.rows.map((row) => row.clips / 1000), palette = COLOURS[isDark() ? "dark" : "light"];
      const traces = [], mode = this.rows.length < 3 ? "lines+markers" : "lines";
      PANELS.forEach((panel, p) => panel.lines.forEach(([key, name, colour]) => {
        const values = this.rows.map((row) => (typeof row[key] === "number" ? row[key] : null));
        if (this.rows.length && values.every((value) => value === null)) return;  // WGAN-GP has no slope penalty
        const axis = p ? String(p + 1) : "";
        const base = { x, name, type: "scatter", mode, legend: `legend${axis}`, legendgroup: key,
          xaxis: `x${axis}`, yaxis: `y${axis}`, connectgaps: false };
        traces.push({ ...base, y: values, uid: `${key}-raw`, mode: "lines", showlegend: false, hoverinfo: "skip", opacity: 0.32,
          line: { color: palette[colour], width: 1 } });
        traces.push({ ...base, y: smoothed(values, this.weight), uid: `${key}-smooth`, customdata: values,
          line: { color: palette[colour], width: 2 },
          hovertemplate: "%{y:.4g} <span style='opacity:.6'>(raw %{customdata:.4g})</span>" });
      }));
      return traces;
    }

    _layout() {
      const style = getComputedStyle(this.element), text = style.color;
      const faint = isDark() ? "rgba(255,255,255,.10)" : "rgba(0,0,0,.08)";
      const layout = { uirevision: this.id, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: style.fontFamily, size: 11, color: text }, margin: { l: 44, r: 8, t: this.columns === 2 ? 26 : 42, b: 34 },
        width: this.width, height: this.columns === 2 ? 430 : 900, hovermode: "x unified",
        hoverlabel: { bgcolor: isDark() ? "#1d2430" : "#ffffff", font: { color: text } },
        dragmode: "zoom", shapes: [], annotations: [] };
      const count = PANELS.length / this.columns, gapX = this.columns === 2 ? 0.07 : 0, gapY = this.columns === 2 ? 0.17 : 0.09;
      const wide = (1 - gapX * (this.columns - 1)) / this.columns, high = (1 - gapY * (count - 1)) / count;
      PANELS.forEach((panel, p) => {
        const left = (p % this.columns) * (wide + gapX), top = 1 - Math.floor(p / this.columns) * (high + gapY);
        this._panel(layout, p, { left, right: left + wide, top, bottom: Math.max(0, top - high) }, faint);
      });
      return layout;
    }

    _panel(layout, p, box, faint) {
      const axis = p ? String(p + 1) : "", last = p >= PANELS.length - this.columns;
      layout[`xaxis${axis}`] = { domain: [box.left, box.right], anchor: `y${axis}`, gridcolor: faint, zeroline: false,
        title: last ? { text: "kimg", standoff: 4 } : undefined, rangemode: "tozero", hoverformat: ".4~f",
        ...(p ? { matches: "x" } : {}) };
      layout[`yaxis${axis}`] = { domain: [box.bottom, box.top], anchor: `x${axis}`, gridcolor: faint, zerolinecolor: faint,
        nticks: 6 };
      layout[`legend${axis}`] = { x: box.right, y: box.top, xanchor: "right", yanchor: "bottom", orientation: "h",
        bgcolor: "rgba(0,0,0,0)", font: { size: 11 } };
      layout.annotations.push({ text: `<b>${PANELS[p].title}</b>`, x: box.left, y: box.top, xref: "paper", yref: "paper",
        xanchor: "left", yanchor: "bottom", yshift: this.columns === 2 ? 0 : 15, showarrow: false, font: { size: 12 } });
      this._stageMarks(layout, axis);
    }

    // A line where each stage begins, a shade over its fade. Only as far as the run has come: the axis fits the data.
    _stageMarks(layout, axis) {
      const reached = this.rows.length ? this.rows[this.rows.length - 1].clips : 0;
      const line = isDark() ? "rgba(255,255,255,.35)" : "rgba(0,0,0,.3)";
      const shade = isDark() ? "rgba(255,255,255,.06)" : "rgba(0,0,0,.045)";
      for (const stage of this.stages.slice(1)) {
        if (stage.start > reached) continue;
        const place = { xref: `x${axis}`, yref: `y${axis} domain`, y0: 0, y1: 1, layer: "below" };
        layout.shapes.push({ ...place, type: "line", x0: stage.start / 1000, x1: stage.start / 1000,
          line: { color: line, width: 1, dash: "dot" } });
        layout.shapes.push({ ...place, type: "rect", x0: stage.start / 1000, fillcolor: shade, line: { width: 0 },
          x1: Math.min(stage.start + stage.fade, reached) / 1000 });
        layout.annotations.push({ text: pvs.sizeName(stage), xref: `x${axis}`, yref: `y${axis} domain`, x: stage.start / 1000,
          y: 1, xanchor: "left", yanchor: "top", showarrow: false, font: { size: 9 }, opacity: 0.65 });
      }
    }
  }

  pvs.TrainCurves = TrainCurves;
  pvs.smoothed = smoothed;
})();
