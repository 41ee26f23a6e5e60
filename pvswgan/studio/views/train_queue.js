// The queue of trainings beside: what runs and what waits, moved and taken out with buttons.
//
//   const queue = new pvs.TrainQueue(parts, {note, onChoose: (run) => ..., onTrouble: (sentence) => ...});
//   queue.list(queue, readOnly);      as api/runs tells it
//   queue.changes                     how often it was changed here: what was asked for before that is out of date
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.TrainQueue) return;
  const { write } = pvs.train;

  pvs.TrainQueue = class TrainQueue {
    #drawn = "";
    #held = false;
    #readOnly = true;
    changes = 0;

    constructor(parts, { note, onChoose, onTrouble }) {
      Object.assign(this, { parts, note, onChoose, onTrouble });
      parts["queue-hold"].addEventListener("click", () => this.#change("hold", { held: !this.#held }));
    }

    list(queue, readOnly) {
      const { parts } = this, { items, held, waits_for: waitsFor } = queue;
      const key = JSON.stringify([queue, readOnly]);
      if (key === this.#drawn) return;
      [this.#drawn, this.#held, this.#readOnly] = [key, held, readOnly];
      parts["queue-panel"].hidden = !items.length;
      const waiting = items.filter(({ state }) => state === "waiting").length;
      write(parts["queue-note"], !waiting ? "" : readOnly ? "This studio is read-only, and starts none of them itself." :
        held ? "On hold: nothing more starts until you go on." :
        waitsFor ? `The next one starts when ${waitsFor} has ended, however it ends.` : "The next one starts in a moment.");
      parts["queue-hold"].hidden = readOnly;
      write(parts["queue-hold"], held ? "Go on" : "Hold");
      const { item, action } = document.activeElement?.dataset ?? {};
      parts["queue-items"].replaceChildren(...items.map((one) => this.#one(one, items)));
      // The button that was pressed has moved with its line; the keyboard stays with it.
      if (action && item) (this.#button(item, action) ?? this.#button(item, "remove"))?.focus();
    }

    #button(item, action) {
      return this.parts["queue-items"].querySelector(`[data-item="${item}"][data-action="${action}"]:not(:disabled)`);
    }

    #one(item, items) {
      const line = pvs.node("li"), row = pvs.node("div");
      const name = pvs.node(item.run ? "button" : "span", "pt-queued", item.run || item.name);
      const words = item.state === "running" ? "is being trained" : item.state === "failed" ? item.note : `from ${item.config}`;
      line.dataset.state = item.state;
      line.dataset.queued = item.name;
      if (item.run) {
        name.type = "button";
        name.addEventListener("click", () => this.onChoose(item.run));
      }
      line.append(name, row, pvs.node("small", "", words));
      if (this.#readOnly || item.state === "running") return line;
      const place = items.indexOf(item), first = items.findIndex(({ state }) => state !== "running");
      if (item.state === "waiting") {
        const move = (by) => () => this.#change("move", { id: item.id, by });
        row.append(this.#act(item, "up", "↑", `Earlier: ${item.name}`, place > first, move(-1)),
          this.#act(item, "down", "↓", `Later: ${item.name}`, place < items.length - 1, move(1)));
      }
      row.append(this.#act(item, "remove", "×", `Take out: ${item.name}`, true, () => this.#remove(item)));
      return line;
    }

    #act(item, action, text, label, enabled, press) {
      const button = pvs.node("button", "pvs-button pvs-square", text);
      Object.assign(button, { type: "button", disabled: !enabled, title: label });
      Object.assign(button.dataset, { item: item.id, action });
      button.setAttribute("aria-label", label);
      button.addEventListener("click", press);
      return button;
    }

    async #remove({ id, name }) {
      if (!(await this.#change("remove", { id }))) return;
      this.note.say(`${name} was taken out of the queue.`, () => this.#change("put-back", { id }));
    }

    async #change(what, wish) {
      this.changes++;
      try {
        this.list(await pvs.json(`api/train/queue/${what}`, wish), this.#readOnly);
        return true;
      } catch (error) {
        this.onTrouble(error.message);
        return false;
      } finally {
        this.changes++;
      }
    }
  };
})();
