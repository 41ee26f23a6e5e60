// The Train page: the list of runs, and either the form of a new training or one run, watched live.
//
// One loop asks the server once a second for the status of the run that is looked at, and for its statistics, samples
// and log only where the status says that there are new ones. It rests while nobody sees it (another tab, a hidden
// window) and catches up at once when somebody does. What did not change on the screen is not touched. The slider of
// the snapshots is the one place in time of the whole page: ruler, stages, samples, reals and curves follow it.
(() => {
  "use strict";
  const pvs = window.pvs;
  const { write, attribute, url } = pvs.train;
  const POLL_MS = 1000, LIST_EVERY = 3, AFTER_ERROR_MS = 3000, LOG_LINES = 300, READ_MS = 12_000;

  class TrainPage {
    #run = null; // id of the run that is looked at
    #seen = {}; // what is on the screen of it: {stats, samples, log} as the status counts them
    #since = 0;
    #visible = false;
    #wake; // looks at the server at once
    #round = 0;
    #first = true;
    #linked = null; // what a link says of the run that it opens, until that is shown
    #told = 0; // until when a sentence stays that no look at the server makes untrue

    constructor(element, parts) {
      this.element = element;
      this.parts = parts;
      const note = new pvs.UndoNote(parts), onTrouble = (text) => this.#tell(text);
      this.form = new pvs.TrainForm(parts, { onStarted: (id) => this.#started(id), onQueued: () => this.#again() });
      this.ruler = new pvs.GrowthRuler(parts.ruler, { onSeek: (clips) => this.samples.seek(clips) });
      this.curves = new pvs.TrainCurves(parts.curves, parts["curve-choices"]);
      this.samples = new pvs.Snapshots(parts, { onView: (clips) => this.#viewed(clips), onFit: () => this.strip?.fit() });
      this.strip = new pvs.StageStrip(parts, { timeline: this.samples.timeline,
        sheet: (item) => this.samples.sheet(item), onSeek: (clips) => this.samples.seek(clips) });
      this.head = new pvs.RunHead(parts, { samples: this.samples, onTrouble, onAsked: () => (this.#round = 0) });
      this.care = new pvs.RunCare(parts, { note, onClone: (yaml, name) => this.#clone(yaml, name),
        onMoved: (id, before) => this.#moved(id, before) });
      this.list = new pvs.RunList(parts, { onChoose: (id) => this.#open(id) });
      this.queue = new pvs.TrainQueue(parts, { note, onTrouble, onChoose: (id) => this.#open(id) });
      this.machine = new pvs.MachineLoad(parts.machine);
      this.alerts = new pvs.TrainAlerts(parts, { onShow: (place) => this.#reveal(place) });
      this.#listen();
    }

    #listen() {
      const { parts } = this;
      parts.new.addEventListener("click", () => {
        this.#first = false; // the first list, if it is still to come, opens nothing else
        this.#openForm();
      });
      parts.smoothing.addEventListener("input", () => {
        parts["smoothing-value"].textContent = Number(parts.smoothing.value).toFixed(2);
        this.curves.smooth(Number(parts.smoothing.value));
        this.#follow();
      });
      this.curves.onLook = () => this.#follow();
      parts["stage-clip"].addEventListener("change", () => this.#follow());
      parts.canvas.addEventListener("click", () => this.#follow());
      pvs.copiesLink(parts["copy-link"], () => this.#address(""), (error) => this.#tell(error.message));
      parts["log-panel"].addEventListener("toggle", () => this.#wake());
      this.#wake = pvs.looking(this.element, () => this.#look(), (shown) => {
        this.#visible = shown;
        if (shown) this.#follow();
      });
      pvs.onOpen("train", (detail) => {
        if (detail?.run) this.#open(detail.run);
        if (detail?.data) this.#openForm(detail.data); // "Train on this" of the Data page
        if (detail?.config) this.#openForm(), this.form.use(detail.config, detail.typed); // a lesson's "Take over in Train"
        else if (detail?.yaml) this.#openForm(), this.form.from(detail.yaml, detail.name); // that of a failure
      });
    }

    // ---- the loop ---------------------------------------------------------------------------------------------
    // The list first, at once.
    #again() {
      this.#round = 0;
      this.#wake();
    }

    // Returns the pause until the next time.
    async #look() {
      try {
        if (this.#round++ % LIST_EVERY === 0) await this.#list();
        if (this.#run) await this.#watch(this.#run);
        if (performance.now() > this.#told) this.#trouble("");
        return POLL_MS;
      } catch (error) {
        this.#trouble(error.message);
        this.#told = 0; // goes when there is an answer again
        this.#round = 0; // the list first, once there is an answer again
        return AFTER_ERROR_MS;
      }
    }

    // What a button could not do: there long enough to be read, though the next look at the server goes well.
    #tell(text) {
      this.#trouble(text);
      this.#told = performance.now() + READ_MS;
    }

    #trouble(text) {
      write(this.parts.trouble, text);
      this.parts.trouble.hidden = !text;
    }

    async #list() {
      const before = this.#run, change = this.queue.changes, listed = await pvs.json("api/runs"), { runs } = listed;
      this.list.draw(listed);
      if (change === this.queue.changes) this.queue.list(listed.queue, listed.read_only); // else it is older than what is shown
      this.care.list(listed.trash, listed.read_only);
      if (this.#run && this.#run === before && !runs.some((run) => run.id === this.#run)) {
        this.#openForm();
        this.#tell("The run that was shown here is not in the folder any more.");
      }
      if (this.#first && !this.#run && !this.form.folder) this.#landing(runs); // else somebody was sent here for it
      this.#first = false;
    }

    #landing(runs) {
      const wanted = this.#first ? new URLSearchParams(location.search).get("run") : null;
      if (wanted && !runs.some((r) => r.id === wanted)) this.#tell(`There is no run "${wanted}" here.`);
      const run = runs.find((r) => r.id === wanted) || runs.find((r) => r.state === "running") || runs[0];
      const view = new URLSearchParams(location.search).get("v");
      if (run && run.id === wanted && view) this.#linked = { run: run.id, ...pvs.trainLink.decode(view) };
      if (run) this.#open(run.id);
      else this.#openForm();
    }

    // ---- what is looked at ------------------------------------------------------------------------------------
    #openForm(folder) {
      this.#run = this.#linked = null;
      this.#show("form");
      this.form.open();
      if (folder) this.form.useFolder(folder);
    }

    #open(id) {
      if (id !== this.#run) {
        this.#run = id;
        if (this.#linked?.run !== id) this.#linked = null;
        this.#seen = {};
        this.#since = 0;
        this.fresh = true;
        for (const part of [this.head, this.care, this.alerts]) part.run(id);
      }
      this.#show("watch");
      this.#wake();
    }

    #show(part) {
      this.parts.form.hidden = part !== "form";
      this.parts.watch.hidden = part !== "watch";
      this.list.mark(this.#run);
      attribute(this.parts.new, "aria-pressed", String(!this.#run));
      if (!this.#linked && this.#visible) history.replaceState(history.state, "", this.#address());
    }

    #address(others) {
      const { samples, strip, curves, parts } = this;
      const v = this.#run && !this.fresh && pvs.trainLink.encode({ at: samples.following ? null : samples.viewed, clip: strip.row,
        smoothing: Number(parts.smoothing.value), zoom: curves.zoom, panels: curves.panelIds });
      return pvs.address({ tab: "train", run: this.#run, v }, others);
    }

    #follow = pvs.addressFollows(() => this.#visible && !this.#first && !this.#linked && this.#address());

    #started(id) {
      this.#round = 0; // the list first: the run is to be in it
      this.#open(id);
      this.parts.title.scrollIntoView({ block: "nearest" });
    }

    // A run has another name; null: it is in the trash. The next one in the list is shown instead; but where another
    // has been chosen meanwhile, that stays.
    async #moved(id, before) {
      if (before && this.#run && this.#run !== before) return this.#again();
      this.#tell(""); // a list may have missed it first
      this.#run = null;
      if (id) this.#open(id);
      else {
        const { runs } = await pvs.json("api/runs");
        if (!this.#run) this.#landing(runs);
      }
      this.#again();
    }

    async #clone(yaml, name) {
      this.#openForm();
      await this.form.from(yaml, name);
      this.parts.form.scrollIntoView({ block: "start" });
    }

    async #watch(id) {
      const { turn } = this.head;
      const status = await pvs.json(url(id, "status")).catch((error) => {
        if (id === this.#run) throw error;
      });
      if (id !== this.#run) return; // another was chosen meanwhile, or it has another name
      if (this.head.overtaken(turn)) return;
      if (this.fresh || (!this.planned && status.plan)) this.#begin(id, status);
      const where = status.plan && typeof status.clips === "number"
        ? { clips: status.clips, stage: status.stage ?? 0, alpha: status.alpha ?? 0, phase: status.phase } : null;
      this.ruler.at(where);
      this.strip.at(where);
      this.head.show(status);
      this.care.show(status);
      this.machine.show(status.machine);
      const { sizes } = status;
      this.alerts.look(JSON.stringify([sizes.stats, sizes.samples, status.state]));
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
      this.strip.plan(status.plan);
      this.samples.run(id, last && { frames: last.frames, resolution: last.resolution, window: status.time === "window" });
      this.parts.ruler.hidden = !status.plan;
      if (status.plan) this.ruler.plan(status.plan);
      write(this.parts.log, "");
      if (status.plan && this.#linked) this.#lookAt(this.#linked);
    }

    #lookAt({ clip, smoothing, zoom, panels }) {
      const { parts, curves } = this;
      this.strip.choose(clip);
      parts.smoothing.value = smoothing;
      parts["smoothing-value"].textContent = smoothing.toFixed(2);
      curves.smooth(smoothing);
      curves.choose(panels);
      curves.zoom = zoom;
    }

    async #statistics(id, size) {
      const { rows, next, reset } = await pvs.json(url(id, `stats?since=${this.#since}`));
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
      const list = await pvs.json(url(id, "samples"));
      if (id !== this.#run) return;
      this.#seen.samples = count;
      this.samples.list(list);
      if (this.#linked && this.#linked.at !== null) this.samples.seek(this.#linked.at);
      this.#linked = null;
    }

    async #log(id, size) {
      const { lines } = await pvs.json(url(id, `log?lines=${LOG_LINES}`));
      if (id !== this.#run) return;
      this.#seen.log = size;
      const { log } = this.parts, atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      write(log, lines.join("\n") || "The log is empty so far.");
      if (atEnd) log.scrollTop = log.scrollHeight;
    }

    // ---- one place in time ------------------------------------------------------------------------------------
    #viewed(clips) {
      const past = this.samples.following ? null : clips; // the newest needs no mark: it is where the run is
      this.ruler.viewed(past);
      this.curves.viewed(past);
      this.strip?.show(this.samples.items, clips);
      this.head?.explore();
      this.#follow();
    }

    // Where an alert can be seen.
    #reveal({ snapshot, curves, from, to, part }) {
      const { parts } = this;
      if (snapshot !== undefined) this.samples.seek(snapshot);
      if (curves) this.curves.reveal(curves, [from, to]);
      if (part === "log") parts["log-panel"].open = true;
      const place = snapshot !== undefined ? parts["samples-panel"] : curves ? parts["curves-panel"] :
        part === "log" ? parts["log-panel"] : parts.machine;
      place.scrollIntoView({ block: "start", behavior: pvs.reducedMotion() ? "auto" : "smooth" });
    }
  }

  pvs.view("train", ({ element }) => {
    const parts = {};
    for (const node of element.querySelectorAll("[data-part]")) parts[node.dataset.part] = node;
    new TrainPage(element, parts);
  });
})();
