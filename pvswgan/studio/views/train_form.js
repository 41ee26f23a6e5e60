// The form of a new training. It is the YAML text: the server writes what is typed into the fields into it, reads the
// fields out of it, and says what is wrong and what the training would do (train_form.py). One request is under way at
// a time; what is typed meanwhile goes with the next, and nothing that was typed is overwritten by an older answer.
//
//   const form = new pvs.TrainForm(parts, {onStarted: (runId) => ..., onQueued: (itemId) => ...});
//   form.open();      loads the options the first time
//   form.useFolder("/path/of/clips");      to train on that; form.folder: whether somebody was sent here for one
//   form.use("toyfaces-cpu", {"loss.name": "wgan-gp"});      a configuration of configs/, with fields typed in
//   form.from(text, name);      filled with a configuration's text, such as a run's, for a run of that name
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.TrainForm) return;
  const AGAIN_MS = 3000; // after no answer
  const PAUSE_MS = 120; // after the last key, before the server is asked

  pvs.TrainForm = class TrainForm {
    #options = null;
    #opening = null;
    #config = ""; // id of the configuration that is started from; "": the server finds the nearest
    #fresh = false; // the text is still to come: the configuration's own
    #edits = new Map(); // key -> text, typed and not in the YAML yet
    #data = null; // the same for the folder of clips
    #own = null; // {source, path} as they were in what the form was filled with
    #round = 0; // counts what makes an answer under way worthless
    #source = ""; // what was changed last: a key, "yaml"
    #wrong = true;
    #sending = false; // a start is under way
    #lost = false; // there was no answer: to be asked again
    #told = ""; // what was said of the last start; an answer to an earlier edit must not wipe it away
    #sent = false;
    #timer = 0;
    #ask = pvs.latest(() => this.#exchange());

    constructor(parts, { onStarted, onQueued = () => {} }) {
      Object.assign(this, { parts, onStarted, onQueued });
      this.fields = new pvs.FormFields(parts, { onEdit: (key, text) => this.#edit(key, text) });
      this.yaml = new pvs.YamlPane(parts, { onEdit: () => this.#typed(), onStep: (state) => this.#step(state) });
      this.plan = new pvs.FormPlan(parts, { wish: () => (this.#wrong || this.#options.read_only ? null : this.#wish()) });
      parts.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#send("start", "Starting…", ({ id }) => this.onStarted(id));
      });
      parts.enqueue.addEventListener("click", () => this.#send("queue", "Adding…", ({ id, name }) => {
        this.#tell(`${name} waits in the queue.`);
        this.onQueued(id);
      }));
      parts.form.addEventListener("input", (event) => this.#changed(event.target));
    }

    async open() {
      this.#opening = this.#opening || this.#load();
      await this.#opening;
      if (!this.#options) this.#opening = null; // to be tried again
      else if (this.#lost) this.#ask();
    }

    get folder() {
      return this.#sent;
    }

    useFolder(folder) {
      this.#sent = true;
      this.parts.data.value = folder;
      this.#choseData("folder");
    }

    async use(id, typed = {}) {
      this.#sent = true;
      await this.open();
      if (!this.#options?.configurations.some((one) => one.id === id)) return;
      this.#choose(id);
      for (const [key, text] of Object.entries(typed)) this.#edit(key, text);
    }

    async from(text, name) {
      this.#sent = true;
      await this.open();
      if (!this.#options) return;
      this.#fill("", false);
      this.yaml.set(text);
      this.parts.name.value = name;
      this.#note(`A copy of ${name}: change what you like before you start it.`);
      this.#ask();
    }

    // ---- filling -----------------------------------------------------------------------------------------------
    async #load() {
      try {
        this.#options = await pvs.json("api/train/options");
      } catch (error) {
        return this.#problems({ "": error.message });
      }
      const { configurations, fields, read_only: readOnly } = this.#options;
      this.#drawConfigurations();
      this.fields.draw(fields);
      this.#note(readOnly ? "This studio is read-only: trainings can be looked at and planned here, but not started." :
        configurations.length ? "" : "No configuration is installed: the folder configs/ is empty.");
      this.parts.data.disabled = readOnly;
      this.parts.form.querySelector('[name="pt-data"][value="folder"]').disabled = readOnly;
      this.#buttons();
      if (!configurations.length) return;
      const folder = this.#data; // asked for while the options were loading
      this.#choose(configurations[0].id);
      if (folder !== null) this.useFolder(folder);
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

    #choose(id) {
      this.#fill(id, true);
      this.#ask();
    }

    // Another content from now on: what was typed into the one before does not belong to it.
    #fill(config, fresh) {
      this.#round++;
      this.#config = config;
      this.#fresh = fresh;
      this.#own = null;
      this.#edits.clear();
      this.#data = null;
      this.#source = "";
      this.#mark();
    }

    #mark() {
      for (const radio of this.parts.configs.querySelectorAll("input")) radio.checked = radio.value === this.#config;
    }

    #step({ config, text }) {
      this.#fill(config, false);
      this.yaml.set(text);
      this.#ask();
    }

    // ---- what the person does ------------------------------------------------------------------------------------
    #edit(key, text) {
      if (!this.#options) return;
      this.#edits.set(key, text);
      this.#source = key;
      this.#soon();
    }

    #typed() {
      this.#round++; // an answer under way is about an older text
      this.#fresh = false;
      this.#source = "yaml";
      this.#soon();
    }

    #changed(input) {
      this.#told = "";
      if (input.name === "pt-config") return this.#choose(input.value);
      if (input.name === "pt-data") return this.#choseData(input.value);
      if (input === this.parts.data) return this.#choseData("folder");
      if (this.#options) this.#soon(); // the name
    }

    #choseData(value) {
      this.parts.form.querySelector(`[name="pt-data"][value="${value}"]`).checked = true;
      this.#source = "data";
      if (value === "folder") this.#data = this.parts.data.value;
      else if (this.#own) {
        this.#data = null;
        this.#edits.set("data.source", this.#own.source);
        this.#edits.set("data.path", this.#own.path);
      }
      if (this.#options) this.#soon();
    }

    #soon() {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
    }

    // ---- in step with the server -----------------------------------------------------------------------------------
    #wish() {
      return { config: this.#config, yaml: this.#fresh ? null : this.yaml.text, settings: Object.fromEntries(this.#edits),
        data: this.#data, name: this.parts.name.value.trim() || this.parts.name.placeholder };
    }

    async #exchange() {
      clearTimeout(this.#timer);
      const round = this.#round, edits = new Map(this.#edits), data = this.#data;
      let answer;
      try {
        answer = await pvs.json("api/train/plan", this.#wish());
      } catch (error) {
        this.#problems({ "": error.message });
        this.#lost = !error.status;
        if (this.#lost) this.#timer = setTimeout(() => this.parts.form.hidden || this.#ask(), AGAIN_MS);
        return;
      }
      this.#lost = false;
      if (round !== this.#round) return void this.#ask(); // the text is another by now (not awaited: it waits for us)
      if (answer.fields) {
        for (const [key, text] of edits) if (this.#edits.get(key) === text) this.#edits.delete(key);
        if (this.#data === data) this.#data = null;
      }
      this.#show(answer);
      if (answer.fields && (this.#edits.size || this.#data !== null)) this.#soon();
    }

    #show(answer) {
      const { config, fields, lines, plan, command } = answer;
      if (answer.yaml !== null) {
        this.yaml.set(answer.yaml);
        this.#fresh = false;
      }
      if (config) {
        this.#config = config;
        this.#mark();
        this.yaml.remember({ config, text: this.yaml.text }, this.#source);
      }
      this.fields.show(fields, new Set(this.#edits.keys()));
      if (fields) this.#showData(fields["data.source"].value, fields["data.path"].value);
      if (fields) this.parts.name.placeholder = `${this.#config}-${fields["loss.name"].value}`.slice(0, 64);
      this.yaml.problems(lines);
      this.#problems(answer.problems);
      this.plan.show(plan, command);
    }

    // The choice of clips follows the text, but not under the hand that writes the folder.
    #showData(source, path) {
      this.#own = this.#own || { source, path };
      this.parts["own-data"].textContent = this.#own.path || this.#own.source;
      if (this.#data !== null || this.#edits.has("data.path") || document.activeElement === this.parts.data) return;
      const own = source === this.#own.source && path === this.#own.path;
      this.parts.form.querySelector(`[name="pt-data"][value="${own ? "own" : "folder"}"]`).checked = true;
      if (!own) this.parts.data.value = path;
    }

    #problems(problems) {
      for (const place of this.parts.form.querySelectorAll("[data-problem]")) {
        const text = problems[place.dataset.problem] || "";
        if (place.textContent !== text) place.textContent = text;
      }
      this.parts.name.setAttribute("aria-invalid", String(Boolean(problems.name)));
      this.parts.data.setAttribute("aria-invalid", String(Boolean(problems["data.path"])));
      const named = this.fields.problems(problems);
      this.#wrong = Object.keys(problems).length > 0;
      const words = [...named, ...(problems.yaml ? ["the YAML"] : []), ...(problems.name ? ["Name of the run"] : [])];
      this.parts["start-note"].textContent = words.length ? `To be mended first: ${words.join(", ")}.` : this.#told;
      this.#buttons();
    }

    #buttons() {
      const off = !this.#options || this.#options.read_only || this.#wrong || this.#sending;
      this.parts.start.disabled = this.parts.enqueue.disabled = off;
    }

    #tell(words) {
      this.#told = this.parts["start-note"].textContent = words;
    }

    async #send(route, words, onDone) {
      this.#sending = true;
      this.#buttons();
      this.#tell(words);
      try {
        const answer = await pvs.json(`api/train/${route}`, this.#wish());
        this.#tell("");
        onDone(answer);
      } catch (error) {
        this.#tell("");
        this.#problems({ "": error.message });
      }
      this.#wrong = this.#sending = false;
      this.#buttons();
    }
  };
})();
