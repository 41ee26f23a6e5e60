// The wall: a page of clips that play together on one clock. Each is a button that opens the clip.
//
//   const wall = new pvs.ClipWall(parts, {onClip: (clip, chosen) => ..., onClass: (label) => ...});
//   await wall.store(about);    the first page; chosen is false for the clip that the page opens by itself
//   wall.only(label);           clips of that class; null: of all
//   wall.mark(clip);            which one is looked at
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.ClipWall) return;
  const { node, write, many, count, fill, playButton, restUnseen, query } = pvs.data;

  pvs.ClipWall = class ClipWall {
    #id = null;
    #label = null;
    #split = null;
    #page = 0;
    #seed = null;
    #size = 0; // pixels that the person chose; a store that has no such wall shows its next smaller one
    #walls = []; // [{pixels, clips: of a page}] of the store
    #tiles = [];
    #sheet = null; // {image, frames, size}
    #marked = null;
    #drawn = -1;
    #alike = false; // all clips of the store have the same length
    #opening = false; // the first clip of a store is opened by the page itself
    #load = pvs.latest(() => this.#fetch());

    constructor(parts, { onClip, onClass }) {
      this.parts = parts;
      this.onClip = onClip;
      this.onClass = onClass;
      this.timeline = new pvs.Timeline({ fps: 16 });
      this.timeline.listen(() => this.#tick());
      playButton(parts["wall-play"], this.timeline, "");
      restUnseen(parts.wall, this.timeline);
      parts.back.addEventListener("click", () => this.#turn(-1));
      parts.next.addEventListener("click", () => this.#turn(1));
      parts.shuffle.addEventListener("click", (event) => this.#shuffle(event));
      parts.class.addEventListener("change", () => this.only(parts.class.value === "" ? null : Number(parts.class.value)));
      parts.split.addEventListener("change", () => {
        this.#split = parts.split.value === "*" ? null : parts.split.value;
        this.#first();
      });
      parts.size.addEventListener("change", () => this.#resize(Number(parts.size.value)));
      parts.wall.addEventListener("keydown", (event) => this.#keys(event));
    }

    store(about) {
      const { parts } = this;
      this.#id = about.id;
      this.#label = this.#split = this.#seed = this.#marked = null;
      this.#opening = true;
      this.#alike = about.frames.least === about.frames.most;
      this.timeline.fps = Math.min(Math.max(about.fps, 1), 60);
      parts.shuffle.setAttribute("aria-pressed", "false");
      fill(parts.class, [["", "all classes"], ...about.classes.map((one, at) => [at, `${one.name} (${count(one.clips)})`])], "");
      fill(parts.split, [["*", "all splits"],
        ...about.splits.map((one) => [one.name, `${one.name || "no split"} (${count(one.clips)})`])], "*");
      this.#walls = about.walls;
      const most = Math.max(...about.walls.map(({ clips }) => clips));
      fill(parts.size, about.walls.map(({ pixels, clips }) =>
        [pixels, `${pixels} pixels${clips < most ? `, ${clips} a page` : ""}`]), this.#wall().pixels);
      parts.size.hidden = about.walls.length < 2;
      parts.class.hidden = about.classes.length < 2;
      parts.split.hidden = about.splits.length < 2;
      return this.#first();
    }

    only(label) {
      if (label === this.#label) return;
      this.#label = label;
      this.parts.class.value = label === null ? "" : label;
      this.onClass(label);
      this.#first();
    }

    mark(clip) {
      this.#marked = clip;
      for (const tile of this.#tiles) tile.button.setAttribute("aria-pressed", String(tile.clip === clip));
      this.#reach(Math.max(0, this.#tiles.findIndex((tile) => tile.clip === clip)));
    }

    // Tab reaches one clip of the wall, the arrow keys the others: nobody must press Tab 24 times to get past it.
    #reach(at) {
      this.#tiles.forEach(({ button }, place) => (button.tabIndex = place === at ? 0 : -1));
    }

    #first() {
      this.#page = 0;
      return this.#load();
    }

    #turn(by) {
      this.#page = Math.max(0, this.#page + by); // Back may be pressed twice before it is off; what is too far on the server brings back
      this.#load();
    }

    #wall() {
      return this.#walls.findLast(({ pixels }) => pixels <= this.#size) || this.#walls[0];
    }

    // The first clip of the page stays on the page.
    #resize(pixels) {
      const first = this.#page * this.#wall().clips;
      this.#size = pixels;
      this.#page = Math.floor(first / this.#wall().clips);
      this.#load();
    }

    // Pressed once the clips come in an order by chance, pressed again as they lie.
    #shuffle() {
      this.#seed = this.#seed === null ? Math.floor(Math.random() * 2 ** 31) : null;
      this.parts.shuffle.setAttribute("aria-pressed", String(this.#seed !== null));
      this.#first();
    }

    async #fetch() {
      const id = this.#id, { parts } = this, size = this.#wall().pixels;
      let page = this.#page;
      try {
        const found = await pvs.json(query("api/data/clips", { id, label: this.#label, split: this.#split,
          page, seed: this.#seed, size }));
        const clips = found.clips.map((one) => one.clip);
        const image = clips.length ? await this.#picture({ id, size, clips: clips.join(",") }) : null;
        if (id !== this.#id) return image?.close();
        if (page === this.#page) this.#page = found.page; // else turned meanwhile: that one is asked for next
        page = found.page;
        this.#show(found, image);
        this.#say("");
      } catch (error) {
        if (id === this.#id) this.#say(error.message);
      }
      parts.wall.dataset.page = page;
    }

    async #picture(wish) {
      const response = await pvs.request(query("api/data/wall", wish));
      return createImageBitmap(await response.blob());
    }

    #say(text) {
      const { parts } = this;
      if (text) this.#clear();
      write(parts["no-clips"], text || "No clip is of this class and this split together.");
      parts["no-clips"].hidden = this.#tiles.length > 0;
    }

    #clear() {
      this.#sheet?.image.close();
      this.#sheet = null;
      this.#tiles = [];
      this.parts.wall.replaceChildren();
    }

    #show(found, image) {
      const { parts } = this;
      const focused = document.activeElement?.closest?.(".pd-wall") === parts.wall;
      this.#clear();
      if (image) this.#sheet = { image, frames: found.frames, size: found.resolution };
      this.#tiles = found.clips.map((clip) => this.#tile(clip));
      parts.wall.dataset.size = found.resolution;
      parts.wall.replaceChildren(...this.#tiles.map((tile) => tile.item), ...this.#blanks(found));
      this.timeline.frames = Math.max(1, found.frames);
      this.#draw();
      this.mark(this.#marked);
      write(parts.shown, many(found.total, "clip"));
      write(parts.page, `page ${count(found.page + 1)} of ${count(found.pages)}`);
      parts.pages.hidden = found.pages < 2;
      parts.back.disabled = found.page === 0;
      parts.next.disabled = found.page === found.pages - 1;
      if (focused) this.parts.wall.querySelector('button[tabindex="0"]')?.focus();
      if (this.#opening && this.#tiles.length) this.onClip(this.#tiles[0].clip, false);
      this.#opening = false;
    }

    // A last page is filled up, so that the buttons that turn pages stay under the hand.
    #blanks({ pages, clips, most }) {
      return [...Array(pages > 1 ? most - clips.length : 0)].map(() => {
        const item = node("li", "pd-blank"), tile = node("span", "pd-tile");
        item.ariaHidden = "true";
        tile.append(node("canvas"), node("small", "", "\u00a0"));
        item.append(tile);
        return item;
      });
    }

    #tile({ clip, class: kind, length }) {
      const item = node("li"), button = node("button", "pd-tile"), canvas = node("canvas");
      button.type = "button";
      button.dataset.clip = clip;
      const words = !this.parts.class.hidden ? kind : this.#alike ? `clip ${clip}` : many(length, "frame");
      button.setAttribute("aria-label", `Clip ${clip}, ${kind}, ${many(length, "frame")}`);
      button.title = `Clip ${clip}: ${kind}, ${many(length, "frame")}`;
      canvas.width = canvas.height = this.#sheet.size;
      button.append(canvas, node("small", "", words));
      button.addEventListener("click", () => this.onClip(clip, true));
      item.append(button);
      return { item, button, clip, context: canvas.getContext("2d", { alpha: false }) };
    }

    #tick() {
      if (this.#sheet && this.timeline.frame !== this.#drawn) this.#draw();
    }

    #draw() {
      if (!this.#sheet) return;
      const { image, size, frames } = this.#sheet, frame = Math.min(this.timeline.frame, frames - 1);
      this.#tiles.forEach(({ context }, row) => {
        context.drawImage(image, frame * size, row * size, size, size, 0, 0, size, size);
      });
      this.#drawn = this.timeline.frame;
      this.parts.wall.dataset.frame = frame;
    }

    // Arrow keys go from clip to clip, as in a grid.
    #keys(event) {
      const at = this.#tiles.findIndex((tile) => tile.button === document.activeElement);
      if (at < 0) return;
      const columns = getComputedStyle(this.parts.wall).gridTemplateColumns.split(" ").length;
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at,
        End: this.#tiles.length - 1 - at }[event.key];
      if (!by) return;
      event.preventDefault();
      if (!this.#tiles[at + by]) return;
      this.#reach(at + by);
      this.#tiles[at + by].button.focus();
    }
  };
})();
