// The growth ruler: every stage of a plan as a step on an axis of clips shown, higher where clips are larger.
// The fade of a stage is its hatched slope. What has been trained stands out; a marker shows where the run is.
//
//   const ruler = new pvs.GrowthRuler(element, {onSeek: (clips) => ...});
//   ruler.plan({stages: [{frames, resolution, fade, stable, start}], total});   fade, stable, start, total in clips
//   ruler.at({clips, stage, alpha, phase});   null: a plan only, nothing trained yet
//   ruler.viewed(clips | null);               a small triangle: the snapshot that is being looked at
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  const SVG = "http://www.w3.org/2000/svg";
  const TOP = 26, STAIRS = 84, ROW = 14;
  const pen = document.createElement("canvas").getContext("2d");

  function make(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const { sizeName } = pvs;
  const kimg = (clips) => String(+(clips / 1000).toPrecision(4));

  // Each label takes the first row in which it does not touch the one before; so every size can be read.
  function rows(labels, gap = 6) {
    const ends = [];
    return labels.map(({ left, width }) => {
      let row = ends.findIndex((end) => left >= end + gap);
      if (row < 0) row = ends.push(-Infinity) - 1;
      ends[row] = left + width;
      return row;
    });
  }

  class GrowthRuler {
    constructor(element, { onSeek } = {}) {
      this.element = element;
      this.onSeek = onSeek;
      this.state = { plan: null, position: null, viewed: null };
      this.id = `ruler-${Math.random().toString(36).slice(2, 8)}`;
      element.classList.add("pvs-ruler");
      new ResizeObserver(() => this.draw()).observe(element);
    }

    plan(plan) { this._set("plan", plan); }
    at(position) { this._set("position", position); }
    viewed(clips) { this._set("viewed", clips); }

    _set(name, value) {
      if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
      this.state[name] = value;
      this.draw();
    }

    draw() {
      const { plan } = this.state;
      const width = Math.floor(this.element.clientWidth);
      if (!plan || !plan.stages.length || width < 60) return;
      this.x = (clips) => 1 + (width - 2) * Math.min(1, clips / plan.total);
      const labels = this._labels(width), ticks = this._ticks(width);
      const deep = Math.max(...labels.map((label) => label.row)) + 1;
      const height = TOP + STAIRS + 6 + ROW * deep + ROW + 4;
      const svg = make("svg", { width, height, role: "img", "aria-label": this._spoken() });
      svg.append(this._defs(height), this._stairs(this.state.position ? "pvs-ruler-plan" : "pvs-ruler-plan only"), this._stairs("pvs-ruler-done"));
      for (const { text, left, width: w, row, now } of labels) {
        svg.append(make("text", { x: left + w / 2, y: TOP + STAIRS + 4 + ROW * (row + 1) - 3, "text-anchor": "middle",
          class: now ? "pvs-ruler-size now" : "pvs-ruler-size" }, text));
      }
      for (const { text, x, anchor } of ticks) {
        svg.append(make("text", { x, y: height - 4, "text-anchor": anchor, class: "pvs-ruler-tick" }, text));
      }
      svg.append(...this._marker(width));
      if (this.onSeek) {
        svg.addEventListener("click", (event) => {
          const share = (event.clientX - svg.getBoundingClientRect().left - 1) / (width - 2);
          this.onSeek(Math.max(0, Math.min(1, share)) * plan.total);
        });
      }
      this.element.replaceChildren(svg);
    }

    _defs(height) {
      const { plan, position } = this.state;
      const defs = make("defs", {});
      const hatch = make("pattern", { id: `${this.id}-hatch`, width: 6, height: 6, patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)" });
      hatch.append(make("rect", { width: 6, height: 6, class: "pvs-ruler-hatch-ground" }),
        make("rect", { width: 2.4, height: 6, class: "pvs-ruler-hatch-line" }));
      const clip = make("clipPath", { id: `${this.id}-done` });
      clip.append(make("rect", { x: 0, y: 0, height, width: position ? this.x(Math.min(position.clips, plan.total)) : 0 }));
      defs.append(hatch, clip);
      return defs;
    }

    // Heights follow the logarithm of the voxels of a clip: one doubling, one step.
    _top(stage) {
      const voxels = (s) => Math.log2(s.frames * s.resolution * s.resolution);
      const all = this.state.plan.stages.map(voxels);
      const low = all[0], high = all[all.length - 1];
      const share = high > low ? 0.26 + 0.74 * (voxels(stage) - low) / (high - low) : 1;
      return TOP + STAIRS * (1 - share);
    }

    _stairs(kind) {
      const group = make("g", { class: kind });
      if (kind === "pvs-ruler-done") group.setAttribute("clip-path", `url(#${this.id}-done)`);
      const floor = TOP + STAIRS, { stages } = this.state.plan;
      stages.forEach((stage, number) => {
        const top = this._top(stage), before = number ? this._top(stages[number - 1]) : top;
        const [a, b, c] = [stage.start, stage.start + stage.fade, stage.start + stage.fade + stage.stable].map(this.x);
        if (b > a) {
          group.append(make("polygon", { points: `${a},${floor} ${a},${before} ${b},${top} ${b},${floor}`,
            fill: `url(#${this.id}-hatch)`, class: "pvs-ruler-fade" }));
        }
        const block = make("rect", { x: b, y: top, width: Math.max(0, c - b - 1), height: floor - top, class: "pvs-ruler-block" });
        block.append(make("title", {}, this._describe(stage, number)));
        group.append(block);
      });
      return group;
    }

    _describe(stage, number) {
      const fade = stage.fade ? `fades in over ${kimg(stage.fade)} kimg, then ` : "";
      return `Stage ${number}: ${stage.frames} frames of ${stage.resolution}×${stage.resolution} pixels, ` +
        `${fade}${kimg(stage.stable)} kimg stable, from ${kimg(stage.start)} kimg`;
    }

    // Pixels that a text takes here (train.css has the size): letters differ much between fonts, and bold is wider.
    _wide(text, bold = false) {
      pen.font = `${bold ? 700 : 400} 11px ${getComputedStyle(this.element).fontFamily}`;
      return pen.measureText(text).width;
    }

    _labels(width) {
      const { plan, position } = this.state;
      const labels = plan.stages.map((stage, number) => {
        const now = position && position.stage === number;
        const text = sizeName(stage), w = this._wide(text, now);
        const centre = this.x(stage.start + (stage.fade + stage.stable) / 2);
        const left = Math.max(0, Math.min(width - w, centre - w / 2));
        return { text, left, width: w, now };
      });
      rows(labels).forEach((row, i) => { labels[i].row = row; });
      return labels;
    }

    _ticks(width) {
      const { plan } = this.state;
      const end = `${kimg(plan.total)} kimg`;
      const ticks = [{ text: "0", x: 0, anchor: "start" }];
      let last = this._wide("0");
      for (const { start } of plan.stages.slice(1)) {
        const x = this.x(start), text = kimg(start), half = this._wide(text) / 2;
        if (x - half < last + 8 || x + half > width - this._wide(end) - 8) continue;
        ticks.push({ text, x, anchor: "middle" });
        last = x + half;
      }
      return [...ticks, { text: end, x: width, anchor: "end" }];
    }

    _marker(width) {
      const { position, viewed } = this.state, nodes = [], floor = TOP + STAIRS;
      nodes.push(make("line", { x1: 0, x2: width, y1: floor + 0.5, y2: floor + 0.5, class: "pvs-ruler-axis" }));
      if (viewed !== null && viewed !== undefined) {
        const x = this.x(viewed);
        nodes.push(make("path", { d: `M${x},${floor - 7} l5,8 h-10 z`, class: "pvs-ruler-viewed" }));
      }
      if (!position) return nodes;
      const x = this.x(Math.min(position.clips, this.state.plan.total));
      const text = position.phase === "done" ? "done" : `α ${position.alpha.toFixed(2)}`;
      const half = this._wide(text, true) / 2 + 4, middle = Math.max(half, Math.min(width - half, x));
      nodes.push(make("line", { x1: x, x2: x, y1: 18, y2: floor, class: "pvs-ruler-now" }),
        make("rect", { x: middle - half, y: 1, width: 2 * half, height: 17, rx: 4, class: "pvs-ruler-flag" }),
        make("text", { x: middle, y: 13.5, "text-anchor": "middle", class: "pvs-ruler-alpha" }, text));
      return nodes;
    }

    _spoken() {
      const { plan, position } = this.state;
      const sizes = plan.stages.map(sizeName).join(", ");
      if (!position) return `Growth plan of ${kimg(plan.total)} kimg: ${sizes}`;
      const stage = plan.stages[position.stage] || plan.stages[plan.stages.length - 1];
      return `Stage ${position.stage + 1} of ${plan.stages.length}, ${sizeName(stage)}, alpha ${position.alpha.toFixed(2)}, ` +
        `${kimg(position.clips)} of ${kimg(plan.total)} kimg`;
    }
  }

  pvs.GrowthRuler = GrowthRuler;
  pvs.labelRows = rows;
})();
