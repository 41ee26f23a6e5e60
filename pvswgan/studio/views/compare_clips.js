// The clips of the compared models: a sheet for each (rows are seeds), all on one timeline; side by side, wiped, or as
// their difference. Latest wins for each model on its own, so a slow one holds up nobody.
//
//   const clips = new pvs.compare.Clips(ref, timeline, { onError, onFine, onFrames });
//   clips.sides([{ id, name, colour, note }]);     id null: nothing to draw, the note says why
//   clips.show({ seeds, truncation });
//   clips.failed, clips.again()                    whether a side shows another clip than it should; to ask anew
//   clips.mode = "side" | "wipe" | "difference";  clips.pair = [0, 1];  clips.wipe = 0.5;  clips.gain = 1
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};
  const FINE = 256; // pixels

  // A sheet of these seeds: {blob, rows, frames, resolution}.
  pvs.compare.rows = async (model, seeds, truncation) =>
    pvs.sheetOf(await pvs.request("api/rows", { model, points: seeds.map((seed) => ({ seed, truncation })) }));

  pvs.compare.Clips = class Clips {
    #sides = [];
    #wanted = null;
    #mode = "side";
    #pair = [0, 1];
    #wipe = 0.5;
    #gain = 1;

    constructor(ref, timeline, { onError, onFine, onFrames }) {
      Object.assign(this, { ref, timeline, onError, onFine, onFrames });
      this.context = ref.canvas.getContext("2d", { alpha: false });
    }

    sides(wanted) {
      const before = new Map(this.#sides.map((side) => [side.key, side]));
      this.#sides = wanted.map((side, place) => {
        const key = `${place} ${side.name}`;
        const known = before.get(key) || this.#make(key);
        before.delete(key);
        known.figure.style.setProperty("--pc-colour", side.colour);
        known.caption.textContent = side.clips ? `${side.name}, ${pvs.kimg(side.clips)}` : side.name; // two may be of one run
        known.note.textContent = side.note || "";
        known.note.hidden = !side.note;
        known.player.canvas.hidden = side.id === null;
        known.player.canvas.setAttribute("aria-label", `Clips of ${side.name}`);
        if (side.id === null && known.failed) this.#fails(known, null);
        return Object.assign(known, { id: side.id });
      });
      for (const side of before.values()) {
        side.player.dispose();
        side.figure.remove();
      }
      this.ref.columns.replaceChildren(...this.#sides.map((side) => side.figure));
      if (this.#wanted) this.show(this.#wanted);
    }

    show(wanted) {
      this.#wanted = wanted;
      this.ref.stage.style.setProperty("--pc-rows", wanted.seeds.length);
      this.settling = Promise.all(this.#sides.filter((side) => side.id !== null).map((side) => side.ask({ id: side.id, ...wanted })));
      return this.settling;
    }

    // Sides that had no answer at all are asked for once more; what an answer has refused stays so.
    again() {
      const lost = this.#sides.filter(({ id, failed }) => id !== null && failed && !failed.status);
      return (this.settling = Promise.all([this.settling, ...lost.map((side) => side.ask({ id: side.id, ...this.#wanted }))]));
    }

    get failed() { return this.#sides.some((side) => side.failed); }

    // The player of a side, for a test: its canvas is what is on the screen.
    players() { return this.#sides.map((side) => side.player); }

    get mode() { return this.#mode; }
    set mode(mode) {
      this.#mode = mode;
      this.ref.columns.hidden = mode !== "side";
      this.ref.both.hidden = mode === "side";
      this.ref.wipe.hidden = mode !== "wipe";
      this.ref.screen.dataset.mode = mode;
      this.#compose();
    }

    set pair(pair) { this.#pair = pair; this.#compose(); }
    set wipe(share) { this.#wipe = share; this.#compose(); }
    set gain(gain) { this.#gain = gain; this.#compose(); }

    #make(key) {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      const canvas = document.createElement("canvas"), note = document.createElement("p");
      figure.className = "pc-column";
      note.className = "pvs-note";
      canvas.setAttribute("role", "img");
      figure.append(caption, canvas, note);
      const player = new pvs.SheetPlayer(canvas, { timeline: this.timeline, columns: 1 });
      player.onDrawn = () => this.#compose();
      const side = { key, figure, caption, note, player, id: null, failed: null };
      side.ask = pvs.latest(async ({ id, seeds, truncation }) => {
        try {
          const sheet = await pvs.compare.rows(id, seeds, truncation);
          if (side.id !== id || !(await player.show(sheet.blob, sheet))) return;
          this.onFrames(Math.max(...this.#sides.map(({ player: { sheet: shown } }) => (shown ? shown.frames : 1))));
          canvas.dataset.shown = id;
          if (side.failed) this.#fails(side, null);
        } catch (error) {
          if (side.id === id) this.#fails(side, error); // else of one that was left meanwhile
        }
      });
      return side;
    }

    // A side that could not be drawn keeps its last clip, faint: it is not what the caption says.
    #fails(side, error) {
      side.failed = error;
      side.player.canvas.classList.toggle("pvs-stale", error !== null);
      if (error) this.onError(error);
      else if (!this.failed) this.onFine();
    }

    // Both clips in one picture. All players draw in the same tick of the clock, so what is put together is in step.
    #compose() {
      const [a, b] = this.#pair.map((place) => this.#sides[place]?.player);
      if (this.#mode === "side" || !a?.sheet || !b?.sheet) return;
      const { canvas } = this.ref, { context } = this, rows = a.sheet.rows;
      if (rows !== b.sheet.rows) return; // the other one's new rows are on their way
      const most = Math.max(a.sheet.width, b.sheet.width);
      const width = most * Math.ceil(FINE / most), height = rows * width; // fine enough for a divider that glides
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      context.imageSmoothingEnabled = false;
      context.globalCompositeOperation = "source-over";
      context.drawImage(a.canvas, 0, 0, width, height);
      if (this.#mode === "wipe") {
        const cut = Math.round(this.#wipe * width), share = cut / width;
        const from = Math.round(share * b.canvas.width);
        if (from < b.canvas.width) context.drawImage(b.canvas, from, 0, b.canvas.width - from, b.canvas.height, cut, 0, width - cut, height);
        return;
      }
      context.globalCompositeOperation = "difference";
      context.drawImage(b.canvas, 0, 0, width, height);
      context.globalCompositeOperation = "lighter";
      for (let gain = 1; gain < this.#gain; gain *= 2) context.drawImage(canvas, 0, 0); // itself added: twice as bright
      context.globalCompositeOperation = "source-over";
    }
  };
})();
