// Samples of the fixed latents over a training: one slider moves in training time, another within the clips.
// Every snapshot is a sprite sheet (rows: latents, columns: frames). A clip keeps its place and its size on the
// screen whatever the stage, so that one can watch one latent grow. The newest is followed until the person scrubs back.
//
//   const samples = new pvs.Snapshots(parts, {onView: (clips | null) => ...});
//   samples.run(id, {frames, resolution, window});  the last stage's size; window: early stages are shorter in time
//   samples.list({snapshots, reals});    [{url, clips, frames, resolution}], oldest first
//   samples.seek(clips);                 the snapshot nearest to that moment
//   samples.viewed                       clips of the snapshot that is looked at, or null; samples.following: the newest
//   samples.items                        the snapshots; samples.timeline: the clips' clock
//   samples.sheet(item)                  a promise of {blob, rows, frames}: that snapshot's sheet, fetched once
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.Snapshots) return;
  const KEPT = 80; // sheets kept as bytes: scrubbing back and forth costs no request
  const NEAR = 2; // neighbours fetched ahead
  const FPS = 12;

  pvs.Snapshots = class Snapshots {
    #items = [];
    #reals = [];
    #sheets = new Map();
    #following = true;
    #index = -1;
    #shown = null; // url on the canvas
    #shownReal = null;
    #last = { frames: 16, resolution: 32, window: false };

    constructor(parts, { onView, onFit }) {
      Object.assign(this, { parts, onView, onFit });
      this.timeline = new pvs.Timeline({ fps: FPS, frames: 16 });
      this.player = new pvs.SheetPlayer(parts.canvas, { timeline: this.timeline });
      this.realPlayer = new pvs.SheetPlayer(parts["real-canvas"], { timeline: this.timeline });
      this.#listen();
      this.#tick();
    }

    run(id, last) {
      this.id = id;
      this.#last = { ...this.#last, ...last };
      this.#items = [];
      this.#reals = [];
      this.#sheets.clear();
      this.#index = -1;
      this.#shown = this.#shownReal = null;
      this.#follow(true);
      this.#render();
    }

    list({ snapshots, reals }) {
      const before = this.#items[this.#index]?.clips;
      this.#items = snapshots;
      this.#reals = reals;
      // The oldest snapshots may be gone and new ones there: what is being looked at stays.
      const same = snapshots.findIndex((item) => item.clips === before);
      this.#index = this.#following || same < 0 ? snapshots.length - 1 : same;
      this.#render();
    }

    // Clips of the snapshot that is looked at, or null.
    get viewed() {
      return this.#items[this.#index]?.clips ?? null;
    }

    get items() {
      return this.#items;
    }

    get following() {
      return this.#following;
    }

    seek(clips) {
      if (!this.#items.length) return;
      const far = this.#items.map((item) => Math.abs(item.clips - clips));
      this.#go(far.indexOf(Math.min(...far)));
    }

    #go(index) {
      this.#index = Math.max(0, Math.min(index, this.#items.length - 1));
      this.#follow(this.#index === this.#items.length - 1);
      this.#render();
    }

    #follow(on) {
      this.#following = on;
      this.parts.newest.setAttribute("aria-pressed", String(on));
    }

    #listen() {
      const { parts, timeline } = this;
      parts.snapshots.addEventListener("input", () => this.#go(Number(parts.snapshots.value)));
      parts.newest.addEventListener("click", () => this.#go(this.#items.length - 1));
      parts.play.addEventListener("click", () => timeline.toggle());
      parts.frames.addEventListener("input", () => {
        timeline.seek(Number(parts.frames.value)); // first: a pause writes where the timeline is into the slider
        timeline.pause();
      });
      parts.reals.addEventListener("change", () => this.#render());
      timeline.listen(() => this.#tick());
      new ResizeObserver(() => this.#fit()).observe(parts.samples);
    }

    #tick() {
      const { parts, timeline } = this;
      parts.frames.max = timeline.frames - 1;
      if (document.activeElement !== parts.frames || timeline.playing) parts.frames.value = timeline.frame;
      parts["frame-number"].textContent = `${timeline.frame + 1} of ${timeline.frames}`;
      parts.play.textContent = timeline.playing ? "Pause clips" : "Play clips";
    }

    #render() {
      const { parts } = this, item = this.#items[this.#index];
      parts["no-samples"].hidden = Boolean(item);
      parts["no-samples"].textContent = "The first samples come with the first snapshot.";
      parts.samples.hidden = parts.sliders.hidden = !item;
      if (!item) {
        parts["snapshot-name"].textContent = "";
        return this.onView(null);
      }
      parts.snapshots.max = this.#items.length - 1;
      parts.snapshots.value = this.#index;
      const kimg = `${(item.clips / 1000).toFixed(1)} kimg`;
      parts["snapshot-kimg"].textContent = kimg;
      parts.snapshots.setAttribute("aria-valuetext", `${kimg}, ${pvs.sizeName(item)}`);
      parts["snapshot-name"].textContent =
        `${pvs.sizeName(item)}, snapshot ${this.#index + 1} of ${this.#items.length}`;
      parts.canvas.setAttribute("aria-label", `Generated clips of the fixed latents at ${kimg}, ${pvs.sizeName(item)}`);
      this.onView(item.clips);
      this.#fit();
      this.#show(item);
      this.#showReal(item);
    }

    async #show(item) {
      if (this.#shown === item.url) return;
      this.#shown = item.url;
      try {
        const { blob, rows, frames } = await this.sheet(item);
        if (this.#shown !== item.url) return; // the person has moved on
        this.#pace(item);
        await this.player.show(blob, { rows, frames, seq: item.clips });
        this.#fit();
        this.parts.canvas.dataset.clips = item.clips;
        this.#prefetch();
      } catch (error) {
        if (this.#shown !== item.url) return; // of one that was left meanwhile
        this.#shown = null;
        this.parts["no-samples"].hidden = false;
        this.parts["no-samples"].textContent = error.message;
      }
    }

    // The reals of the same stage; where they are not there, the nearest that are.
    async #showReal(item) {
      const real = this.#reals.find((r) => r.frames === item.frames && r.resolution === item.resolution) ||
        this.#reals[this.#reals.length - 1];
      const shown = Boolean(real) && this.parts.reals.checked;
      this.parts["real-figure"].hidden = !shown;
      this.parts.reals.disabled = !real;
      this.#fit();
      if (!shown || this.#shownReal === real.url) return;
      this.#shownReal = real.url;
      this.parts["real-canvas"].setAttribute("aria-label", `Real clips at ${pvs.sizeName(real)}`);
      try {
        const { blob, rows, frames } = await this.sheet(real);
        if (this.#shownReal !== real.url) return;
        await this.realPlayer.show(blob, { rows, frames });
        this.#fit();
      } catch {
        if (this.#shownReal === real.url) this.#shownReal = null; // the next list tries again
      }
    }

    // Clips of every stage last equally long, unless the data says that early stages show a shorter time.
    #pace(item) {
      this.timeline.frames = this.#last.window ? item.frames : Math.max(this.#last.frames, item.frames);
    }

    async sheet(item) {
      const { url } = item, known = this.#sheets.get(url);
      this.#sheets.delete(url);
      const sheet = known || pvs.request(url).then((answer) => answer.blob()).then((blob) => pvs.cells(blob, item.resolution));
      this.#sheets.set(url, sheet); // now the youngest
      for (const old of [...this.#sheets.keys()].slice(0, Math.max(0, this.#sheets.size - KEPT))) this.#sheets.delete(old);
      sheet.catch(() => this.#sheets.delete(url));
      return sheet;
    }

    #prefetch() {
      for (let i = this.#index - NEAR; i <= this.#index + NEAR; i++) {
        if (this.#items[i]) this.sheet(this.#items[i]).catch(() => {});
      }
    }

    // One size for every stage: whole multiples of the last stage's pixels where there is room for one.
    #fit() {
      const { parts } = this, both = !parts["real-figure"].hidden;
      const width = parts.samples.clientWidth;
      if (!width) return;
      const columns = width > 640 ? (both ? 4 : 6) : 4;
      const beside = both && width > 640;
      const room = (beside ? (width - 16) / 2 : width) / columns, density = window.devicePixelRatio || 1;
      const pixels = this.#last.resolution / density;
      const cell = Math.min(room >= pixels ? Math.floor(room / pixels) * pixels : room, 192);
      parts.samples.classList.toggle("stacked", !beside);
      for (const player of [this.player, this.realPlayer]) {
        if (player.columns !== columns) {
          player.columns = columns;
          player.draw();
        }
        player.canvas.style.width = `${Math.floor(cell * columns)}px`;
        player.smooth = player.canvas.width > cell * columns * density; // smaller than its pixels: no crisp way
      }
      parts.canvas.dataset.columns = columns;
      this.onFit();
    }
  };
})();
