// One latent at every stage passed: under the growth ruler, the same clip as each stage's last snapshot shows it, all on
// the clock of the samples. Below each clip the frames that its stage has: filled those it was handed, hollow those that
// were inserted in time, as strong as they have faded in.
//
//   const strip = new pvs.StageStrip(parts, {timeline, sheet, onSeek: (clips) => ...});
//                                      sheet(item): a promise of {blob, rows, frames} of that snapshot's sheet
//   strip.plan(plan);                  another run; null: its plan is not known
//   strip.at({stage, alpha, phase});   how far the newest stage has come
//   strip.show(snapshots, clips);      the snapshots up to `clips` count, the one that is looked at
//   strip.choose(row);                 which latent, from 0
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.StageStrip) return;
  const { write, attribute } = pvs.train, { kimg } = pvs;
  const KEPT = "pvs-train-clip"; // in localStorage: the latent that was chosen last

  pvs.StageStrip = class StageStrip {
    #stages = []; // of the plan, each with its place on the page
    #items = [];
    #viewed = null;
    #position = null;
    #rows = 1;

    constructor(parts, { timeline, sheet, onSeek }) {
      Object.assign(this, { parts, timeline, sheet, onSeek });
      this.row = Number(kept()) || 0;
      parts["stage-clip"].addEventListener("change", () => this.choose(Number(parts["stage-clip"].value)));
      parts.canvas.addEventListener("click", (event) => this.#point(event));
      timeline.listen(() => this.#tick());
    }

    plan(plan) {
      for (const { player } of this.#stages) player.dispose();
      const stages = plan?.stages ?? [];
      this.#stages = stages.map((stage, number) => this.#place(stage, number, stages));
      this.#items = [];
      this.#position = this.#viewed = null;
      this.parts.stages.replaceChildren(...this.#stages.map(({ button }) => button));
      this.parts["stages-panel"].hidden = true;
    }

    at(position) {
      if (JSON.stringify(position) === JSON.stringify(this.#position)) return;
      this.#position = position;
      this.#stages.forEach((stage, number) => {
        const share = position === null || number > position.stage ? 0 : number < position.stage ? 1 : position.alpha;
        stage.film.style.setProperty("--in", share.toFixed(2));
        this.#words(stage, number);
      });
    }

    show(snapshots, clips) {
      this.#items = snapshots;
      this.#viewed = clips;
      this.parts["stages-panel"].hidden = !snapshots.length;
      this.#stages.forEach((stage, number) => {
        const same = (item) => item.frames === stage.frames && item.resolution === stage.resolution;
        stage.item = snapshots.findLast((item) => same(item) && item.clips <= clips) ?? null;
        this.#words(stage, number);
        this.#draw(stage);
      });
    }

    choose(row) {
      this.row = row;
      keep(row);
      this.parts["stage-clip"].value = Math.min(row, this.#rows - 1);
      for (const stage of this.#stages) this.#draw(stage);
      this.#mark();
    }

    // ---- one stage --------------------------------------------------------------------------------------------
    #place(stage, number, stages) {
      const button = pvs.node("button", "pt-stage"), canvas = pvs.node("canvas"), film = pvs.node("span", "pt-film");
      const size = pvs.node("b", "", pvs.sizeName(stage)), when = pvs.node("small");
      button.type = "button";
      canvas.width = canvas.height = stage.resolution;
      canvas.setAttribute("aria-hidden", "true");
      const before = number ? stages[number - 1].frames : stage.frames;
      for (let frame = 0; frame < stage.frames; frame++) {
        film.append(pvs.node("i", frame % Math.max(1, Math.round(stage.frames / before)) ? "new" : ""));
      }
      const inserted = stage.frames - before;
      film.title = `${stage.frames} frames${inserted > 0 ? `, ${inserted} of them inserted at this stage` : ""}`;
      button.append(canvas, film, size, when);
      const made = { ...stage, button, film, when, item: null, drawn: null, ask: pvs.latest((one) => this.#paint(one)),
        player: new pvs.SheetPlayer(canvas, { timeline: this.timeline }) };
      button.addEventListener("click", () => made.item && this.onSeek(made.item.clips));
      return made;
    }

    #words(stage, number) {
      const { button, when, item } = stage, now = this.#position;
      const fading = item && now?.stage === number && now.phase === "fade" ? `α ${now.alpha.toFixed(2)}` : "";
      button.disabled = !item;
      write(when, [item ? kimg(item.clips) : "not yet", fading].filter(Boolean).join(", "));
      attribute(button, "aria-current", String(Boolean(item) && item.clips === this.#viewed));
      attribute(button, "aria-label", `Stage ${number + 1} of ${this.#stages.length}, ${pvs.sizeName(stage)}, ${when.textContent}` +
        (item ? `: clip ${this.row + 1}. Show this snapshot.` : ""));
    }

    #draw(stage) {
      stage.button.classList.toggle("empty", !stage.item);
      if (stage.item) stage.ask(stage);
    }

    // One clip's row of the sheet, and not all of it, is kept in memory.
    async #paint(stage) {
      const { item, player } = stage, drawn = item && `${item.url} ${this.row}`;
      if (!item || stage.drawn === drawn) return;
      try {
        const { blob, rows, frames } = await this.sheet(item);
        this.#choices(rows);
        const side = item.resolution, row = Math.min(this.row, rows - 1);
        await player.show(await createImageBitmap(blob, 0, row * side, frames * side, side), { frames, seq: item.clips });
        stage.drawn = drawn;
        Object.assign(player.canvas.dataset, { clips: item.clips, row });
      } catch {
        stage.drawn = null; // the next list tries again
      }
    }

    #tick() {
      for (const { film, frames } of this.#stages) {
        const now = Math.floor((this.timeline.frame * frames) / this.timeline.frames);
        if (film.children[now]?.classList.contains("now")) continue;
        film.querySelector(".now")?.classList.remove("now");
        film.children[now]?.classList.add("now");
      }
    }

    // ---- which latent -----------------------------------------------------------------------------------------
    #choices(rows) {
      const { "stage-clip": select } = this.parts;
      if (rows !== this.#rows || !select.options.length) {
        this.#rows = rows;
        select.replaceChildren(...Array.from({ length: rows }, (_, row) => new Option(`clip ${row + 1}`, row)));
        select.value = Math.min(this.row, rows - 1);
      }
      this.#mark();
    }

    // A click on a clip among the samples.
    #point({ offsetX, offsetY }) {
      const { canvas } = this.parts, columns = Number(canvas.dataset.columns), cell = canvas.clientWidth / columns;
      const row = Math.floor(offsetY / cell) * columns + Math.floor(offsetX / cell);
      if (columns && row < this.#rows) this.choose(row);
    }

    // The frame around the chosen clip among the samples.
    #mark() {
      const { canvas, "clip-mark": mark } = this.parts, columns = Number(canvas.dataset.columns);
      if (!columns) return;
      const cell = canvas.clientWidth / columns, row = Math.min(this.row, this.#rows - 1);
      const box = `${(row % columns) * cell}px ${Math.floor(row / columns) * cell}px ${cell}px`;
      if (mark.dataset.box === box) return;
      mark.dataset.box = box;
      Object.assign(mark.style, { left: `${(row % columns) * cell}px`, top: `${Math.floor(row / columns) * cell}px`,
        width: `${cell}px`, height: `${cell}px` });
    }

    // The samples have another size on the screen.
    fit() {
      this.#mark();
    }
  };

  function kept() {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null; // no storage: the first clip
    }
  }

  function keep(row) {
    try {
      localStorage.setItem(KEPT, row);
    } catch {
      // A private window may keep nothing: the choice holds until the page is left.
    }
  }
})();
