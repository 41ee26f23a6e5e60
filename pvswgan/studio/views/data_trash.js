// What goes: stores and unfinished builds into the trash, from where they come back until it is emptied.
//
//   const trash = new pvs.DataTrash(parts, {onGone: (storeId) => ..., onBack: (storeId) => ..., onChanged: () => ...});
//   trash.show(list);           the trash and the unfinished builds, as the studio lists them
//   trash.offer(store);         the line of the store that is looked at; null: none
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.DataTrash) return;
  const { node, write, many, bytes, ask } = pvs.data;

  pvs.DataTrash = class DataTrash {
    #store = null; // the line of the store that is looked at
    #readOnly = true;
    #drawn = new Map(); // list -> what of it is on the screen
    #offered = null; // {id, undo, seen}: what the note at the top puts back, and whether the trash has been seen with it

    constructor(parts, { onGone, onBack, onChanged }) {
      Object.assign(this, { parts, onGone, onBack, onChanged });
      for (const [button, place] of [["delete", "delete-ask"], ["broken-delete", "broken-ask"]]) {
        parts[button].addEventListener("click", () => this.#askStore(parts[place], parts[button]));
      }
      for (const button of ["close", "broken-close"]) parts[button].addEventListener("click", () => this.#close());
      parts.empty.addEventListener("click", () => this.#askEmpty());
      this.note = new pvs.UndoNote(parts);
    }

    show({ unfinished, trash, jobs, read_only: readOnly }) {
      const { parts } = this, working = jobs.some(({ state }) => state === "running" || state === "starting");
      this.#readOnly = readOnly;
      parts["unfinished-panel"].hidden = !unfinished.length || working;
      this.#draw(parts.unfinished, unfinished, (build) => this.#build(build));
      parts["trash-panel"].hidden = !trash.length || readOnly;
      write(parts["trash-bytes"], bytes(trash.reduce((sum, one) => sum + one.bytes, 0)));
      if (this.#draw(parts.trash, trash, (one) => this.#thrown(one))) parts["empty-ask"].replaceChildren(); // it asked of others
      this.trash = trash;
      const offered = this.#offered;
      if (!offered || this.note.undo !== offered.undo) return;
      const there = trash.some(({ id }) => id === offered.id);
      if (offered.seen && !there) this.note.say(""); // put back, or emptied, elsewhere
      else offered.seen ||= there;
    }

    offer(store) {
      const { parts } = this;
      if (store?.id !== this.#store?.id) for (const place of ["delete-ask", "broken-ask"]) parts[place].replaceChildren();
      this.#store = store;
      const own = Boolean(store) && !this.#readOnly;
      for (const name of ["delete", "broken-delete"]) parts[name].hidden = !own || store.added;
      for (const name of ["close", "broken-close"]) parts[name].hidden = !own || !store.added;
    }

    // ---- lists ------------------------------------------------------------------------------------------------
    // Drawn anew only when something changed, so that a question that is open stays. True where it did.
    #draw(place, lines, line) {
      const key = JSON.stringify([lines, this.#readOnly]);
      if (this.#drawn.get(place) === key) return false;
      this.#drawn.set(place, key);
      place.replaceChildren(...lines.map(line));
      return true;
    }

    #build({ name, bytes: held }) {
      const { item, place, button } = this.#line(name, bytes(held), "Delete");
      button.hidden = this.#readOnly;
      button.addEventListener("click", () => ask(place, { back: button, yes: "Move to the trash",
        question: `Move what is done of ${pvs.data.shortName(name)} to the trash?`,
        act: async () => {
          const { id } = await pvs.json("api/data/discard-unfinished", { id: name });
          this.#thrownAway(name, { id, store: null });
        } }));
      return item;
    }

    #thrown({ id, name, unfinished, bytes: held }) {
      const { item, place, button } = this.#line(name, `${bytes(held)}${unfinished ? ", unfinished" : ""}`, "Put back");
      button.addEventListener("click", async () => {
        try {
          await this.#back({ id, store: unfinished ? null : name });
        } catch (error) {
          place.replaceChildren(Object.assign(node("p", "pt-problem", error.message), { role: "alert" }));
        }
      });
      return item;
    }

    #line(name, more, action) {
      const item = node("li"), words = node("span", "", pvs.data.shortName(name)), place = node("div");
      const button = node("button", "pd-link", action);
      words.title = name;
      button.type = "button";
      button.setAttribute("aria-label", `${action}: ${name}`);
      item.append(words, button, node("small", "", more), place);
      return { item, place, button };
    }

    // ---- going and coming back --------------------------------------------------------------------------------
    #askStore(place, button) {
      const { id, bytes: held } = this.#store;
      ask(place, { back: button, yes: "Move to the trash",
        question: `Move this store${held ? ` (${bytes(held)})` : ""} to the trash? It can be put back from there.`,
        act: async () => {
          const thrown = await pvs.json("api/data/discard", { id });
          this.#thrownAway(id, { id: thrown.id, store: id });
          this.onGone(id);
        } });
    }

    async #close() {
      const { id } = this.#store;
      try {
        await pvs.json("api/data/close", { id });
        this.onGone(id);
      } catch (error) {
        this.note.say(error.message);
      }
    }

    #thrownAway(name, thrown) {
      const undo = () => this.#back(thrown);
      this.#offered = { id: thrown.id, undo, seen: false };
      this.note.say(`${pvs.data.shortName(name)} is in the trash.`, undo);
      this.parts.undo.focus({ preventScroll: true });
      this.onChanged();
    }

    async #back({ id, store }) {
      try {
        await pvs.json("api/data/restore", { id });
        if (this.#offered?.id === id && this.note.undo === this.#offered.undo) this.note.say("");
        if (store) this.onBack(store);
      } finally {
        this.onChanged();
      }
    }

    #askEmpty() {
      const { parts, trash } = this, held = bytes(trash.reduce((sum, one) => sum + one.bytes, 0));
      ask(parts["empty-ask"], { back: parts.empty, yes: "Delete for good",
        question: `Delete ${many(trash.length, "thing")} for good? That frees ${held}, and cannot be undone.`,
        act: async () => {
          const { bytes: freed } = await pvs.json("api/data/empty-trash", { ids: trash.map(({ id }) => id) });
          this.note.say(`The trash is empty: ${bytes(freed)} are free again.`);
          this.onChanged();
        } });
    }
  };
})();
