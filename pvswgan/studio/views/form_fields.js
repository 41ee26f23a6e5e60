// The fields of the form of a new training: one for every key of the configuration, the few that matter first, the rest
// in folded groups, with a box to find one by its name or meaning. What is shown comes from the server; what is typed
// goes to onEdit, and is not overwritten while the hand is still on it.
//
//   const fields = new pvs.FormFields(parts, {onEdit: (key, text) => ...});
//   fields.draw(list);          once: [{key, label, help, kind, allowed, choices, group, first}] (form_fields.py)
//   fields.show(live, typed);   {key: {value, default, changed}}; null: nothing can be edited now; typed: keys to leave
//   fields.problems(wrong);     {key: sentence}; returns the labels of those that are fields
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.FormFields) return;

  pvs.FormFields = class FormFields {
    #fields = new Map(); // key -> {about, box, input, mark, reset, usual, words}
    #groups = new Map(); // title -> {details, count, fields: [key]}
    #before = null; // which groups were open when the search began

    constructor(parts, { onEdit }) {
      this.parts = parts;
      this.onEdit = onEdit;
      parts["form-find"].addEventListener("input", (event) => {
        event.stopPropagation(); // it is no setting
        this.#search(parts["form-find"].value.trim().toLowerCase());
      });
    }

    draw(list) {
      for (const about of list) {
        const field = { about, ...this.#box(about) };
        this.#fields.set(about.key, field);
        if (about.first) this.parts.fields.append(field.box);
        else this.#group(about.group).add(about.key, field.box);
      }
    }

    value(key) {
      return this.#fields.get(key)?.input.value ?? "";
    }

    show(live, typed = new Set()) {
      for (const [key, field] of this.#fields) {
        const now = live?.[key];
        if (live) field.off = !now; // a key of the other loss
        field.input.disable(!live);
        if (!now) continue;
        if (!typed.has(key) && !field.input.held()) field.input.set(now.value, now.default);
        field.mark.hidden = field.reset.hidden = !now.changed;
        const usual = now.default === "" ? "none" : now.default;
        if (field.usual.textContent !== usual) field.usual.textContent = usual;
        field.reset.title = `Back to the default: ${usual}`;
        field.reset.setAttribute("aria-label", `${field.about.label}: back to the default, ${usual}`);
      }
      this.#search(this.parts["form-find"].value.trim().toLowerCase());
      for (const group of this.#groups.values()) {
        const count = group.keys.filter((key) => live?.[key]?.changed).length;
        if (live) group.count.textContent = count ? `${count} changed` : "";
      }
    }

    problems(wrong) {
      const named = [];
      for (const [key, field] of this.#fields) {
        const text = wrong[key] || "";
        field.input.invalid(Boolean(text));
        if (text) named.push(field.about.label);
      }
      for (const group of this.#groups.values()) {
        const bad = group.keys.some((key) => wrong[key]);
        if (bad && !group.bad) group.details.open = true; // what is wrong must be seen
        group.bad = bad;
        group.details.classList.toggle("pf-bad", bad);
      }
      return named;
    }

    #box(about) {
      const id = `pt-field-${about.key}`;
      const box = pvs.node("div", "pt-field pf-field"), head = pvs.node("div", "pf-head");
      const label = pvs.node("label", "", about.label), mark = pvs.node("span", "pf-mark", "changed");
      const reset = pvs.node("button", "pf-reset", "reset");
      const help = pvs.node("small", "", sentence(about.help)), limits = pvs.node("span", "pf-limits");
      const usual = pvs.node("span"), problem = pvs.node("p", "pt-problem");
      const input = KINDS[about.kind in KINDS ? about.kind : "text"](about, (text) => this.onEdit(about.key, text));
      label.htmlFor = input.target.id = id;
      label.title = about.key;
      reset.type = "button";
      mark.hidden = reset.hidden = true;
      reset.addEventListener("click", () => {
        input.release();
        this.onEdit(about.key, "");
        input.target.focus();
      });
      help.id = `${id}-help`;
      limits.append(pvs.node("code", "", about.key), ` · ${about.allowed ? `${about.allowed} · ` : ""}default `, usual);
      help.append(limits);
      input.target.setAttribute("aria-describedby", help.id);
      problem.dataset.problem = about.key;
      problem.setAttribute("role", "alert");
      box.dataset.field = about.key;
      head.append(label, mark, reset);
      box.append(head, input.node, help, problem);
      return { box, input, mark, reset, usual, words: `${about.label} ${about.key} ${about.help}`.toLowerCase() };
    }

    #group(title) {
      if (!this.#groups.has(title)) {
        const details = pvs.node("details", "pf-group"), summary = pvs.node("summary", "", title);
        const count = pvs.node("span", "pf-count"), body = pvs.node("div", "pt-fields");
        summary.append(count);
        details.append(summary, body);
        this.parts.groups.append(details);
        const keys = [];
        this.#groups.set(title, { details, count, keys, bad: false, add: (key, box) => {
          keys.push(key);
          body.append(box);
        } });
      }
      return this.#groups.get(title);
    }

    // Every word must be found; groups open while something is looked for, and fold again as they were.
    #search(text) {
      const words = text.split(/\s+/).filter(Boolean);
      for (const field of this.#fields.values()) {
        field.box.hidden = Boolean(field.off) || !words.every((word) => field.words.includes(word));
      }
      const searching = words.length > 0, groups = [...this.#groups.values()];
      if (searching && !this.#before) this.#before = new Map(groups.map((group) => [group, group.details.open]));
      let found = false;
      for (const group of groups) {
        const some = group.keys.some((key) => !this.#fields.get(key).box.hidden);
        group.details.hidden = !some;
        if (searching) group.details.open = some;
        else if (this.#before) group.details.open = this.#before.get(group) || group.bad;
        found = found || some;
      }
      if (!searching) this.#before = null;
      found = found || [...this.#fields.values()].some((field) => !field.box.hidden);
      this.parts["none-found"].hidden = found;
    }
  };

  // A name before a colon stays as it is written: "swgan: ...".
  const sentence = (text) => `${/^\S+:/.test(text) ? text[0] : text[0].toUpperCase()}${text.slice(1)}.`;

  // ---- kinds of input: {node, target, value, set(value, usual), held(), release(), disable(off), invalid(bad)} ----
  function basic(input, node = input) {
    return {
      node, target: input,
      get value() { return input.value; },
      held: () => false,
      release: () => {},
      disable: (off) => { input.disabled = off; },
      invalid: (bad) => input.setAttribute("aria-invalid", String(bad)),
    };
  }

  function text(about, edit) {
    const input = Object.assign(pvs.node("input"), { type: "text", autocomplete: "off", spellcheck: false });
    if (about.kind === "numbers") input.inputMode = "decimal";
    let hand = false; // what is being typed stays as typed: "0.0010" is not made 0.001 under the hand
    input.addEventListener("input", (event) => {
      event.stopPropagation();
      hand = true;
      edit(input.value);
    });
    input.addEventListener("blur", () => { hand = false; });
    return { ...basic(input), get value() { return input.value; },
      held: () => hand && document.activeElement === input,
      release: () => { hand = false; },
      set: (value, usual) => {
        if (input.value !== value) input.value = value;
        input.placeholder = usual;
      } };
  }

  function choice(about, edit) {
    const select = pvs.node("select");
    select.addEventListener("input", (event) => {
      event.stopPropagation();
      edit(select.value);
    });
    return { ...basic(select), get value() { return select.value; },
      set: (value) => {
        const all = about.choices.includes(value) ? about.choices : [value, ...about.choices];
        if (select.options.length !== all.length || select.options[0].value !== all[0]) {
          select.replaceChildren(...all.map((item) => {
            const option = pvs.node("option", "", item || "as the stages say");
            option.value = item;
            return option;
          }));
        }
        select.value = value;
      } };
  }

  function toggle(about, edit) {
    const box = Object.assign(pvs.node("input"), { type: "checkbox" });
    box.addEventListener("input", (event) => {
      event.stopPropagation();
      edit(String(box.checked));
    });
    return { ...basic(box), get value() { return String(box.checked); },
      set: (value) => {
        box.indeterminate = value !== "true" && value !== "false";
        box.checked = value === "true";
      } };
  }

  function several(about, edit) {
    const group = pvs.node("div", "pf-several"), boxes = about.choices.map((item) => {
      const label = pvs.node("label", "pf-check"), box = Object.assign(pvs.node("input"), { type: "checkbox", value: item });
      label.append(box, item);
      group.append(label);
      return box;
    });
    let other = []; // what the text names that is no choice: it is kept
    const chosen = () => [...boxes.filter((box) => box.checked).map((box) => box.value), ...other].join(", ");
    group.addEventListener("input", (event) => {
      event.stopPropagation();
      edit(chosen());
    });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", about.label);
    group.tabIndex = -1;
    return { ...basic(group), get value() { return chosen(); },
      disable: (off) => boxes.forEach((box) => { box.disabled = off; }),
      set: (value) => {
        const items = value.split(",").map((item) => item.trim()).filter(Boolean);
        boxes.forEach((box) => { box.checked = items.includes(box.value); });
        other = items.filter((item) => !about.choices.includes(item));
      } };
  }

  const KINDS = { text, choice, switch: toggle, several };
})();
