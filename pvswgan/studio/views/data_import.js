// The form of an import, and the imports that are at work, interrupted or over.
//
//   const form = new pvs.ImportForm(parts, {onStarted: (jobId) => ...});
//   form.open(options, readOnly);
//   const jobs = new pvs.ImportJobs(parts, {onOpen: (storeFolder) => ..., onChanged: () => ...});
//   jobs.show(list, readOnly);
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.ImportForm) return;
  const { node, write, count, many, duration, fill } = pvs.data;
  const PAUSE_MS = 150; // after the last key, before the fields are checked

  pvs.ImportForm = class ImportForm {
    #options = null;
    #touched = new Set(); // only of these fields, or after Start, are complaints shown
    #timer = 0;
    #readOnly = false;
    #check = pvs.latest(() => this.#ask());

    constructor(parts, { onStarted }) {
      this.parts = parts;
      this.onStarted = onStarted;
      this.fields = Object.fromEntries([...parts.form.querySelectorAll("[data-field]")].map((one) => [one.dataset.field, one]));
      parts.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#start();
      });
      parts.form.addEventListener("input", (event) => this.#changed(event.target.dataset.field));
    }

    open(options, readOnly, empty) {
      const first = !this.#options;
      this.#options = options;
      this.#readOnly = readOnly;
      if (first) {
        fill(this.fields.source, options.sources.map(({ id }) => [id, id]), "auto");
        fill(this.fields.resolution, options.resolutions.map((size) => [size, `${size} × ${size}`]), 64);
        this.#kind();
        this.#check();
      }
      for (const field of Object.values(this.fields)) field.disabled = readOnly;
      this.parts.start.disabled = readOnly;
      write(this.parts["form-note"], readOnly ? "This studio is read-only: stores can be looked at here, but nothing is imported."
        : empty ? "Nothing is here yet. Write where your videos are, or choose toyfaces as kind of data: they are drawn in a minute."
          : "Each video becomes clips at every size that a training grows through. The work goes on when this page is closed.");
    }

    #wish() {
      return Object.fromEntries(Object.entries(this.fields).map(([name, field]) =>
        [name, field.type === "checkbox" ? field.checked : field.value]));
    }

    #changed(name) {
      if (!name) return;
      this.#touched.add(name);
      if (name === "source") this.#kind();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#check(), PAUSE_MS);
    }

    #kind() {
      const { parts } = this, { drawn, help } = this.#options.sources.find(({ id }) => id === this.fields.source.value);
      const { defaults } = this.#options;
      write(parts["source-help"], help);
      for (const box of parts.form.querySelectorAll('[data-of="files"]')) box.hidden = drawn;
      write(parts["frames-label"], drawn ? "Frames" : "Least frames");
      write(parts["frames-help"], drawn ? "of each clip" : "shorter clips are left out, and named");
      this.fields.frames.placeholder = drawn ? defaults.drawn_frames : defaults.frames;
      write(parts["clips-help"], drawn ? "how many to draw" : "at most, spread over the files; empty: all");
      this.fields.clips.placeholder = drawn ? count(defaults.clips) : "all";
    }

    async #ask() {
      try {
        const { command, problems } = await pvs.json("api/data/plan", this.#wish());
        write(this.parts.command, command);
        this.#problems(problems);
        return problems;
      } catch (error) {
        this.#problems({ "": error.message });
        return { "": error.message };
      }
    }

    #problems(problems) {
      for (const place of this.parts.form.querySelectorAll("[data-problem]")) {
        const name = place.dataset.problem, known = !name || this.#touched.has(name);
        const text = (known && problems[name]) || "";
        write(place, text);
        this.fields[name]?.setAttribute("aria-invalid", String(Boolean(text)));
      }
    }

    async #start() {
      if (this.#readOnly) return;
      const { start, "start-note": note } = this.parts;
      clearTimeout(this.#timer);
      for (const name of Object.keys(this.fields)) this.#touched.add(name);
      start.disabled = true;
      const problems = await this.#ask(), wrong = Object.keys(problems);
      if (!wrong.length) {
        write(note, "Starting…");
        try {
          const { id } = await pvs.json("api/data/import", this.#wish());
          this.#touched.clear();
          this.onStarted(id);
        } catch (error) {
          this.#problems({ "": error.message });
        }
        write(note, "");
      } else this.fields[wrong[0]]?.focus();
      start.disabled = false;
    }
  };

  // ---- imports that were started --------------------------------------------------------------------------------
  const STATES = { starting: "starting", running: "running", interrupted: "interrupted", cancelled: "cancelled",
    failed: "failed", done: "finished" }; // as the badge knows them
  const BUTTONS = { cancel: "Cancel", resume: "Resume", forget: "Dismiss", open: "Open" };

  function buttonsOf({ state, cancelling, store }, readOnly) {
    if (readOnly) return state === "done" && store ? ["open"] : [];
    if (state === "starting" || state === "running") return cancelling ? [] : ["cancel"];
    if (state === "done") return store ? ["open", "forget"] : ["forget"];
    return ["resume", "forget"];
  }

  function sentence(job) {
    const left = job.eta_s ? `, about ${duration(job.eta_s)} left` : "";
    const done = job.total ? `${count(job.done)} of ${many(job.total, "file")}` : "";
    const made = [done, many(job.clips || 0, "clip"), job.skipped ? `${count(job.skipped)} skipped` : ""].filter(Boolean).join(", ");
    if (job.cancelling) return "Stopping after the file that is being read…";
    if (job.state === "starting") return "Starting…";
    if (job.state === "running") return job.total ? `${made}${left}` : "Looking for clips…";
    if (job.state === "interrupted") return `Its process is gone (${made}). Resume goes on from there.`;
    if (job.state === "cancelled") return `Stopped at ${made}. Resume goes on from there.`;
    if (job.state === "done") return `${made}, in ${duration(job.seconds)}.`;
    return "";
  }

  pvs.ImportJobs = class ImportJobs {
    #cards = new Map(); // job id -> its parts
    #seen = new Set(); // jobs that were at work while this page looked: done, they stay until they are dismissed

    constructor(parts, { onOpen, onChanged }) {
      this.place = parts.jobs;
      this.onOpen = onOpen;
      this.onChanged = onChanged;
    }

    show(list, readOnly) {
      for (const job of list) if (job.state !== "done") this.#seen.add(job.id);
      const jobs = list.filter((job) => this.#seen.has(job.id));
      for (const [id, card] of this.#cards) {
        if (jobs.some((job) => job.id === id)) continue;
        card.box.remove();
        this.#cards.delete(id);
      }
      for (const job of jobs) {
        if (!this.#cards.has(job.id)) this.#cards.set(job.id, this.#card(job));
        this.#update(this.#cards.get(job.id), job, readOnly);
      }
      this.place.hidden = !jobs.length;
    }

    #card(job) {
      const card = { box: node("article", "pvs-panel pd-job"), title: node("b"), badge: node("span", "pt-badge"),
        bar: node("div", "pd-bar"), words: node("span"), item: node("small"), error: node("p", "pt-problem"),
        buttons: node("div", "pvs-row"), job };
      card.box.dataset.job = job.id;
      card.bar.setAttribute("role", "progressbar");
      card.bar.append(node("i"));
      card.error.setAttribute("role", "alert");
      const head = node("div", "pd-job-head"), line = node("p", "pvs-note");
      head.append(card.title, card.badge, card.buttons);
      line.append(card.words, card.item);
      card.box.append(head, card.bar, line, card.error);
      for (const [action, text] of Object.entries(BUTTONS)) {
        const button = node("button", "pvs-button", text);
        Object.assign(button, { type: "button", hidden: true });
        button.dataset.action = action;
        button.addEventListener("click", () => this.#act(card, action));
        card.buttons.append(button);
      }
      this.place.prepend(card.box);
      return card;
    }

    #update(card, job, readOnly) {
      card.job = job;
      const drawn = job.words[0] !== "import", name = drawn ? job.words[0] : job.words[1] || "";
      write(card.title, drawn ? name : name.split("/").filter(Boolean).at(-1) || name);
      card.title.title = name;
      write(card.badge, job.cancelling ? "cancelling" : job.state);
      card.badge.dataset.state = STATES[job.state] || job.state;
      const share = job.state === "done" ? 1 : job.total ? job.done / job.total : 0;
      card.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
      card.bar.setAttribute("aria-label", `Import of ${name}`);
      card.bar.firstChild.style.width = `${100 * share}%`;
      write(card.words, sentence(job));
      write(card.item, job.state === "running" && job.total ? job.item || "" : "");
      if (job.error || !card.complained) write(card.error, job.error || "");
      const wanted = buttonsOf(job, readOnly);
      for (const button of card.buttons.children) {
        const hidden = !wanted.includes(button.dataset.action);
        if (button.hidden !== hidden) button.hidden = hidden;
        button.disabled = false;
      }
    }

    async #act(card, action) {
      if (action === "open") return this.onOpen(card.job.store);
      for (const button of card.buttons.children) button.disabled = true; // no second press
      card.complained = false;
      try {
        await pvs.json(`api/data/${action}`, { id: card.job.id });
      } catch (error) {
        card.complained = true;
        write(card.error, error.message);
      }
      this.onChanged();
    }
  };
})();
