// The Data page: the list of stores, and either the form of an import or one store, looked at.
//
// One loop asks for the list: twice a second while an import is at work, now and then otherwise, and never while nobody
// sees the page. Of a store that is looked at nothing is asked again until it is built anew.
(() => {
  "use strict";
  const pvs = window.pvs;
  const { node, write, many, bytes, query } = pvs.data;
  const BUSY_MS = 500, IDLE_MS = 4000, AFTER_ERROR_MS = 3000;

  class DataPage {
    #store = null; // id of the store that is looked at
    #modified = null; // when it was built
    #rows = new Map(); // store id -> its line in the list
    #stores = [];
    #options = null;
    #started = new Set(); // imports that were started from the form and whose store is to be opened
    #first = true;
    #gone = false; // the store that is looked at was removed
    #wake; // asks for the list at once
    #wanted = null; // the store that is opened as soon as it is in the list

    constructor(element, parts) {
      this.element = element;
      this.parts = parts;
      this.form = new pvs.ImportForm(parts, { onStarted: (id) => this.#importing(id) });
      this.jobs = new pvs.ImportJobs(parts, { onOpen: (id) => this.#open(id), onChanged: () => this.#wake() });
      this.charts = new pvs.DataCharts(parts, { onClass: (label) => this.wall.only(label) });
      this.clip = new pvs.ClipView(parts);
      this.wall = new pvs.ClipWall(parts, { onClip: (clip, chosen) => this.#clip(clip, chosen),
        onClass: (label) => this.charts.mark(label) });
      this.trash = new pvs.DataTrash(parts, { onGone: (id) => this.#leave(id), onBack: (id) => this.#await(id),
        onChanged: () => this.#wake() });
      parts.elsewhere.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#elsewhere();
      });
      parts.new.addEventListener("click", () => {
        this.#first = false; // the first list, if it is still to come, opens nothing else
        this.#openForm(true);
      });
      parts.train.addEventListener("click", () => pvs.openTab("train", { data: this.about.folder }));
      this.#wake = pvs.looking(element, () => this.#look());
    }

    // Asks for the list; returns the pause until the next time.
    async #look() {
      try {
        if (!this.#options) {
          this.#options = await pvs.json("api/data/options");
          this.clip.options(this.#options);
        }
        const list = await pvs.json("api/data/list");
        this.#list(list);
        this.#trouble("");
        return list.jobs.some(({ state }) => state === "running" || state === "starting") ? BUSY_MS : IDLE_MS;
      } catch (error) {
        this.#trouble(error.message);
        return AFTER_ERROR_MS;
      }
    }

    #trouble(text) {
      write(this.parts.trouble, text);
      this.parts.trouble.hidden = !text;
    }

    // ---- the list ---------------------------------------------------------------------------------------------
    #list(list) {
      const { parts } = this;
      this.#stores = list.stores;
      this.readOnly = list.read_only;
      parts["no-stores"].hidden = list.stores.length > 0;
      write(parts["no-stores"], `No store yet in ${list.folder}. Import clips here, or in a shell: what is made is found.`);
      this.#drawStores(list.stores);
      parts.elsewhere.hidden = list.read_only;
      this.jobs.show(list.jobs.map((job) => ({ ...job, store: this.#idOf(job.store) })), list.read_only);
      this.trash.show(list);
      this.#arrived(list.jobs);
      const shown = list.stores.find(({ id }) => id === this.#store), came = this.#gone && shown;
      if (this.#store && !shown && !this.#gone) this.#broken("It is not in the folder of stores any more.");
      this.#gone = Boolean(this.#store && !shown);
      if (shown && this.about && (came || shown.modified !== this.#modified)) this.#load(shown);
      if (this.#first) this.#landing();
      this.#first = false;
      if (!this.#store) this.form.open(this.#options, list.read_only, !list.stores.length);
    }

    #landing() {
      if (this.#store) return;
      const wanted = new URLSearchParams(location.search).get("store");
      const store = this.#stores.find(({ id }) => id === wanted) || this.#stores.find(({ problem }) => !problem) || this.#stores[0];
      if (store) this.#open(store.id);
      else this.#openForm();
    }

    #drawStores(stores) {
      for (const [id, line] of this.#rows) {
        if (stores.some((store) => store.id === id)) continue;
        line.item.remove();
        this.#rows.delete(id);
      }
      stores.forEach((store, place) => {
        if (!this.#rows.has(store.id)) this.#rows.set(store.id, this.#line(store.id));
        const line = this.#rows.get(store.id), { children } = this.parts.stores;
        if (children[place] !== line.item) this.parts.stores.insertBefore(line.item, children[place] || null);
        line.badge.hidden = !store.problem;
        write(line.what, store.problem ? "cannot be opened" : [many(store.clips, "clip"), `${store.resolution} pixels`].join(" · "));
        write(line.more, store.problem ? "" : [store.classes > 1 ? many(store.classes, "class", "classes") : "",
          bytes(store.bytes), store.compact ? "compact" : "", store.added ? "elsewhere" : ""].filter(Boolean).join(" · "));
        line.button.title = store.problem || store.id;
      });
      this.#mark();
      if (this.#wanted && stores.some(({ id }) => id === this.#wanted)) this.#open(this.#wanted);
    }

    #line(id) {
      const item = node("li"), button = node("button", "pt-run");
      const line = { item, button, badge: node("span", "pt-badge", "damaged"), what: node("small"), more: node("small") };
      line.badge.dataset.state = "failed";
      button.type = "button";
      button.dataset.store = id;
      button.append(node("b", "", pvs.data.shortName(id)), line.badge, line.what, line.more);
      button.addEventListener("click", () => {
        this.#open(id);
        // On a narrow screen the store is below the list, maybe out of sight.
        if (this.parts.store.offsetTop > this.parts.stores.offsetTop + 100) this.parts.store.scrollIntoView({ block: "start" });
      });
      item.append(button);
      return line;
    }

    #mark() {
      for (const [id, { button }] of this.#rows) {
        if (id === this.#store) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
      this.parts.new.setAttribute("aria-pressed", String(!this.#store));
      this.trash.offer(this.#stores.find(({ id }) => id === this.#store) || null);
    }

    // ---- imports ----------------------------------------------------------------------------------------------
    #importing(id) {
      this.#started.add(id);
      this.#wake();
      this.parts.jobs.scrollIntoView({ block: "nearest" });
    }

    // A store that was waited for opens, unless the person looks at another one meanwhile.
    #arrived(jobs) {
      for (const job of jobs) {
        if (!this.#started.has(job.id) || job.state !== "done") continue;
        this.#started.delete(job.id);
        const id = this.#idOf(job.store);
        if (!this.#store && id) this.#open(id);
      }
    }

    // Of the store that an import made, while it is in the list; null: it was deleted meanwhile.
    #idOf(folder) {
      const name = (folder || "").split("/").at(-1);
      return this.#stores.some(({ id }) => id === name) ? name : null;
    }

    // ---- what is looked at ------------------------------------------------------------------------------------
    #openForm(focus = false) {
      this.#store = this.about = null;
      this.clip.close();
      this.#stale(false);
      this.#show("form");
      if (this.#options) this.form.open(this.#options, this.readOnly, !this.#stores.length);
      if (focus) this.form.focus();
    }

    // A store that is put back, or lies elsewhere, opens as soon as it is listed.
    #await(id) {
      this.#wanted = id;
      this.#wake();
    }

    // The store that was looked at was deleted, or closed: the next one, or the form.
    #leave(id) {
      this.#stores = this.#stores.filter((one) => one.id !== id);
      const next = this.#stores.find(({ problem }) => !problem) || this.#stores[0];
      if (id === this.#store) next ? this.#open(next.id) : this.#openForm();
      this.#wake();
    }

    async #elsewhere() {
      const { "elsewhere-path": path, "elsewhere-problem": problem } = this.parts;
      let said = "";
      try {
        this.#await((await pvs.json("api/data/open", { path: path.value })).id);
        path.value = "";
      } catch (error) {
        said = error.message;
      }
      write(problem, said);
      path.setAttribute("aria-invalid", String(Boolean(said)));
    }

    #open(id) {
      this.#wanted = null;
      const store = this.#stores.find((one) => one.id === id);
      if (!store || (id === this.#store && this.about)) return;
      this.#store = id;
      this.#load(store);
    }

    // Until the other store is there the one before stays on the screen, faded, so that nothing jumps.
    async #load(store) {
      const { parts } = this;
      this.about = null;
      if (parts.store.hidden) this.#show("loading");
      else this.#mark();
      this.#stale(true);
      try {
        const about = await pvs.json(query("api/data/store", { id: store.id }));
        if (store.id !== this.#store) return; // another was chosen meanwhile
        this.about = about;
        this.#modified = store.modified;
        await this.wall.store(about);
        if (store.id !== this.#store) return;
        this.#show("store");
        pvs.data.describe(parts, about);
        this.charts.store(about);
      } catch (error) {
        if (store.id !== this.#store) return;
        this.#modified = store.modified;
        this.#broken(error.message);
      }
      this.#stale(false);
    }

    #stale(on) {
      this.parts.store.classList.toggle("pd-stale", on);
      this.parts.store.inert = on;
    }

    #broken(why) {
      const { parts } = this;
      this.about = {}; // looked at, and found wanting: not asked for again until it changes
      this.clip.close();
      write(parts["broken-title"], pvs.data.shortName(this.#store));
      write(parts["broken-why"], why);
      write(parts["broken-next"], "Choose another store, or import the clips again: the same import makes the same store anew.");
      this.#show("broken");
    }

    #show(part) {
      for (const name of ["form", "store", "broken", "loading"]) this.parts[name].hidden = part !== name;
      this.#mark();
      const url = new URL(location.href);
      if (this.#store) url.searchParams.set("store", this.#store);
      else url.searchParams.delete("store");
      history.replaceState(history.state, "", url);
    }

    #clip(clip, chosen) {
      this.wall.mark(clip);
      this.clip.show(this.#store, clip);
      if (!chosen) return;
      this.parts["clip-title"].focus({ preventScroll: true });
      this.parts.clip.scrollIntoView({ block: "nearest", behavior: pvs.reducedMotion() ? "auto" : "smooth" });
    }
  }

  pvs.view("data", ({ element }) => {
    const parts = {};
    for (const part of element.querySelectorAll("[data-ref]")) parts[part.dataset.ref] = part;
    new DataPage(element, parts);
  });
})();
