// Training curves: one small panel for each kind of quantity, on one axis of kimg; which of them are drawn is chosen.
// What is noisy is drawn twice, raw (thin) and smoothed (bold). A zoom stays while new points arrive and panels change.
//
//   const curves = new pvs.TrainCurves(element, choices);   choices: where the panels' buttons go. Which are pressed is kept for the
//                                                           next visit; or, with a third argument, told to it: onChosen([id, ...] | null)
//   curves.choose([id, ...] | null);                        these panels; null: the usual ones
//   curves.run(id, plan);          forgets the lines of the run before
//   curves.add(rows, reset);       rows of stats.jsonl; reset: they replace all
//   curves.smooth(0.9);            weight of the moving average, 0 (none) to below 1
//   curves.viewed(clips | null);   a line at the snapshot that is looked at
//   curves.reveal(["losses"], [from, to]);   draws these panels, zoomed to that part, in kimg
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});

  // A line: its key in the statistics, its name, its colour, and how it is drawn: "raw" is smooth already, "dots"
  // and "floor" are measured now and then, each stage by a protocol of its own; "edge" and "band" are thin, with a shade from the edge before to the band.
  const PANELS = [
    { id: "losses", title: "Losses", shown: true, lines: [["loss_G", "generator", 0], ["loss_D", "critic", 1]] },
    { id: "distance", title: "Critic’s distance", shown: true, lines: [["distance", "real to generated", 2]] },
    { id: "penalties", title: "Penalties", shown: true, lines: [["gradient_penalty", "gradient", 2], ["slope_penalty", "slope", 3]] },
    { id: "gradients", title: "Gradient norms", shown: true, lines: [["grad_norm_G", "generator", 0], ["grad_norm_D", "critic", 1]] },
    { id: "scores", title: "Critic’s scores", lines: [["score_real", "real", 4], ["score_fake", "generated", 0]] },
    { id: "slices", title: "Scales of the slices", lines: [["slice_scale_min", "least", 4, "edge"],
      ["slice_scale_max", "greatest", 4, "band"], ["slice_scale_mean", "mean", 4, "raw"]] },
    { id: "speed", title: "Clips a second", scale: "log", lines: [["clips_per_s", "clips/s", 0, "raw"]] },
    { id: "fid", title: "FID at snapshots (dashed: other real clips)", shown: true, lines: [["fid", "samples", 2, "dots"],
      ["fid_floor", "floor", 4, "floor"]] },
    { id: "swd", title: "SWD at snapshots (dashed: other real clips)", shown: true, lines: [["swd", "samples", 2, "dots"],
      ["swd_floor", "floor", 4, "floor"]] },
    { id: "recall", title: "Recall at snapshots (dashed: other real clips)", lines: [["recall", "samples", 2, "dots"],
      ["recall_floor", "floor", 4, "floor"]] },
    { id: "motion", title: "Distance of motion (dashed: other real clips)", lines: [["motion_distance", "samples", 2, "dots"],
      ["motion_distance_floor", "floor", 4, "floor"]] },
    { id: "flicker", title: "Flicker (dashed: other real clips)", lines: [["flicker", "samples", 2, "dots"],
      ["flicker_floor", "floor", 4, "floor"]] },
    { id: "memory", title: "Memory (MB)", lines: [["memory_mb", "MB", 1, "raw"]] },
  ];
  const USUAL = PANELS.filter((panel) => panel.shown).map((panel) => panel.id);
  const KEPT = "pvs-train-curves"; // in localStorage: the ids of the panels that are drawn
  const HIGH = 190; // pixels of a panel with its heading
  const SMALL = 9; // pixels of a stage's name

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

  // A panel keeps its axes' numbers whatever else is drawn, so that a zoom stays its own.
  const axisOf = (panel) => String(PANELS.indexOf(panel) + 1).replace(/^1$/, "");

  function kept() {
    try {
      const ids = JSON.parse(localStorage.getItem(KEPT));
      return Array.isArray(ids) ? ids : null;
    } catch {
      return null; // no storage, or another's words in it: as if never chosen
    }
  }

  function keep(ids) {
    try {
      localStorage.setItem(KEPT, JSON.stringify(ids));
    } catch {
      // A private window may keep nothing: the choice holds until the page is left.
    }
  }


  class TrainCurves {
    constructor(element, choices, onChosen = null) {
      this.element = element;
      this.rows = [];
      this.weight = 0.9;
      this.stale = true;
      this.zoom = null; // [from, to] in kimg that a person has zoomed to
      this.onChosen = onChosen || keep;
      this.chosen = new Set((onChosen ? null : kept()) || USUAL);
      this.buttons = new Map(PANELS.map((panel) => [panel, this._button(panel, choices)]));
      new ResizeObserver(() => this._resized()).observe(element);
      new MutationObserver(() => this._changed()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    }

    _button(panel, choices) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "pt-choice", textContent: panel.title });
      button.dataset.panel = panel.id;
      button.addEventListener("click", () => {
        if (this.chosen.has(panel.id)) this.chosen.delete(panel.id);
        else this.chosen.add(panel.id);
        this._tell();
        this._changed();
      });
      choices.append(button);
      return button;
    }

    // Ids of the panels that are pressed; null for the usual ones.
    get panelIds() {
      const ids = PANELS.filter(({ id }) => this.chosen.has(id)).map(({ id }) => id);
      return ids.join() === USUAL.join() ? null : ids;
    }

    _tell() {
      this.onChosen(this.panelIds);
      this.onLook?.();
    }

    choose(ids) {
      this.chosen = new Set(ids || USUAL);
      this._changed();
    }

    // Buttons of what this run has numbers for (WGAN-GP has no slices), and the panels of those that are pressed.
    _choose() {
      for (const [panel, button] of this.buttons) {
        button.hidden = !panel.lines.some(([key]) => this.rows.some((row) => typeof row[key] === "number"));
        const pressed = String(this.chosen.has(panel.id));
        if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
      }
      this.panels = PANELS.filter((panel) => this.chosen.has(panel.id) && !this.buttons.get(panel).hidden);
    }

    run(id, plan) {
      this.id = id;
      this.stages = plan ? plan.stages : [];
      this.total = plan ? plan.total : 0;
      this.rows = [];
      this.zoom = null;
      this._changed();
    }

    smooth(weight) {
      this.weight = weight;
      this._changed();
    }

    // Only the line is drawn anew: it follows a slider.
    viewed(clips) {
      if (clips === this.place) return;
      this.place = clips;
      if (this.stale || this.marking) return;
      this.marking = requestAnimationFrame(async () => {
        await this.drawn;
        this.marking = 0;
        if (!this.stale) window.Plotly.relayout(this.element, { shapes: [...this.stageShapes, ...this._placeShapes()] });
      });
    }

    async reveal(ids, [from, to]) {
      for (const id of ids) this.chosen.add(id);
      this._tell();
      await this._draw();
      if (this.stale || !this.panels.length) return;
      const room = Math.max(0.05 * (to - from), 0.05);
      const axis = `xaxis${axisOf(this.panels[0])}`;
      await window.Plotly.relayout(this.element, { [`${axis}.range[0]`]: from - room, [`${axis}.range[1]`]: to + room });
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
      this._choose();
      this.element.classList.toggle("pt-none", !this.panels.length);
      this.drawn = window.Plotly.react(this.element, this._traces(), this._layout(), { displaylogo: false, responsive: false,
        doubleClick: "autosize", modeBarButtonsToRemove: ["lasso2d", "select2d", "toImage"] });
      await this.drawn;
      if (!this.listening) this.element.on("plotly_relayout", (change) => this._zoomed(change));
      this.listening = true;
      this.element.dataset.points = this.rows.length;
    }

    _zoomed(change) {
      const axis = Object.keys(change).find((key) => /^xaxis\d*\.(range|autorange)/.test(key))?.split(".")[0];
      if (!axis) return;
      const { autorange, range } = this.element._fullLayout[axis];
      this.zoom = autorange ? null : [...range];
      this.onLook?.();
    }

    _traces() {
      const x = this.rows.map((row) => row.clips / 1000), palette = COLOURS[pvs.isDark() ? "dark" : "light"];
      const traces = [], mode = this.rows.length < 3 ? "lines+markers" : "lines";
      this.panels.forEach((panel) => panel.lines.forEach(([key, name, colour, kind]) => {
        const values = this.rows.map((row) => (typeof row[key] === "number" ? row[key] : null));
        if (values.every((value) => value === null)) return;  // WGAN-GP has no slope penalty
        const axis = axisOf(panel), color = palette[colour];
        const base = { x, name, type: "scatter", mode, legend: `legend${axis}`, legendgroup: key,
          xaxis: `x${axis}`, yaxis: `y${axis}`, connectgaps: false, showlegend: panel.lines.length > 1 };
        if (kind === "dots" || kind === "floor") {
          const floor = kind === "floor", points = this._measured(values, this.rows.map((row) => row[key.replace("_floor", "_ceiling")]));
          return traces.push({ ...base, ...points, uid: key, mode: "lines+markers", marker: { size: 5 },
            line: { color, width: 2, dash: floor ? "dash" : "solid" },
            hovertemplate: points.customdata.map((noise) => (floor && typeof noise === "number" // lines of before 2026-12-01 do not tell it
              ? "%{y:.4g} <span style='opacity:.6'>(noise %{customdata:.4g})</span>" : "%{y:.4g}")) });
        }
        if (kind) {
          const thin = kind !== "raw";
          return traces.push({ ...base, y: values, uid: key, line: { color, width: thin ? 1 : 2 },
            ...(kind === "band" ? { fill: "tonexty", fillcolor: `${color}2e` } : {}), hovertemplate: "%{y:.4g}" });
        }
        traces.push({ ...base, y: values, uid: `${key}-raw`, mode: "lines", showlegend: false, hoverinfo: "skip", opacity: 0.32,
          line: { color, width: 1 } });
        traces.push({ ...base, y: smoothed(values, this.weight), uid: `${key}-smooth`, customdata: values,
          line: { color, width: 2 },
          hovertemplate: "%{y:.4g} <span style='opacity:.6'>(raw %{customdata:.4g})</span>" });
      }));
      return traces;
    }

    // Points where there are values, and a gap where another protocol begins, as with a stage: clips of two sizes are not
    // compared. (Lines of before 2026-11-30 do not tell theirs: then by the stage, whose last point lies at its end.)
    // customdata: of `beside`, the same rows.
    _measured(values, beside) {
      const found = { x: [], y: [], customdata: [] };
      let before = null;
      this.rows.forEach(({ clips, protocol }, i) => {
        if (values[i] === null) return;
        const now = protocol || `stage ${this.stages.filter(({ start }) => start < clips).length}`;
        if (before !== null && now !== before) {
          found.x.push(clips / 1000);
          found.y.push(null);
          found.customdata.push(null);
        }
        before = now;
        found.x.push(clips / 1000);
        found.y.push(values[i]);
        found.customdata.push(beside[i]);
      });
      return found;
    }

    _layout() {
      const style = getComputedStyle(this.element), text = style.color;
      const faint = pvs.isDark() ? "rgba(255,255,255,.10)" : "rgba(0,0,0,.08)";
      const columns = Math.min(this.columns, this.panels.length || 1), count = Math.max(1, Math.ceil(this.panels.length / columns));
      const margin = { l: 46, r: 8, t: this.columns > 1 ? 26 : 42, b: 34 };
      const gap = this.columns > 1 ? 44 : 58, plot = count * HIGH + (count - 1) * gap - (this.columns > 1 ? 26 : 42);
      const layout = { uirevision: this.id, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: style.fontFamily, size: 11, color: text }, margin,
        width: this.width, height: plot + margin.t + margin.b, hovermode: "x unified",
        hoverlabel: { bgcolor: pvs.isDark() ? "#1d2430" : "#ffffff", font: { color: text } },
        dragmode: "zoom", shapes: [], annotations: [] };
      const gapX = columns > 1 ? 0.07 : 0, gapY = gap / plot;
      const wide = (1 - gapX * (columns - 1)) / columns, high = (1 - gapY * (count - 1)) / count;
      this.panels.forEach((panel, p) => {
        const left = (p % columns) * (wide + gapX), top = 1 - Math.floor(p / columns) * (high + gapY);
        const box = { left, right: left + wide, top, bottom: Math.max(0, top - high), last: p >= this.panels.length - columns };
        this._panel(layout, panel, box, faint);
      });
      this.stageShapes = layout.shapes;
      layout.shapes = [...this.stageShapes, ...this._placeShapes()];
      return layout;
    }

    _panel(layout, panel, box, faint) {
      const axis = axisOf(panel), first = axisOf(this.panels[0]);
      layout[`xaxis${axis}`] = { domain: [box.left, box.right], anchor: `y${axis}`, gridcolor: faint, zeroline: false,
        title: box.last ? { text: "kimg", standoff: 4 } : undefined, rangemode: "tozero", hoverformat: ".4~f",
        uirevision: "own", ...(this.zoom ? { range: [...this.zoom], autorange: false } : { autorange: true }),
        ...(axis !== first ? { matches: `x${first}` } : {}) };
      layout[`yaxis${axis}`] = { domain: [box.bottom, box.top], anchor: `x${axis}`, gridcolor: faint, zerolinecolor: faint,
        nticks: 6, type: panel.scale || "linear" };
      layout[`legend${axis}`] = { x: box.right, y: box.top, xanchor: "right", yanchor: "bottom", orientation: "h",
        bgcolor: "rgba(0,0,0,0)", font: { size: 11 } };
      layout.annotations.push({ text: `<b>${panel.title}</b>`, x: box.left, y: box.top, xref: "paper", yref: "paper",
        xanchor: "left", yanchor: "bottom", yshift: this.columns > 1 ? 0 : 19, showarrow: false, font: { size: 12 } });
      this._stageMarks(layout, axis, (box.right - box.left) * (this.width - layout.margin.l - layout.margin.r));
    }

    _placeShapes() {
      if (typeof this.place !== "number") return [];
      const x = this.place / 1000, color = pvs.isDark() ? "#fb923c" : "#c2410c";
      return this.panels.map((panel) => ({ name: "viewed", type: "line", xref: `x${axisOf(panel)}`, x0: x, x1: x,
        yref: `y${axisOf(panel)} domain`, y0: 0, y1: 1, line: { color, width: 1.5 } }));
    }

    // A line where each stage begins, a shade over its fade. Only as far as the run has come: the axis fits the data,
    // in `room` pixels. Names of short stages stand below one another.
    _stageMarks(layout, axis, room) {
      const reached = this.rows.length ? this.rows[this.rows.length - 1].clips : 0;
      const line = pvs.isDark() ? "rgba(255,255,255,.35)" : "rgba(0,0,0,.3)";
      const shade = pvs.isDark() ? "rgba(255,255,255,.06)" : "rgba(0,0,0,.045)";
      const stages = this.stages.slice(1).filter((stage) => stage.start <= reached);
      const labels = stages.map((stage) => {
        const text = pvs.sizeName(stage), left = (room * stage.start) / Math.max(1, reached), width = SMALL * 0.65 * text.length;
        const over = left + width > room; // then it stands before its line
        return { text, width, left: over ? left - width : left, xanchor: over ? "right" : "left" };
      });
      const rows = pvs.labelRows(labels);
      stages.forEach((stage, i) => {
        const place = { xref: `x${axis}`, yref: `y${axis} domain`, y0: 0, y1: 1, layer: "below" }, x = stage.start / 1000;
        layout.shapes.push({ ...place, type: "line", x0: x, x1: x, line: { color: line, width: 1, dash: "dot" } });
        layout.shapes.push({ ...place, type: "rect", x0: x, fillcolor: shade, line: { width: 0 },
          x1: Math.min(stage.start + stage.fade, reached) / 1000 });
        layout.annotations.push({ text: labels[i].text, xref: `x${axis}`, yref: `y${axis} domain`, x, y: 1, yshift: -rows[i] * (SMALL + 6),
          xanchor: labels[i].xanchor, yanchor: "top", showarrow: false, font: { size: SMALL }, opacity: 0.65 });
      });
    }
  }

  TrainCurves.IDS = PANELS.map(({ id }) => id);
  pvs.TrainCurves = TrainCurves;
  pvs.smoothed = smoothed;
})();
