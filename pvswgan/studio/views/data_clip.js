// One clip: where it comes from, and the space-time pyramid, the clip at every stage of a growth plan, as the trainer
// gets it. All stages are drawn equally large and run on one clock: the 4 frames of a first stage fill the time of 32.
//
//   const view = new pvs.ClipView(parts);
//   view.options({orders, times});
//   view.show(storeId, clip);
//   view.close();
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.ClipView) return;
  const { node, write, many, facts, fill, playButton, restUnseen, query } = pvs.data;
  const TIMES = { average: "mean of neighbours", subsample: "every n-th", window: "the first ones" };
  const NOTES = {
    average: "Each frame of an early stage is the mean of the frames that it stands for.",
    subsample: "An early stage takes every second, fourth, … frame.",
    window: "An early stage takes the first frames of the window, drawn here over the same time.",
  };

  pvs.ClipView = class ClipView {
    #id = null;
    #clip = null;
    #facts = null;
    #frames = 32; // what the person last chose; a shorter clip takes less
    #start = 0;
    #players = [];
    #shown = ""; // which stages have canvases
    #load = pvs.latest(() => this.#fetch());

    constructor(parts) {
      this.parts = parts;
      this.timeline = new pvs.Timeline({ fps: 16 });
      this.timeline.listen(() => this.#tick());
      playButton(parts.play, this.timeline, "");
      restUnseen(parts.pyramid, this.timeline);
      parts.frame.addEventListener("input", () => {
        this.timeline.seek(Number(parts.frame.value)); // first: a pause writes where the timeline is into the slider
        this.timeline.pause();
      });
      parts.window.addEventListener("input", () => {
        this.#start = Number(parts.window.value);
        this.#load();
      });
      parts.frames.addEventListener("change", () => {
        this.#frames = Number(parts.frames.value);
        this.#start = 0;
        this.#load();
      });
      for (const select of [parts.order, parts.time]) select.addEventListener("change", () => this.#load());
    }

    options({ orders, times }) {
      fill(this.parts.order, orders.map((order) => [order, order]));
      fill(this.parts.time, times.map((time) => [time, TIMES[time] || time]));
    }

    show(id, clip) {
      [this.#id, this.#clip, this.#start, this.#facts] = [id, clip, 0, null];
      this.parts.clip.hidden = false;
      this.#load();
    }

    close() {
      this.#id = null;
      this.parts.clip.hidden = true;
    }

    async #fetch() {
      const { parts } = this, id = this.#id, clip = this.#clip;
      if (id === null) return;
      try {
        if (!this.#facts) {
          const found = await pvs.json(query("api/data/clip", { id, clip }));
          if (id === this.#id) this.#describe(found);
        }
        const frames = Number(parts.frames.value), order = parts.order.value, time = parts.time.value, start = this.#start;
        const wish = { id, clip, order, frames, start };
        const plan = await pvs.json(query("api/data/pyramid", wish));
        const pictures = await Promise.all(plan.stages.map((_, stage) => this.#picture({ ...wish, time, stage })));
        if (id !== this.#id || clip !== this.#clip) return pictures.forEach((picture) => picture.close());
        await this.#draw(plan, pictures, time, start);
        this.#say("");
      } catch (error) {
        if (id === this.#id) this.#say(error.message);
      }
    }

    async #picture(wish) {
      return createImageBitmap(await (await pvs.request(query("api/data/stage", wish))).blob());
    }

    #say(text) {
      write(this.parts["clip-problem"], text);
      this.parts["clip-problem"].hidden = !text;
    }

    #describe(found) {
      const { parts } = this;
      if (found.clip !== this.#clip) return;
      this.#facts = found;
      write(parts["clip-title"], `Clip ${found.clip}`);
      const choices = found.frames_choices;
      fill(parts.frames, choices.map((frames) => [frames, frames]));
      parts.frames.value = choices.filter((frames) => frames <= this.#frames).at(-1);
      const last = found.stop - 1;
      facts(parts["clip-facts"], {
        Source: found.source, "Source frames": found.start === last ? `${last}` : `${found.start} to ${last}`,
        Class: parts.class.hidden ? "" : found.class, Split: found.split, Length: many(found.length, "frame"),
        Rate: `${+found.fps.toFixed(2)} frames/s, ${(found.length / found.fps).toFixed(1)} s`,
      });
      const factors = Object.entries(found.factors);
      parts["factors-panel"].hidden = !factors.length;
      facts(parts.factors, Object.fromEntries(factors.map(([name, value]) => [name, String(+value.toPrecision(4))])));
    }

    async #draw(plan, pictures, time, asked) {
      const { parts } = this;
      const names = plan.stages.map(pvs.sizeName);
      if (names.join() !== this.#shown) this.#build(names, plan.stages);
      this.timeline.fps = Math.min(Math.max(this.#facts.fps, 1), 60);
      this.timeline.frames = plan.frames;
      await Promise.all(this.#players.map((player, stage) =>
        player.show(pictures[stage], { rows: 1, frames: plan.stages[stage].frames })));
      parts["start-row"].hidden = plan.starts < 1;
      parts.window.max = plan.starts;
      if (asked === this.#start) parts.window.value = plan.start; // else the slider has been moved on meanwhile
      write(parts["window-number"], `${plan.start} of ${plan.starts}`);
      parts.frame.max = plan.frames - 1;
      write(parts["pyramid-note"], `The clip at each stage of the growth, as the training gets it. ${NOTES[time] || ""}`);
      parts.pyramid.dataset.clip = this.#clip;
      parts.pyramid.dataset.wish = [parts.order.value, time, plan.frames, plan.start].join(" ");
      this.#tick();
    }

    #build(names, stages) {
      for (const player of this.#players) player.dispose();
      this.#players = [];
      this.#shown = names.join();
      this.parts.pyramid.replaceChildren(...names.map((name, at) => {
        const figure = node("figure"), canvas = node("canvas");
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `The clip at ${name}`);
        canvas.dataset.stage = name;
        const caption = node("figcaption"), { frames, resolution } = stages[at];
        caption.append(node("b", "", `${resolution}×${resolution}`), node("span", "", many(frames, "frame")));
        figure.append(canvas, caption);
        this.#players.push(new pvs.SheetPlayer(canvas, { timeline: this.timeline }));
        return figure;
      }));
    }

    #tick() {
      const { parts, timeline } = this;
      if (parts.clip.hidden) return;
      parts.frame.value = timeline.frame;
      write(parts["frame-number"], `${timeline.frame + 1} of ${timeline.frames}`);
    }
  };
})();
