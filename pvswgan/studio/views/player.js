// Clips on canvases: one requestAnimationFrame clock for the page, timelines, and players of sprite sheets.
//
// A sprite sheet is one picture: rows are clips, columns are frames, each cell R x R pixels.
//
//   const timeline = new pvs.Timeline({fps: 16});       time shared by any number of players, always in step
//   timeline.frames = 16;  timeline.play(); .pause(); .seek(3); .step(-1); .toggle()
//   timeline.hold(3)                                    paused there, also where the clip is yet to come (a link's frame)
//   timeline.frame (0-based, whole), .playing, .fps, .loop ("loop" | "bounce" | "once")
//   const stop = timeline.listen((timeline) => ...);    at every change of frame, frames or playing
//   pvs.playButton(button, timeline)                    a button that plays and pauses it, and shows which is next
//
//   const player = new pvs.SheetPlayer(canvas, {timeline, smooth: false, columns: null});
//   await player.show(source, {rows, frames, seq});     source: Blob, URL, or ImageBitmap/<img>/<canvas>;
//                                                       rows: clips in the sheet (default 1), frames: columns;
//                                                       row: sets player.row with the sheet
//   player.row = 2        show only that clip (null: all, as a grid `columns` wide)
//   player.smooth = true  bilinear instead of crisp pixels
//   player.onDrawn = ({seq, frame}) => ...   after every change of sheet or frame; player.seq: last sheet drawn
//   player.dispose()
//
// A player whose sheet has fewer frames than its timeline shows the frame at the same share of the time, so clips
// of a 4-frame and of a 16-frame stage run side by side. A newer show() wins over an older one still being decoded.
// A new sheet is drawn at once and not at the next tick of the clock: what the screen shows is the same, and
// nobody who measures waits for a tick. Where the viewer prefers reduced motion, a timeline starts paused.
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.SheetPlayer) return;

  // ---- the one clock ----------------------------------------------------------------------------------------
  const running = new Set(); // timelines that play
  let last = null;

  function tick(now) {
    // After a hidden tab or a long task we go on where we were instead of leaping ahead.
    const seconds = last === null ? 0 : Math.min((now - last) / 1000, 0.25);
    last = now;
    for (const timeline of [...running]) timeline.advance(seconds);
    if (running.size) requestAnimationFrame(tick);
    else last = null;
  }

  function run(timeline) {
    const idle = running.size === 0;
    running.add(timeline);
    if (idle) requestAnimationFrame(tick);
  }

  pvs.reducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  pvs.Timeline = class Timeline {
    #frames = 1;
    #position = 0; // in frames, with fractions; frame = floor
    #direction = 1;
    #held = null; // a frame that is waited for
    #listeners = new Set();

    constructor({ fps = 16, frames = 1, loop = "loop", playing = !pvs.reducedMotion() } = {}) {
      this.fps = fps;
      this.loop = loop;
      this.#frames = frames;
      this.playing = false;
      if (playing) this.play();
    }

    get frame() {
      return Math.min(Math.floor(this.#position), this.#frames - 1);
    }

    get frames() {
      return this.#frames;
    }

    set frames(count) {
      if (count === this.#frames) return;
      const wanted = this.#held ?? (this.#position / this.#frames) * count; // the same share of time
      this.#position = Math.min(wanted, count - 1);
      if (this.#held < count) this.#held = null;
      this.#frames = count;
      this.#changed();
    }

    play() {
      if (this.playing) return;
      if (this.loop === "once" && this.frame === this.#frames - 1) this.#position = 0;
      this.playing = true;
      this.#held = null;
      run(this);
      this.#changed();
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      running.delete(this);
      this.#changed();
    }

    toggle() {
      this.playing ? this.pause() : this.play();
    }

    seek(frame) {
      this.#held = null;
      this.#position = Math.max(0, Math.min(Math.round(frame), this.#frames - 1));
      this.#changed();
    }

    hold(frame) {
      this.pause();
      this.seek(frame);
      if (frame >= this.#frames) this.#held = frame;
    }

    step(by) {
      this.pause();
      this.seek((this.frame + by + this.#frames) % this.#frames);
    }

    listen(listener) {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    }

    advance(seconds) {
      const before = this.frame;
      let next = this.#position + this.#direction * seconds * this.fps;
      if (this.loop === "bounce") {
        if (next >= this.#frames) [next, this.#direction] = [Math.max(0, 2 * this.#frames - 1 - next), -1];
        else if (next < 0) [next, this.#direction] = [Math.min(this.#frames - 1, 1 - next), 1];
      } else {
        this.#direction = 1;
        if (next < 0) next = 0; // the loop was changed while it ran backwards
        if (next >= this.#frames && this.loop === "once") {
          this.#position = this.#frames - 1;
          return this.pause();
        }
        next %= this.#frames;
      }
      this.#position = next;
      if (this.frame !== before) this.#changed();
    }

    #changed() {
      for (const listener of [...this.#listeners]) listener(this);
    }
  };

  pvs.playButton = (button, timeline) => {
    const show = () => {
      button.classList.toggle("playing", timeline.playing);
      button.setAttribute("aria-label", timeline.playing ? "Pause" : "Play");
    };
    button.addEventListener("click", () => timeline.toggle());
    timeline.listen(show);
    show();
  };

  // ---- players ----------------------------------------------------------------------------------------------
  async function decode(source) {
    if (typeof source === "string") source = await (await pvs.request(source)).blob();
    return source instanceof Blob ? createImageBitmap(source) : source;
  }

  pvs.SheetPlayer = class SheetPlayer {
    #asked = 0;
    #sheet = null;
    #drawnFrame = -1;
    #row = null;
    #smooth;
    #stop;

    constructor(canvas, { timeline, smooth = false, columns = null } = {}) {
      this.canvas = canvas;
      this.columns = columns;
      this.seq = null;
      this.onDrawn = null;
      this.context = canvas.getContext("2d", { alpha: false });
      this.timeline = timeline || new pvs.Timeline();
      this.smooth = smooth;
      this.#stop = this.timeline.listen(() => this.#tick());
    }

    get smooth() {
      return this.#smooth;
    }

    set smooth(on) {
      this.#smooth = on;
      this.canvas.style.imageRendering = on ? "auto" : "pixelated";
    }

    // {image, rows, frames, seq, width, height} now shown, or null; width and height are of one cell. Belongs to the
    // player, which closes the image when the next one comes.
    get sheet() {
      return this.#sheet;
    }

    get row() {
      return this.#row;
    }

    set row(row) {
      this.#row = row;
      if (this.#sheet) this.draw();
    }

    // Frame of this player's sheet that the timeline is at.
    get frame() {
      const frames = this.#sheet ? this.#sheet.frames : 1;
      return Math.floor((this.timeline.frame * frames) / this.timeline.frames);
    }

    // Draws the sheet once decoded. True if drawn, false if a newer show() came first. Rejects with a sentence.
    async show(source, { rows = 1, frames, seq = null, row } = {}) {
      const asked = ++this.#asked;
      let image;
      try {
        image = await decode(source);
      } catch (error) {
        throw error.name === "InvalidStateError" ? new Error("The studio's picture could not be read.") : error;
      }
      if (asked !== this.#asked) {
        image.close?.();
        return false;
      }
      this.#sheet?.image.close?.();
      const [width, height] = [image.width / frames, image.height / rows];
      this.#sheet = { image, rows, frames, seq, width, height };
      if (row !== undefined) this.#row = row;
      this.draw();
      return true;
    }

    draw() {
      if (!this.#sheet) return;
      const { image, rows, width, height, seq } = this.#sheet;
      const clips = this.#row === null ? [...Array(rows).keys()] : [Math.min(this.#row, rows - 1)];
      const columns = Math.min(clips.length, this.columns || Math.ceil(Math.sqrt(clips.length)));
      this.#resize(columns * width, Math.ceil(clips.length / columns) * height);
      const frame = this.frame;
      clips.forEach((clip, i) => {
        const [x, y] = [(i % columns) * width, Math.floor(i / columns) * height];
        this.context.drawImage(image, frame * width, clip * height, width, height, x, y, width, height);
      });
      this.#drawnFrame = frame;
      this.seq = seq;
      this.onDrawn?.({ seq, frame });
    }

    dispose() {
      this.#stop();
      this.#asked++;
      this.#sheet?.image.close?.();
      this.#sheet = null;
    }

    #tick() {
      if (this.#sheet && this.frame !== this.#drawnFrame) this.draw();
    }

    // Setting a canvas's size clears it, so only when it changes.
    #resize(width, height) {
      if (this.canvas.width !== width) this.canvas.width = width;
      if (this.canvas.height !== height) this.canvas.height = height;
    }
  };
})();
