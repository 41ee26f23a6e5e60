// Imports that were started: at work, interrupted or over. A card each, with progress and what can be done with it.
//
//   const jobs = new pvs.ImportJobs(parts, {onOpen: (storeId) => ..., onChanged: () => ...});
//   jobs.show(list, readOnly);      the `store` of a job is its id in the list of stores; null: there is none
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.ImportJobs) return;
  const { node, write, count, many } = pvs.data;
  const STATES = { starting: "starting", running: "running", interrupted: "interrupted", cancelled: "cancelled",
    failed: "failed", done: "finished" }; // as the badge knows them
  const BUTTONS = { cancel: "Cancel", resume: "Resume", forget: "Dismiss", open: "Open" };

  function buttonsOf({ state, cancelling, store }, readOnly) {
    if (readOnly) return state === "done" && store ? ["open"] : [];
    if (state === "starting" || state === "running") return cancelling ? [] : ["cancel"];
    if (state === "done") return store ? ["open", "forget"] : ["forget"];
    return ["resume", "forget"];
  }

  const OF_FILES = { import: "file", faces: "film" }; // what these commands work through, and the others draw

  function sentence(job) {
    const left = job.eta_s ? `, about ${pvs.wait(job.eta_s)} left` : "", thing = OF_FILES[job.words[0]];
    const share = !job.total ? ""
      : thing ? `${count(job.done)} of ${many(job.total, thing)}` : `${Math.floor((100 * job.done) / job.total)} %`;
    const made = [share, many(job.clips || 0, "clip"), job.skipped ? `${count(job.skipped)} skipped` : ""].filter(Boolean).join(", ");
    if (job.cancelling) return "Stopping…";
    if (job.state === "starting") return "Starting…";
    if (job.state === "running") return job.total ? `${made}${left}` : "Looking for clips…";
    if (job.state === "interrupted") return `Its process is gone (${made}). Resume goes on from there.`;
    if (job.state === "cancelled") return `Stopped at ${made}. Resume goes on from there.`;
    if (job.state === "done") return job.total ? `${made}, in ${pvs.wait(job.seconds)}.` : "This store was there already.";
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
      if (card.job?.state !== job.state) card.complained = false;
      card.job = job;
      const drawn = !(job.words[0] in OF_FILES), name = (drawn ? job.words[0] : job.words[1]) || "";
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
        button.disabled = card.acting;
      }
    }

    async #act(card, action) {
      if (action === "open") return this.onOpen(card.job.store);
      card.acting = true; // no second press
      for (const button of card.buttons.children) button.disabled = true;
      card.complained = false;
      try {
        await pvs.json(`api/data/${action}`, { id: card.job.id });
      } catch (error) {
        card.complained = true;
        write(card.error, error.message);
      }
      card.acting = false;
      this.onChanged();
    }
  };
})();
