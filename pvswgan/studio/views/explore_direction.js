// One direction: its name, what it does, a slider, and the effect in five pictures that lie where the slider's steps do.
//
//   const row = new pvs.explorer.DirectionRow({onMove(id, value), onName(id, change), onForget(id)});
//   row.describe(direction)    as api/directions gives it      row.show(value)      the slider's place
//   row.measured(measured)     {label, moves, looks} or null   row.effect(blob)     the strip of five frames
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const PICTURES = [-3, -1.5, 0, 1.5, 3];
  const REACH = 3; // standard deviations to either side; what a link brings may be further out
  const TITLES = { pca: "PCA", sefa: "SeFa", own: "Own" };

  // "+1.50"; a true minus, as wide as the plus.
  pvs.explorer.signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

  function make(tag, className, attributes = {}) {
    const node = document.createElement(tag);
    node.className = className;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }
  pvs.explorer.make = make;
  const button = (className, text, attributes) =>
    Object.assign(make("button", className, { type: "button", ...attributes }), { textContent: text });

  // The name that a direction has before somebody names it: "PCA 3".
  pvs.explorer.directionName = ({ id, kind, name }) => {
    const rest = id.slice(id.indexOf(":") + 1);
    const title = kind.startsWith("pca-") ? kind[4].toUpperCase() + kind.slice(5) : TITLES[kind];
    return name || `${title} ${kind === "own" ? rest : Number(rest) + 1}`;
  };

  pvs.explorer.DirectionRow = class DirectionRow {
    #url = null;

    constructor(id, { onMove, onName, onForget }) {
      this.id = id;
      this.act = { onMove, onName, onForget };
      this.node = make("div", "pe-direction", { "data-id": id, role: "group" });
      this.star = button("pe-star pvs-writes", "☆", { "aria-pressed": "false" });
      this.name = button("pe-name", "");
      this.badge = make("small", "pe-badge");
      this.share = make("small", "pe-share");
      this.range = make("input", "", { type: "range", min: -REACH, max: REACH, step: 0.05, value: 0 });
      this.range.id = `pvs-explore-move-${id.replace(":", "-")}`;
      this.pictures = make("div", "pe-effect", { "aria-hidden": "true" });
      this.output = make("output", "", { for: this.range.id });
      this.reset = button("pvs-button pvs-square", "↺", { title: "Reset" });
      this.forget = button("pvs-button pvs-square pvs-writes", "×", { title: "Forget this direction" });
      const about = make("div", "pe-about"), title = make("div", "pe-title"), facts = make("div", "pe-facts");
      title.append(this.star, this.name);
      facts.append(this.badge, this.share);
      about.append(title, facts);
      const track = make("div", "pe-track"), ends = make("div", "pe-ends");
      track.append(this.range, this.pictures);
      ends.append(this.reset, this.forget);
      this.node.append(about, track, this.output, ends);
      this.#wire();
      this.show(0);
    }

    #wire() {
      const { onMove, onName, onForget } = this.act;
      this.range.addEventListener("input", () => onMove(this.id, this.range.valueAsNumber));
      this.range.addEventListener("dblclick", () => onMove(this.id, 0));
      this.reset.addEventListener("click", () => {
        onMove(this.id, 0);
        this.range.focus(); // the button goes when there is nothing to reset
      });
      for (const [i, value] of PICTURES.entries()) {
        const picture = button("", "", { tabindex: "-1", title: pvs.explorer.signed(value) });
        picture.style.backgroundPositionX = `${i * 25}%`;
        picture.addEventListener("click", () => onMove(this.id, value));
        this.pictures.append(picture);
      }
      this.star.addEventListener("click", () => onName(this.id, { kept: !this.direction.kept }));
      this.forget.addEventListener("click", () => onForget(this.id));
      this.name.addEventListener("click", () => this.rename());
    }

    describe(direction) {
      this.direction = direction;
      const name = pvs.explorer.directionName(direction);
      this.name.textContent = name;
      this.name.setAttribute("aria-label", `Rename ${name}`);
      this.name.title = pvs.readOnly() ? name : `${name}: a click renames`; // it may be longer than there is room
      this.node.setAttribute("aria-label", name);
      this.range.setAttribute("aria-label", name);
      this.reset.setAttribute("aria-label", `Reset ${name}`);
      this.forget.setAttribute("aria-label", `Forget ${name}`);
      this.forget.hidden = direction.kind !== "own";
      this.star.textContent = direction.kept ? "★" : "☆";
      this.star.setAttribute("aria-pressed", String(direction.kept));
      this.star.setAttribute("aria-label", `Keep ${name}`);
      this.star.title = direction.kept ? "Kept: it comes first" : "Keep: it then comes first";
      const percent = 100 * direction.explained;
      this.share.textContent = direction.explained === null ? "" : `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
      this.share.title = "The share of the model's variety that it explains";
      this.measured(direction.measured);
    }

    measured(measured) {
      this.direction.measured = measured;
      this.badge.textContent = measured ? measured.label : "…";
      this.badge.dataset.label = measured ? measured.label : "";
      this.badge.title = measured
        ? `Changes the motion by ${measured.moves.toFixed(2)}, the look by ${measured.looks.toFixed(2)}`
        : "Not measured yet";
    }

    show(value) {
      if (this.value === value) return;
      this.value = value;
      const reach = String(Math.max(REACH, Math.abs(value)));
      if (this.range.max !== reach) Object.assign(this.range, { min: -reach, max: reach });
      if (this.range.valueAsNumber !== value) this.range.value = value;
      const text = pvs.explorer.signed(value);
      this.output.textContent = text;
      this.range.setAttribute("aria-valuetext", `${text} standard deviations`);
      this.reset.style.visibility = value === 0 ? "hidden" : "visible";
    }

    effect(blob) {
      if (this.#url) URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(blob);
      for (const picture of this.pictures.children) picture.style.backgroundImage = `url("${this.#url}")`;
    }

    // The name becomes a field; Enter or leaving it saves, Escape does not, an empty one brings the first name back.
    rename() {
      if (pvs.readOnly()) return;
      const field = make("input", "pe-rename", { type: "text", maxlength: 40, "aria-label": "New name" });
      field.value = this.direction.name || "";
      field.placeholder = this.name.textContent;
      let over = false;
      const done = (save, back) => {
        if (over) return;
        over = true;
        const name = field.value.trim();
        field.replaceWith(this.name);
        if (back) this.name.focus();
        if (save && name !== (this.direction.name || "")) this.act.onName(this.id, { name });
      };
      field.addEventListener("keydown", (event) => {
        event.stopPropagation(); // letters are letters here
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.preventDefault(); // else Enter goes on to the button that gets the focus, and opens the field again
        done(event.key === "Enter", true);
      });
      field.addEventListener("blur", () => done(true, false));
      this.name.replaceWith(field);
      field.focus();
      field.select();
    }

    remove() {
      if (this.#url) URL.revokeObjectURL(this.#url);
      this.node.remove();
    }
  };
})();
