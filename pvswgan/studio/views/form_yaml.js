// The configuration as text beside the form: line numbers, the lines that are wrong marked and listed, and undo and
// redo of whole changes, whichever side they were made on.
//
//   const pane = new pvs.YamlPane(parts, {onEdit: () => ..., onStep: (state) => ...});
//   pane.text;  pane.set(text);  pane.problems([{line, text}]);
//   pane.remember(state, source);     {config, text} after a change; changes from one source in a row are one step
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.YamlPane) return;
  const ONE_STEP_MS = 1500, MOST_STEPS = 200;

  pvs.YamlPane = class YamlPane {
    #wrong = [];
    #steps = [];
    #at = -1;
    #last = { source: null, time: 0 };

    constructor(parts, { onEdit, onStep }) {
      this.parts = parts;
      this.area = parts.yaml;
      this.area.addEventListener("input", (event) => {
        event.stopPropagation();
        this.#number();
        onEdit();
      });
      this.area.addEventListener("scroll", () => this.#align());
      parts["form-undo"].addEventListener("click", () => this.#step(-1, onStep));
      parts["form-redo"].addEventListener("click", () => this.#step(1, onStep));
      parts["yaml-panel"].open = window.innerWidth > 1100; // beside the fields there; below them it is in the way
      this.#number();
    }

    get text() {
      return this.area.value;
    }

    set(text) {
      const { area } = this;
      if (area.value === text) return;
      const { selectionStart, selectionEnd, scrollTop } = area;
      area.value = text;
      if (document.activeElement === area) area.setSelectionRange(selectionStart, selectionEnd);
      area.scrollTop = scrollTop;
      this.#number();
    }

    problems(lines) {
      this.#wrong = lines;
      this.#number();
      this.parts["yaml-problems"].replaceChildren(...lines.map(({ line, text }) => {
        const item = pvs.node("li"), button = pvs.node("button", "pf-line", `Line ${line}: ${text}`);
        button.type = "button";
        button.addEventListener("click", () => this.#goTo(line));
        item.append(button);
        return item;
      }));
      if (lines.length) this.parts["yaml-panel"].open = true;
    }

    // ---- steps ---------------------------------------------------------------------------------------------------
    remember(state, source) {
      const now = this.#steps[this.#at];
      if (now && now.text === state.text && now.config === state.config) return;
      const same = source === this.#last.source && Date.now() - this.#last.time < ONE_STEP_MS && this.#at > 0;
      if (!same) this.#at = Math.min(this.#at + 1, MOST_STEPS);
      this.#steps = [...this.#steps.slice(0, this.#at), state].slice(-MOST_STEPS);
      this.#at = this.#steps.length - 1;
      this.#last = { source, time: Date.now() };
      this.#buttons();
    }

    #step(by, onStep) {
      this.#at += by;
      this.#last = { source: null, time: 0 };
      this.#buttons();
      onStep(this.#steps[this.#at]);
    }

    #buttons() {
      this.parts["form-undo"].disabled = this.#at < 1;
      this.parts["form-redo"].disabled = this.#at >= this.#steps.length - 1;
    }

    // ---- lines ---------------------------------------------------------------------------------------------------
    #number() {
      const count = this.area.value.split("\n").length, wrong = new Set(this.#wrong.map(({ line }) => line));
      const key = `${count} ${[...wrong]}`;
      if (this.parts["yaml-lines"].dataset.key !== key) {
        this.parts["yaml-lines"].dataset.key = key;
        this.parts["yaml-lines"].replaceChildren(...Array.from({ length: count }, (_, n) =>
          pvs.node("span", wrong.has(n + 1) ? "pf-wrong" : "", String(n + 1))));
      }
      this.area.setAttribute("aria-invalid", String(wrong.size > 0));
      this.#align();
    }

    #align() {
      this.parts["yaml-lines"].style.transform = `translateY(${-this.area.scrollTop}px)`;
    }

    #goTo(line) {
      const lines = this.area.value.split("\n"), start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
      this.area.focus();
      this.area.setSelectionRange(start, start + (lines[line - 1] || "").length);
    }
  };
})();
