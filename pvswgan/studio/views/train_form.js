// The form of a new training. The server lists configurations and settings (train_form.py); every change asks it for
// the plan, and what is wrong comes back as sentences, each shown beside its field.
//
//   const form = new pvs.TrainForm(parts, {onStarted: (runId) => ...});
//   form.open();      loads the options the first time
//   form.useFolder("/path/of/clips");      to train on that; form.folder: whether there is one
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.TrainForm) return;
  const PAUSE_MS = 120; // after the last key, before the plan is asked for

  const kimg = (clips) => String(clips / 1000);
  const many = (count) => (count < 1e6 ? `${Math.round(count / 1000)} k` : `${(count / 1e6).toFixed(2)} M`);
  const COLUMNS = [ // of the plan: heading, and a stage's value
    ["Stage", (stage, number) => number],
    ["Frames × pixels", (stage) => pvs.sizeName(stage)],
    ["Grows", (stage) => stage.grows || "–"],
    ["From (kimg)", (stage) => kimg(stage.start)],
    ["Fade", (stage) => kimg(stage.fade)],
    ["Stable", (stage) => kimg(stage.stable)],
    ["Batch", (stage) => stage.batch],
    ["Channels", (stage) => stage.channels],
    ["Weights G", (stage) => many(stage.parameters.generator)],
    ["Weights D", (stage) => many(stage.parameters.critic)],
  ];

  pvs.TrainForm = class TrainForm {
    #options = null;
    #inputs = new Map(); // field id -> input or select
    #config = null;
    #timer = 0;
    #ask = pvs.latest(() => this.#preview());

    constructor(parts, { onStarted }) {
      this.parts = parts;
      this.onStarted = onStarted;
      this.ruler = new pvs.GrowthRuler(parts["plan-ruler"]);
      parts.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#start();
      });
      parts.form.addEventListener("input", (event) => this.#changed(event.target));
      parts.data.addEventListener("focus", () => this.#chooseData("folder"));
    }

    async open() {
      if (this.#options) return;
      try {
        this.#options = await pvs.json("api/train/options");
      } catch (error) {
        return this.#say("", error.message);
      }
      this.#drawConfigurations();
      this.#drawFields();
      const { configurations, read_only: readOnly } = this.#options;
      this.#note(readOnly ? "This studio is read-only: trainings can be looked at and planned here, but not started." :
        configurations.length ? "" : "No configuration is installed: the folder configs/ is empty.");
      this.parts.start.disabled = readOnly || !configurations.length;
      this.parts.data.disabled = readOnly;
      this.parts.form.querySelector('[name="pt-data"][value="folder"]').disabled = readOnly;
      if (configurations.length) this.#choose(configurations[0].id);
    }

    get folder() {
      return this.parts.data.value;
    }

    useFolder(folder) {
      this.parts.data.value = folder;
      this.#chooseData("folder");
      if (this.#config) this.#ask();
    }

    #note(text) {
      this.parts["form-note"].textContent = text;
      this.parts["form-note"].hidden = !text;
    }

    #drawConfigurations() {
      for (const item of this.#options.configurations) {
        const label = pvs.node("label", "pt-radio"), radio = pvs.node("input"), words = pvs.node("span");
        Object.assign(radio, { type: "radio", name: "pt-config", value: item.id });
        words.append(pvs.node("b", "", item.id), pvs.node("small", "", item.error || item.description));
        label.append(radio, words);
        this.parts.configs.append(label);
      }
    }

    #drawFields() {
      for (const field of this.#options.fields) {
        const box = pvs.node("div", "pt-field"), label = pvs.node("label", "", field.label);
        const input = pvs.node(field.kind === "choice" ? "select" : "input");
        input.id = label.htmlFor = `pt-field-${field.id}`;
        if (field.kind !== "choice") Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off" });
        const help = pvs.node("small", "", field.help), problem = pvs.node("p", "pt-problem");
        problem.dataset.problem = field.id;
        problem.setAttribute("role", "alert");
        help.id = `${input.id}-help`;
        input.setAttribute("aria-describedby", help.id);
        box.dataset.field = field.id;
        box.append(label, input, help, problem);
        this.parts.fields.append(box);
        this.#inputs.set(field.id, input);
      }
    }

    #choose(id) {
      this.#config = this.#options.configurations.find((item) => item.id === id);
      this.parts.form.querySelector(`[name="pt-config"][value="${CSS.escape(id)}"]`).checked = true;
      this.parts["own-data"].textContent = this.#config.data || "";
      for (const field of this.#options.fields) {
        const input = this.#inputs.get(field.id), own = this.#config.values[field.id] ?? "";
        if (field.kind === "choice") fill(input, field.choices, own);
        input.value = own;
      }
      this.#suggestName();
      this.#ask();
    }

    #suggestName() {
      this.parts.name.placeholder = `${this.#config.id}-${this.#inputs.get("loss").value}`;
    }

    #chooseData(value) {
      const radio = this.parts.form.querySelector(`[name="pt-data"][value="${value}"]`);
      if (radio.checked) return;
      radio.checked = true;
      if (this.#config) this.#ask();
    }

    #changed(input) {
      if (input.name === "pt-config") return this.#choose(input.value);
      if (input === this.parts.data) this.#chooseData("folder");
      if (!this.#config) return;
      this.#suggestName();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
    }

    #wish() {
      const settings = Object.fromEntries([...this.#inputs].map(([id, input]) => [id, input.value]));
      const folder = this.parts.form.querySelector('[name="pt-data"]:checked').value === "folder";
      return { config: this.#config.id, settings, data: folder ? this.parts.data.value : null,
        name: this.parts.name.value.trim() || this.parts.name.placeholder };
    }

    async #preview() {
      try {
        const { plan, problems, command } = await pvs.json("api/train/plan", this.#wish());
        this.#problems(problems);
        if (plan) this.#plan(plan, command);
        this.parts.form.querySelector(".pt-plan").classList.toggle("stale", !plan);
      } catch (error) {
        this.#problems({ "": error.message });
      }
    }

    #problems(problems) {
      for (const place of this.parts.form.querySelectorAll("[data-problem]")) {
        const text = problems[place.dataset.problem] || "";
        if (place.textContent !== text) place.textContent = text;
        const input = place.parentElement.querySelector("input, select");
        if (place.dataset.problem && input) input.setAttribute("aria-invalid", String(Boolean(text)));
      }
      this.parts.start.disabled = !this.#options || this.#options.read_only || Object.keys(problems).length > 0;
    }

    #say(field, text) {
      this.#problems({ [field]: text });
    }

    #plan(plan, command) {
      this.ruler.plan(plan);
      this.parts.command.textContent = command;
      const table = this.parts["plan-table"], head = pvs.node("tr");
      for (const [text] of COLUMNS) {
        const cell = pvs.node("th", "", text);
        cell.scope = "col";
        head.append(cell);
      }
      const rows = plan.stages.map((stage, number) => {
        const row = pvs.node("tr");
        row.append(...COLUMNS.map(([, show]) => pvs.node("td", "", String(show(stage, number)))));
        return row;
      });
      const foot = pvs.node("caption", "", `${plan.stages.length} stages, ${kimg(plan.total)} kimg in all ` +
        `(${plan.total.toLocaleString("en")} clips shown).`);
      foot.append(pvs.node("span", "pt-wide", " Weights: of generator and critic as far as they have grown."));
      table.replaceChildren(foot, head, ...rows);
    }

    async #start() {
      const { start, "start-note": note } = this.parts;
      start.disabled = true;
      note.textContent = "Starting…";
      try {
        const { id } = await pvs.json("api/train/start", this.#wish());
        note.textContent = "";
        this.onStarted(id);
      } catch (error) {
        note.textContent = "";
        this.#say("", error.message);
      }
      start.disabled = false;
    }
  };

  function fill(select, choices, own) {
    const all = choices.includes(own) ? choices : [own, ...choices];
    select.replaceChildren(...all.map((choice) => {
      const option = pvs.node("option", "", choice || "as the configuration lists");
      option.value = choice;
      return option;
    }));
  }

  pvs.node = (tag, className = "", text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
})();
