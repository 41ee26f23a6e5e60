// The Train page: the list of runs, and either the form of a new training or one run, watched live.
//
// One loop asks the server once a second for the status of the run that is looked at, and for its statistics, samples
// and log only where the status says that there are new ones. It rests while nobody sees it (another tab, a hidden
// window) and catches up at once when somebody does. What did not change on the screen is not touched.
(() => {
  "use strict";
  const pvs = window.pvs;
  const POLL_MS = 1000, LIST_EVERY = 3, AFTER_ERROR_MS = 3000, LOG_LINES = 300;
  const ASKED = { pause: "Pausing", resume: "Resuming", stop: "Stopping", snapshot: "Taking a snapshot" };

  class TrainPage {
    #run = null; // id of the run that is looked at
    #seen = {}; // what is on the screen of it: {stats, samples, log} as the status counts them
    #since = 0;
    #rows = new Map(); // run id -> its line in the list
    #visible = false;
    #polling = false;
    #timer = 0;
    #round = 0;
    #first = true;
    #checkpoints = []; // clips after which there is a model, oldest first

    constructor(element, parts) {
      this.element = element;
      this.parts = parts;
      this.form = new pvs.TrainForm(parts, { onStarted: (id) => this.#started(id) });
      this.ruler = new pvs.GrowthRuler(parts.ruler, { onSeek: (clips) => this.samples.seek(clips) });
      this.curves = new pvs.TrainCurves(parts.curves, parts["curve-choices"]);
      this.samples = new pvs.Snapshots(parts, { onView: (clips) => this.#viewed(clips) });
      this.#listen();
    }

    #listen() {
      const { parts } = this;
      parts.new.addEventListener("click", () => this.#openForm());
      for (const button of parts.watch.querySelectorAll("[data-request]")) {
        button.addEventListener("click", () => this.#request(button.dataset.request));
      }
      parts.explore.addEventListener("click", () => pvs.openTab("explore", { model: this.#model().id }));
      parts.smoothing.addEventListener("input", () => {
        parts["smoothing-value"].textContent = Number(parts.smoothing.value).toFixed(2);
        this.curves.smooth(Number(parts.smoothing.value));
      });
      parts["log-panel"].addEventListener("toggle", () => this.#wake());
      document.addEventListener("visibilitychange", () => this.#wake());
      pvs.whenShown(this.element, (shown) => {
        this.#visible = shown;
        if (shown) this.#wake();
      });
      pvs.onOpen("train", (detail) => {
        if (detail?.run) this.#open(detail.run);
        if (detail?.data) this.#openForm(detail.data); // "Train on this" of the Data page
      });
    }

    // ---- the loop ---------------------------------------------------------------------------------------------
    #wake() {
      clearTimeout(this.#timer);
      if (!this.#polling && this.#visible && !document.hidden) this.#poll();
    }

    async #poll() {
      this.#polling = true;
      let pause = POLL_MS;
      try {
        if (this.#round++ % LIST_EVERY === 0) await this.#list();
        if (this.#run) await this.#watch(this.#run);
        this.#trouble("");
      } catch (error) {
        this.#trouble(error.message);
        this.#round = 0; // the list first, once there is an answer again
        pause = AFTER_ERROR_MS;
      }
      this.#polling = false;
      clearTimeout(this.#timer);
      if (this.#visible && !document.hidden) this.#timer = setTimeout(() => this.#poll(), pause);
    }

    #trouble(text) {
      write(this.parts.trouble, text);
      this.parts.trouble.hidden = !text;
    }

    // ---- the list ---------------------------------------------------------------------------------------------
    async #list() {
      const { runs, folder } = await pvs.json("api/runs");
      this.parts["no-runs"].hidden = runs.length > 0;
      write(this.parts["no-runs"], `No run yet in ${folder}. Start one here, or in a shell with “python -m train”: it is found.`);
      this.#drawList(runs);
      if (this.#run && !runs.some((run) => run.id === this.#run)) {
        this.#openForm();
        throw new Error("The run that was shown here is not in the folder any more.");
      }
      if (this.#first) this.#landing(runs);
      this.#first = false;
    }

    #landing(runs) {
      if (this.#run || this.form.folder) return; // somebody was sent here for it
      const wanted = new URLSearchParams(location.search).get("run");
      const run = runs.find((r) => r.id === wanted) || runs.find((r) => r.state === "running") || runs[0];
      if (run) this.#open(run.id);
      else this.#openForm();
    }

    #drawList(runs) {
      for (const [id, line] of this.#rows) {
        if (runs.some((run) => run.id === id)) continue;
        line.item.remove();
        this.#rows.delete(id);
      }
      runs.forEach((run, place) => {
        if (!this.#rows.has(run.id)) this.#rows.set(run.id, this.#line(run.id));
        const line = this.#rows.get(run.id), { children } = this.parts.runs;
        if (children[place] !== line.item) this.parts.runs.insertBefore(line.item, children[place] || null);
        badge(line.badge, run.state);
        write(line.what, [run.data, run.loss].filter(Boolean).join(", "));
        write(line.progress, progress(run));
        line.bar.style.setProperty("--done", `${run.total_kimg ? (100 * run.kimg) / run.total_kimg : 0}%`);
      });
      this.#mark();
    }

    #line(id) {
      const item = pvs.node("li"), button = pvs.node("button", "pt-run");
      const line = { item, button, name: pvs.node("b", "", id), badge: pvs.node("span", "pt-badge"),
        what: pvs.node("small"), progress: pvs.node("small"), bar: pvs.node("i", "pt-progress") };
      button.type = "button";
      button.dataset.run = id;
      button.append(line.name, line.badge, line.what, line.progress, line.bar);
      button.addEventListener("click", () => {
        this.#open(id);
        // On a narrow screen the run is below the list, maybe out of sight.
        if (this.parts.watch.offsetTop > this.parts.runs.offsetTop + 100) this.parts.watch.scrollIntoView({ block: "start" });
      });
      item.append(button);
      return line;
    }

    #mark() {
      for (const [id, { button }] of this.#rows) {
        if (id === this.#run) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
      this.parts.new.setAttribute("aria-pressed", String(!this.#run));
    }

    // ---- what is looked at ------------------------------------------------------------------------------------
    #openForm(folder) {
      this.#run = null;
      this.#show("form");
      this.form.open();
      if (folder) this.form.useFolder(folder);
    }

    #open(id) {
      if (id !== this.#run) {
        this.#run = id;
        this.#seen = {};
        this.#since = 0;
        this.#checkpoints = [];
        this.fresh = true;
        write(this.parts.title, id);
      }
      this.#show("watch");
      this.#wake();
    }

    #show(part) {
      this.parts.form.hidden = part !== "form";
      this.parts.watch.hidden = part !== "watch";
      this.#mark();
      const url = new URL(location.href);
      if (this.#run) url.searchParams.set("run", this.#run);
      else url.searchParams.delete("run");
      history.replaceState(history.state, "", url);
    }

    #started(id) {
      this.#round = 0; // the list first: the run is to be in it
      this.#open(id);
      this.parts.title.scrollIntoView({ block: "nearest" });
    }

    async #watch(id) {
      const status = await pvs.json(`api/runs/${encodeURIComponent(id)}/status`);
      if (id !== this.#run) return; // another was chosen meanwhile
      if (this.fresh || (!this.planned && status.plan)) this.#begin(id, status);
      this.#head(status);
      const { sizes } = status;
      const jobs = [];
      if (sizes.stats !== this.#seen.stats) jobs.push(this.#statistics(id, sizes.stats));
      if (sizes.samples !== this.#seen.samples) jobs.push(this.#samples(id, sizes.samples));
      if (this.parts["log-panel"].open && sizes.log !== this.#seen.log) jobs.push(this.#log(id, sizes.log));
      await Promise.all(jobs);
    }

    #begin(id, status) {
      this.fresh = false;
      this.planned = Boolean(status.plan);
      this.#since = 0;
      this.#seen = {};
      const last = status.plan?.stages.at(-1);
      this.curves.run(id, status.plan);
      this.#curvesShown(false);
      this.samples.run(id, last && { frames: last.frames, resolution: last.resolution, window: status.time === "window" });
      this.parts.ruler.hidden = !status.plan;
      if (status.plan) this.ruler.plan(status.plan);
      write(this.parts.log, "");
    }

    async #statistics(id, size) {
      const { rows, next, reset } = await pvs.json(`api/runs/${encodeURIComponent(id)}/stats?since=${this.#since}`);
      if (id !== this.#run) return;
      this.#since = next;
      this.#seen.stats = size;
      this.curves.add(rows, reset);
      this.#curvesShown(this.curves.rows.length > 0);
    }

    #curvesShown(shown) {
      this.parts.curves.hidden = this.parts["curve-choices"].hidden = !shown;
      this.parts["no-curves"].hidden = shown;
    }

    async #samples(id, count) {
      const list = await pvs.json(`api/runs/${encodeURIComponent(id)}/samples`);
      if (id !== this.#run) return;
      this.#seen.samples = count;
      this.samples.list(list);
    }

    async #log(id, size) {
      const { lines } = await pvs.json(`api/runs/${encodeURIComponent(id)}/log?lines=${LOG_LINES}`);
      if (id !== this.#run) return;
      this.#seen.log = size;
      const { log } = this.parts, atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      write(log, lines.join("\n") || "The log is empty so far.");
      if (atEnd) log.scrollTop = log.scrollHeight;
    }

    // ---- the head: state, buttons, facts ----------------------------------------------------------------------
    #head(status) {
      const { parts } = this;
      badge(parts.badge, status.state);
      write(parts.message, status.waiting.length
        ? `${status.waiting.map((name) => ASKED[name]).join(", ")}: asked for, the training takes it at its next step.`
        : status.error || ["running", "paused"].includes(status.state) ? "" : status.message);
      const error = status.error || (status.state === "failed" ? status.message || "The training failed." : "");
      write(parts["run-error"], error);
      parts["run-error"].hidden = !error;
      for (const button of parts.watch.querySelectorAll("[data-request]")) {
        button.disabled = !status.can.includes(button.dataset.request);
      }
      this.#checkpoints = status.checkpoints ?? [];
      this.#exploreButton();
      if (status.plan && typeof status.clips === "number") {
        this.ruler.at({ clips: status.clips, stage: status.stage ?? 0, alpha: status.alpha ?? 0, phase: status.phase });
      } else this.ruler.at(null);
      this.#facts(status);
    }

    // ---- what Open in Explore opens: the checkpoint of the snapshot on the screen, if it is kept ----------------
    #viewed(clips) {
      this.ruler.viewed(clips);
      this.#exploreButton();
    }

    #model() {
      const { viewed, following } = this.samples, kept = this.#checkpoints.includes(viewed);
      const clips = kept && !following ? viewed : this.#checkpoints.at(-1);
      return { id: `run:${this.#run}@${String(clips).padStart(9, "0")}`, clips, asked: kept || following };
    }

    #exploreButton() {
      const { explore } = this.parts;
      explore.disabled = !this.#checkpoints.length;
      if (explore.disabled) return hint(explore, "There is a model to explore after the first snapshot.");
      const { clips, asked } = this.#model(), at = `${+(clips / 1000).toFixed(1)} kimg`;
      hint(explore, asked ? `Opens the model of ${at}.` :
        `The model of this snapshot was not kept: opens the newest, of ${at}.`);
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
      const id = this.#run;
      for (const button of this.parts.watch.querySelectorAll("[data-request]")) button.disabled = true; // no second press
      try {
        const status = await pvs.json(`api/runs/${encodeURIComponent(id)}/request`, { name });
        if (id === this.#run) this.#head(status);
      } catch (error) {
        this.#trouble(error.message);
      }
      this.#round = 0;
    }
  }

  // ---- small helpers ------------------------------------------------------------------------------------------
  function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function hint(node, text) {
    if (node.title !== text) node.title = text;
  }

  function badge(node, state) {
    write(node, state);
    if (node.dataset.state !== state) node.dataset.state = state;
  }

  const number = (value) => (typeof value === "number" ? String(+value.toPrecision(4)) : "–");

  function duration(seconds) {
    if (typeof seconds !== "number") return "–";
    const minutes = Math.round(seconds / 60);
    if (minutes < 1) return "under a minute";
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return `${Math.round(minutes / 1440)} days`;
  }

  function progress(run) {
    const done = typeof run.kimg === "number" ? `${run.kimg.toFixed(1)} kimg` : "";
    const left = run.state === "running" ? `${duration(run.eta_s)} left` : ago(run.updated);
    return [done, left].filter(Boolean).join(" · ");
  }

  function ago(time) {
    if (typeof time !== "number") return "";
    const seconds = Date.now() / 1000 - time;
    if (seconds < 90) return "just now";
    if (seconds < 86400) return `${duration(seconds)} ago`;
    return new Date(time * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
  }

  pvs.view("train", ({ element }) => {
    const parts = {};
    for (const node of element.querySelectorAll("[data-part]")) parts[node.dataset.part] = node;
    new TrainPage(element, parts);
  });
})();
