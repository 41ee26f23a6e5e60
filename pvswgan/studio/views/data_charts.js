// How many clips there are of each class and of each length, and what they take on the disk.
//
//   const charts = new pvs.DataCharts(parts, {onClass: (label or null) => ...});
//   charts.store(about);
//   charts.mark(label);       which class the wall shows; null: all
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.DataCharts) return;
  const { node, write, count, many, bytes } = pvs.data;
  const ROWS = 240, ROW = 20, WIDEST_ROW = 34; // pixels: few classes have room, many are scrolled
  const SETTINGS = { displayModeBar: false, responsive: false };

  // Plotly reads its texts as a kind of HTML; the names of classes are people's words.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text) => (text.length > 26 ? `${text.slice(0, 25)}…` : text);

  pvs.DataCharts = class DataCharts {
    #about = null;
    #label = null;
    #width = 0;
    #listening = false;

    constructor(parts, { onClass }) {
      this.parts = parts;
      this.onClass = onClass;
      new ResizeObserver(() => {
        if (parts.lengths.clientWidth !== this.#width) this.#draw();
      }).observe(parts.lengths);
    }

    store(about) {
      this.#about = about;
      this.#label = null;
      const { parts } = this, { least, median, most } = about.frames;
      parts["classes-panel"].hidden = about.classes.length < 2;
      write(parts["lengths-note"], least === most ? `all of ${many(most, "frame")}` :
        `${least} to ${most} frames, half have ${median} or more`);
      const held = Object.entries(about.usable).filter(([, clips]) => clips);
      write(parts.usable, `Clips that a training can take, by frames of its last stage: ${held
        .map(([frames, clips]) => `${frames}:\u00a0${count(clips)}`).join(", ") || "none"}.`);
      this.#table();
      this.#draw();
    }

    mark(label) {
      this.#label = label;
      this.#draw();
    }

    #table() {
      const head = node("tr"), total = this.#about.sizes.reduce((sum, size) => sum + size.bytes, 0);
      head.append(...["Pixels", "Kept as", "A clip", "In all"].map((text) => Object.assign(node("th", "", text), { scope: "col" })));
      const rows = this.#about.sizes.map((size) => {
        const row = node("tr");
        row.append(...[`${size.resolution}×${size.resolution}`, size.video ? "video" : "raw", bytes(size.per_clip),
          bytes(size.bytes)].map((text) => node("td", "", text)));
        return row;
      });
      const foot = node("caption", "", `${bytes(total)} in all, ${bytes(total / this.#about.clips)} a clip.`);
      this.parts.sizes.replaceChildren(foot, head, ...rows);
    }

    async #draw() {
      const { parts } = this;
      if (!this.#about || parts.lengths.clientWidth < 80) return; // hidden: the ResizeObserver calls again
      this.#width = parts.lengths.clientWidth;
      try {
        await pvs.plotly();
      } catch (error) {
        return write(parts.lengths, error.message);
      }
      await this.#lengths();
      if (!parts["classes-panel"].hidden) await this.#classes();
    }

    #colours() {
      return pvs.isDark() ? { bar: "#4fd1a5", faded: "#3a5a63", grid: "rgba(255,255,255,.10)", box: "#1d2430" }
        : { bar: "#0f9d8f", faded: "#b6d8d4", grid: "rgba(0,0,0,.08)", box: "#ffffff" };
    }

    #layout(element, height, margin) {
      const style = getComputedStyle(element), { grid, box } = this.#colours();
      return { width: element.clientWidth, height, margin, bargap: 0.25, showlegend: false, dragmode: false, hovermode: "closest",
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: this.#about.id,
        font: { family: style.fontFamily, size: 11, color: style.color }, hoverlabel: { bgcolor: box, font: { color: style.color } },
        xaxis: { gridcolor: grid, zeroline: false, fixedrange: true }, yaxis: { gridcolor: grid, zeroline: false, fixedrange: true } };
    }

    async #lengths() {
      const { lengths } = this.#about, element = this.parts.lengths, layout = this.#layout(element, 210, { l: 44, r: 8, t: 6, b: 36 });
      const wide = lengths[0].most - lengths[0].least + 1;
      Object.assign(layout.xaxis, { title: { text: "frames", standoff: 4 }, showgrid: false });
      if (lengths.length < 9) Object.assign(layout.xaxis, { type: "category" });
      Object.assign(layout.yaxis, { title: { text: "clips", standoff: 4 }, rangemode: "tozero", nticks: 5 });
      const name = ({ least, most }) => (least === most ? String(least) : `${least} to ${most}`);
      const trace = { type: "bar", marker: { color: this.#colours().bar }, customdata: lengths.map(name),
        x: lengths.map((bar) => (lengths.length < 9 ? name(bar) : (bar.least + bar.most) / 2)), y: lengths.map((bar) => bar.clips),
        hovertemplate: "%{customdata} frames: %{y} clips<extra></extra>" };
      trace.width = lengths.length < 9 ? Math.min(0.75, lengths.length * 0.2) : wide * 0.85; // one bar is no wall
      await window.Plotly.react(element, [trace], layout, SETTINGS);
      element.dataset.bars = lengths.length;
    }

    async #classes() {
      const { classes } = this.#about, element = this.parts.classes, { bar, faded } = this.#colours();
      const longest = Math.max(...classes.map(({ name }) => Math.min(name.length, 26)));
      const row = Math.min(WIDEST_ROW, Math.max(ROW, ROWS / classes.length));
      const layout = this.#layout(element, classes.length * row + 30, { l: Math.min(190, 14 + longest * 7), r: 40, t: 4, b: 26 });
      Object.assign(layout.xaxis, { rangemode: "tozero", nticks: 5 });
      Object.assign(layout.yaxis, { autorange: "reversed", showgrid: false, tickvals: classes.map((_, at) => at),
        ticktext: classes.map(({ name }) => plain(short(name))) });
      await window.Plotly.react(element, [{ type: "bar", orientation: "h", y: classes.map((_, at) => at),
        x: classes.map(({ clips }) => clips), text: classes.map(({ clips }) => count(clips)), textposition: "outside",
        cliponaxis: false, customdata: classes.map(({ name }) => plain(name)),
        marker: { color: classes.map((_, at) => (this.#label === null || this.#label === at ? bar : faded)) },
        hovertemplate: "%{customdata}: %{x} clips<extra></extra>" }], layout, SETTINGS);
      if (!this.#listening) {
        element.on("plotly_click", ({ points }) => this.onClass(points[0].y === this.#label ? null : points[0].y));
        this.#listening = true;
      }
      element.dataset.bars = classes.length;
    }
  };
})();
