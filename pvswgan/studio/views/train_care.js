// What is done to a run as a whole: cloned with changes, renamed, deleted to the trash; and the trash beside.
//
//   const care = new pvs.RunCare(parts, {note, onClone: (yaml, name) => ..., onMoved: (id | null, before) => ...});
//                            id: its new name, null: it is in the trash; before: the run that it was done to, left out where
//                            one came back from the trash, to be opened whatever is shown
//   care.run(id);            another run is looked at
//   care.show(status);       may it be renamed and deleted?
//   care.list(trash, readOnly);
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.RunCare) return;
  const { write, hint, url } = pvs.train;

  pvs.RunCare = class RunCare {
    #id = null;
    #trash = [];
    #drawn = "";

    constructor(parts, { note, onClone, onMoved }) {
      Object.assign(this, { parts, note, onClone, onMoved });
      parts.clone.addEventListener("click", () => this.#clone());
      parts.rename.addEventListener("click", () => this.#askName());
      parts["rename-form"].addEventListener("submit", (event) => {
        event.preventDefault();
        this.#rename();
      });
      parts["rename-form"].addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.#closeName();
      });
      parts["rename-cancel"].addEventListener("click", () => this.#closeName());
      parts.delete.addEventListener("click", () => this.#askDelete());
      parts.empty.addEventListener("click", () => this.#askEmpty());
    }

    run(id) {
      this.#id = id;
      this.parts["rename-form"].hidden = true;
      this.parts["care-ask"].replaceChildren();
    }

    show({ rests, read_only: readOnly }) {
      const { rename, delete: remove, clone } = this.parts;
      clone.disabled = false;
      for (const button of [rename, remove]) {
        button.disabled = !rests || readOnly;
        hint(button, readOnly ? "This studio is read-only." : rests ? "" : "Stop the training first.");
      }
    }

    // ---- clone ------------------------------------------------------------------------------------------------
    async #clone() {
      try {
        const { yaml, name } = await pvs.json(url(this.#id, "config"));
        this.onClone(yaml, name);
      } catch (error) {
        this.note.say(error.message);
      }
    }

    // ---- rename -----------------------------------------------------------------------------------------------
    #askName() {
      const { "rename-form": form, "rename-name": input, "rename-problem": problem } = this.parts;
      form.hidden = false;
      input.value = this.#id;
      write(problem, "");
      input.focus();
      input.select();
    }

    #closeName() {
      this.parts["rename-form"].hidden = true;
      this.parts.rename.focus();
    }

    async #rename() {
      const before = this.#id, wish = this.parts["rename-name"].value;
      try {
        const { id } = await pvs.json(url(before, "rename"), { name: wish });
        this.#closeName();
        this.onMoved(id, before);
        if (id === before) return;
        this.note.say(`${before} is called ${id} now.`, async () => {
          await pvs.json(url(id, "rename"), { name: before });
          this.onMoved(before, id);
        });
      } catch (error) {
        write(this.parts["rename-problem"], error.message);
      }
    }

    // ---- delete and the trash ---------------------------------------------------------------------------------
    #askDelete() {
      const { parts } = this, id = this.#id;
      pvs.data.ask(parts["care-ask"], { back: parts.delete, yes: "Move to the trash",
        question: `Move the run ${id} with its samples and checkpoints to the trash? It can be put back from there.`,
        act: async () => {
          const thrown = await pvs.json(url(id, "delete"), {});
          await this.onMoved(null, id);
          this.note.say(`${id} is in the trash.`, () => this.#back(thrown.id));
          parts.undo.focus({ preventScroll: true });
        } });
    }

    async #back(id) {
      const { runs } = await pvs.json("api/train/trash/restore", { ids: [id] });
      this.onMoved(runs[0]);
    }

    #askEmpty() {
      const { parts } = this, trash = this.#trash, held = pvs.data.bytes(sum(trash));
      pvs.data.ask(parts["empty-ask"], { back: parts.empty, yes: "Delete for good",
        question: `Delete ${pvs.data.many(trash.length, "run")} for good? That frees ${held}, and cannot be undone.`,
        act: async () => {
          const { bytes } = await pvs.json("api/train/trash/empty", { ids: trash.map(({ id }) => id) });
          this.note.say(`The trash is empty: ${pvs.data.bytes(bytes)} are free again.`);
          this.list([], false);
        } });
    }

    // Drawn anew only when something changed, so that a question that is open stays.
    list(trash, readOnly) {
      const { parts } = this, key = JSON.stringify(trash);
      parts["trash-panel"].hidden = !trash.length || readOnly;
      if (key === this.#drawn) return;
      [this.#drawn, this.#trash] = [key, trash];
      write(parts["trash-bytes"], pvs.data.bytes(sum(trash)));
      parts["empty-ask"].replaceChildren(); // it asked of others
      parts.trash.replaceChildren(...trash.map((one) => this.#thrown(one)));
    }

    #thrown({ id, name, bytes }) {
      const item = pvs.node("li"), button = pvs.node("button", "pd-link", "Put back"), place = pvs.node("div");
      button.type = "button";
      button.setAttribute("aria-label", `Put back: ${name}`);
      item.append(pvs.node("span", "", name), button, pvs.node("small", "", pvs.data.bytes(bytes)), place);
      button.addEventListener("click", async () => {
        try {
          await this.#back(id);
        } catch (error) {
          place.replaceChildren(Object.assign(pvs.node("p", "pt-problem", error.message), { role: "alert" }));
        }
      });
      return item;
    }
  };

  const sum = (trash) => trash.reduce((total, { bytes }) => total + bytes, 0);
})();
