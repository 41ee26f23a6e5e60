// What may be going wrong in the run that is looked at: a sentence, the numbers behind it, and the way to where they show.
//
//   const alerts = new pvs.TrainAlerts(parts, {onShow: (place) => ...});   place: as alerts.py describes `shown`
//   alerts.run(id);               another run
//   alerts.look(key);             asks anew where `key` differs from the last time, and at times in any case
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.TrainAlerts) return;
  const { write, url } = pvs.train;
  const REST_MS = 4000, STALE_MS = 30000; // between two questions; for the disk, which no file of the run tells of

  pvs.TrainAlerts = class TrainAlerts {
    #id = null;
    #key = null;
    #asking = false;
    #when = -Infinity;
    #drawn = "";

    constructor(parts, { onShow }) {
      this.parts = parts;
      this.onShow = onShow;
    }

    run(id) {
      this.#id = id;
      this.#key = null;
      this.#when = -Infinity;
      this.#draw([]);
      write(this.parts["alerts-none"], "");
    }

    // Not waited for by the loop: sheets of large clips take the studio a moment to measure.
    async look(key) {
      const id = this.#id, age = performance.now() - this.#when;
      if (this.#asking || age < REST_MS || (key === this.#key && age < STALE_MS)) return;
      this.#asking = true;
      try {
        const found = await pvs.json(url(id, "alerts"));
        if (id !== this.#id) return;
        [this.#key, this.#when] = [key, performance.now()];
        this.#draw(found);
        write(this.parts["alerts-none"],
          found.length ? "" : "Nothing alarming in the losses, the samples, the critic and the disk.");
      } catch {
        // The loop itself says that the studio does not answer.
      } finally {
        this.#asking = false;
      }
    }

    #draw(found) {
      const key = JSON.stringify(found);
      if (key === this.#drawn) return;
      this.#drawn = key;
      this.parts.alerts.replaceChildren(...found.map((alert) => pvs.alertBox(alert, this.onShow)));
    }
  };
})();
