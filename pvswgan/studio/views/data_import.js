// The form of an import: fields that change with the kind of data, complaints beside them, the same from a shell.
//
//   const form = new pvs.ImportForm(parts, {onStarted: (jobId) => ...});
//   form.open(options, readOnly, empty);      empty: whether there is no store yet
//   form.focus();
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.ImportForm) return;
  const { node, write, bytes, fill } = pvs.data;
  const PAUSE_MS = 150; // after the last key, before the fields are checked

  pvs.ImportForm = class ImportForm {
    #options = null;
    #touched = new Set(); // only of these fields, or after Start, are complaints shown
    #pixels = false; // were chosen by hand: another kind of data does not change them
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
        this.#kinds();
        fill(this.fields.resolution, options.resolutions.map((size) => [size, `${size} × ${size}`]));
        this.#kind();
        this.#check();
      }
      this.parts["form-fields"].hidden = readOnly;
      write(this.parts["form-note"], readOnly ? "This studio is read-only: stores can be looked at here, but nothing is imported."
        : empty ? "Nothing is here yet. Write where your videos are, or choose toyfaces as kind of data: they are drawn in a minute."
          : "Each video becomes clips at every size that a training grows through. The work goes on when this page is closed.");
    }

    focus() {
      if (!this.#readOnly) this.fields.source.focus();
    }

    #kinds() {
      const groups = new Map();
      for (const { id, group } of this.#options.kinds) {
        if (!groups.has(group)) groups.set(group, Object.assign(node("optgroup"), { label: group }));
        groups.get(group).append(Object.assign(node("option", "", id), { value: id }));
      }
      this.fields.source.replaceChildren(...groups.values());
    }

    #wish() {
      return Object.fromEntries(Object.entries(this.fields).map(([name, field]) =>
        [name, field.type === "checkbox" ? field.checked : field.value]));
    }

    #changed(name) {
      if (!name) return;
      this.#touched.add(name);
      if (name === "resolution") this.#pixels = true;
      if (name === "source") this.#kind();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#check(), PAUSE_MS);
    }

    #kind() {
      const { parts, fields } = this, kind = this.#options.kinds.find(({ id }) => id === fields.source.value);
      for (const [name, field] of Object.entries(fields)) {
        if (name !== "source") field.closest(".pt-field, .pt-radio").hidden = !kind.fields.includes(name);
      }
      write(parts["source-help"], kind.help);
      write(parts["path-label"], kind.path_label);
      write(parts["path-help"], kind.path_help);
      const [label, help, frames] = kind.frames, [clipsHelp, clips] = kind.clips;
      write(parts["frames-label"], label);
      write(parts["frames-help"], help);
      fields.frames.placeholder = frames;
      write(parts["clips-help"], clipsHelp);
      fields.clips.placeholder = clips;
      if (!this.#pixels) fields.resolution.value = kind.resolution;
    }

    async #ask() {
      try {
        const { command, problems, room } = await pvs.json("api/data/plan", this.#wish());
        write(this.parts.command, command);
        write(this.parts.room, room ? `Takes ${bytes(room.bytes)} on the disk, less when compact; ${bytes(room.free)} are free.` : "");
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
          for (const name of ["path", "frames", "fps", "clips", "hold_out"]) this.#touched.delete(name);
          this.onStarted(id);
        } catch (error) {
          this.#problems({ "": error.message });
        }
        write(note, "");
      } else this.fields[wrong[0]]?.focus();
      start.disabled = false;
    }
  };
})();
