// The head of the run that is looked at: its state, the buttons that steer it, its facts.
//
//   const head = new pvs.RunHead(parts, {onAsked: () => ..., onTrouble: (sentence) => ..., samples});
//   head.run(id);          another run: forgets the one before
//   head.show(status);     as api/runs/ID/status tells it
//   head.explore();        the snapshot that is looked at has changed: what would Open in Explore open?
//   const {turn} = head;   before the server is asked for a status, and with its answer
//   head.overtaken(turn);  a button was pressed meanwhile, whose answer may be the newer: this one is not to be shown
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.RunHead) return;
  const { write, hint, badge, number, url } = pvs.train, { duration, kimg } = pvs;
  const ASKED = { pause: "Pausing", resume: "Resuming", stop: "Stopping", snapshot: "Taking a snapshot" };

  pvs.RunHead = class RunHead {
    turn = 0; // counts the answers to buttons
    #asking = null; // the run whose answer is awaited
    #id = null;
    #checkpoints = []; // clips after which there is a model, oldest first

    constructor(parts, { onAsked, onTrouble, samples }) {
      Object.assign(this, { parts, onAsked, onTrouble, samples });
      this.buttons = [...parts.watch.querySelectorAll("[data-request]")];
      for (const button of this.buttons) button.addEventListener("click", () => this.#request(button.dataset.request));
      parts.explore.addEventListener("click", () => pvs.openTab("explore", { model: this.#model().id }));
    }

    run(id) {
      this.#id = id;
      this.#checkpoints = [];
      for (const button of this.buttons) button.disabled = true; // they are still as the last run's state was
      this.explore();
      write(this.parts.title, id);
    }

    show(status) {
      const { parts } = this;
      badge(parts.badge, status.state);
      write(parts.message, status.waiting.length
        ? `${status.waiting.map((name) => ASKED[name]).join(", ")}: asked for, the training takes it at its next step.`
        : status.error || ["running", "paused"].includes(status.state) ? "" : status.message);
      const error = status.error || (status.state === "failed" ? status.message || "The training failed." : "");
      write(parts["run-error"], error);
      parts["run-error"].hidden = !error;
      for (const button of this.buttons) button.disabled = !status.can.includes(button.dataset.request);
      this.#checkpoints = status.checkpoints ?? [];
      this.explore();
      this.#facts(status);
    }

    overtaken(turn) {
      return turn !== this.turn || this.#asking === this.#id;
    }

    // What Open in Explore opens: the checkpoint of the snapshot on the screen, if it is kept.
    explore() {
      const { explore } = this.parts;
      explore.disabled = !this.#checkpoints.length;
      if (explore.disabled) return hint(explore, "There is a model to explore after the first snapshot.");
      const { clips, asked } = this.#model();
      hint(explore, asked ? `Opens the model of ${kimg(clips)}.` :
        `The model of this snapshot was not kept: opens the newest, of ${kimg(clips)}.`);
    }

    #model() {
      const { viewed, following } = this.samples, kept = this.#checkpoints.includes(viewed);
      const clips = kept && !following ? viewed : this.#checkpoints.at(-1);
      return { id: `run:${this.#id}@${String(clips).padStart(9, "0")}`, clips, asked: kept || following };
    }

    #facts(status) {
      const stages = status.plan?.stages.length;
      const facts = {
        Stage: typeof status.stage === "number" && status.frames
          ? `${status.stage + 1}${stages ? ` of ${stages}` : ""}, ${pvs.sizeName(status)}` : "–",
        Phase: status.phase === "fade" ? `fading in, α ${(status.alpha ?? 0).toFixed(2)}` : status.phase || "–",
        Shown: typeof status.kimg === "number" ? `${status.kimg.toFixed(1)} of ${number(status.total_kimg)} kimg` : "–",
        Speed: status.clips_per_s ? `${number(status.clips_per_s)} clips/s` : "–",
        "Time left": ["running", "paused"].includes(status.state) ? duration(status.eta_s) : "–",
        "Trained on": [status.data, status.loss, status.device].filter(Boolean).join(", ") || "–",
      };
      for (const [name, text] of Object.entries(facts)) {
        let value = this.parts.facts.querySelector(`[data-fact="${name}"]`);
        if (!value) {
          const pair = pvs.node("div");
          value = pvs.node("dd");
          value.dataset.fact = name;
          pair.append(pvs.node("dt", "", name), value);
          this.parts.facts.append(pair);
        }
        write(value, text);
      }
    }

    async #request(name) {
      const id = this.#id;
      this.#asking = id;
      for (const button of this.buttons) button.disabled = true; // no second press
      try {
        const status = await pvs.json(url(id, "request"), { name });
        if (id === this.#id) this.show(status);
      } catch (error) {
        this.onTrouble(error.message);
      }
      this.turn++;
      if (this.#asking === id) this.#asking = null;
      this.onAsked();
    }
  };
})();
