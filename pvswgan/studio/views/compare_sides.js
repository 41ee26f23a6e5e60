// Which two to four are compared: a picker for each, and for a run a slider over its checkpoints. An id without
// "@clips" is a run's newest checkpoint, and follows it.
//
//   pvs.compare.sides(view)    view.sides() -> [{id, group, name, kind, drawn, note, colour}]; drawn: the id of what is
//                              rendered, null where there is nothing yet; view.refresh() looks what there is
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};
  const { kimg, option } = pvs;

  pvs.compare.sides = (view) => {
    const { ref, state } = view;
    let choices = null;
    let known = "";

    // Oldest first, as the slider has them.
    const checkpoints = (choice) => [...(choice?.checkpoints || [])].reverse();
    const find = (id) => choices?.find(({ group }) => group === pvs.family(id));
    const colour = (place) => pvs.compare.COLOURS[pvs.isDark() ? "dark" : "light"][place];
    view.colour = colour;

    view.sides = () => state.ids.map((id, place) => {
      const choice = find(id), name = choice?.name ?? pvs.family(id).replace(/^\w+:/, "");
      const side = { id, group: pvs.family(id), name, kind: id.split(":")[0], colour: colour(place), place, drawn: null };
      if (!choice) return { ...side, gone: true, note: "It is not here any more. Choose another, or take it away." };
      const list = checkpoints(choice);
      if (!list.length) return { ...side, note: "No checkpoint yet. Its clips appear here with its first snapshot." };
      const wanted = id.includes("@") ? list.find((checkpoint) => checkpoint.id === id) : list[list.length - 1];
      if (!wanted) return { ...side, note: "That checkpoint was cleared away by its training. Move the slider to another." };
      return { ...side, drawn: wanted.id, clips: wanted.clips, note: "" };
    });

    const set = (place, id) => view.change({ ids: state.ids.map((old, i) => (i === place ? id : old)) });

    // A run's checkpoint by its place on the slider; the last place is "the newest, whichever that is".
    const idAt = (choice, at) => {
      const list = checkpoints(choice);
      return at >= list.length - 1 ? choice.group : list[at].id;
    };

    // The others go to the checkpoint that is nearest in clips seen.
    function move(place, at) {
      const clips = checkpoints(find(state.ids[place]))[at].clips;
      const ids = state.ids.map((id, i) => {
        const choice = find(id), list = checkpoints(choice);
        if (i === place) return idAt(choice, at);
        if (!state.together || choice?.kind !== "run" || !list.length) return id;
        const far = list.map((checkpoint) => Math.abs(checkpoint.clips - clips));
        return idAt(choice, far.lastIndexOf(Math.min(...far)));
      });
      view.change({ ids });
    }

    const titled = ({ name, state: is }) => (is ? `${name} · ${is}` : name);

    function picker(side) {
      const select = document.createElement("select");
      select.setAttribute("aria-label", `Model ${side.place + 1}`);
      select.append(...pvs.modelOptions(choices, titled));
      if (side.gone) select.prepend(option(side.group, `${side.name} (gone)`));
      select.value = side.group;
      select.addEventListener("change", () => set(side.place, select.value));
      return select;
    }

    function slot(side) {
      const node = document.createElement("div"), note = document.createElement("p");
      node.className = "pc-slot";
      node.style.setProperty("--pc-colour", side.colour);
      const away = Object.assign(document.createElement("button"), { type: "button", className: "pvs-button pvs-square", textContent: "×" });
      away.setAttribute("aria-label", `Take ${side.name} away`);
      away.addEventListener("click", () => view.change({ ids: state.ids.filter((_, i) => i !== side.place) }));
      note.className = "pvs-note";
      const through = document.createElement("div"), slider = document.createElement("input"), text = document.createElement("output");
      through.className = "pc-through";
      Object.assign(slider, { type: "range", min: 0, step: 1 });
      slider.setAttribute("aria-label", `Checkpoint of ${side.name}`);
      slider.addEventListener("input", () => move(side.place, slider.valueAsNumber));
      through.append(slider, text);
      node.append(picker(side), away, through, note);
      return { node, slider, text, note, through };
    }

    // The slots are made anew only when what there is to choose changes: a slider under the hand stays.
    let slots = [];
    view.showSides = () => {
      const sides = view.sides();
      const now = JSON.stringify([choices?.map(({ group, name }) => [group, name]), sides.map(({ group, gone, colour: c }) => [group, gone, c])]);
      if (now !== known) {
        const focused = slots.findIndex(({ node }) => node.contains(document.activeElement));
        const tag = document.activeElement?.type;
        slots = sides.map(slot);
        ref.slots.replaceChildren(...slots.map(({ node }) => node));
        if (focused >= 0) slots[Math.min(focused, slots.length - 1)]?.node.querySelector(tag === "range" ? "input" : "select")?.focus();
        known = now;
      }
      sides.forEach((side, place) => {
        const { node, slider, text, note, through } = slots[place], list = checkpoints(find(side.id));
        for (const one of node.querySelectorAll("option")) { // a list that is open stays open
          const choice = find(one.value);
          if (choice && one.text !== titled(choice)) one.text = titled(choice);
        }
        const at = list.findIndex(({ id }) => id === side.drawn), newest = at === list.length - 1;
        through.style.visibility = side.kind === "run" && list.length ? "visible" : "hidden";
        slider.max = Math.max(0, list.length - 1);
        slider.disabled = list.length < 2;
        if (at >= 0) slider.value = at;
        text.textContent = at >= 0 && side.kind === "run" ? `${kimg(list[at].clips)}${newest ? " (newest)" : ""}` : "";
        slider.setAttribute("aria-valuetext", text.textContent);
        note.textContent = side.note || view.about?.get(side.id) || "";
      });
      ref.add.disabled = sides.length >= pvs.compare.MOST || !choices?.length;
      ref.add.title = ref.add.disabled ? "Up to four can be compared." : "";
      ref.guide.textContent = !choices?.length
        ? "There is nothing to compare yet. Train a pair below: two runs that differ in nothing but the loss."
        : sides.length < 2 ? "Add a model to compare with; or train a pair below, alike in all but the loss." : "";
      ref.guide.hidden = !ref.guide.textContent;
      ref.body.hidden = sides.length === 0;
    };

    ref.add.addEventListener("click", () => {
      const used = new Set(state.ids.map(pvs.family));
      const next = choices.find(({ group }) => !used.has(group)) || choices[0];
      view.change({ ids: [...state.ids, next.group] });
    });

    view.refresh = async () => {
      const answer = await pvs.json("api/compare/choices");
      const before = JSON.stringify(choices);
      choices = answer.sides;
      if (!view.options) view.showOptions(answer);
      view.options = answer;
      if (!state.ids.length && !view.linked && before === "null") view.begin(choices);
      if (JSON.stringify(choices) !== before) view.chosen();
      else view.askFacts(); // a run that has begun has its configuration a little later
    };
    // At first: the two newest that have something to show.
    view.begin = (all) => {
      const first = all.filter((choice) => choice.checkpoints.length).slice(0, 2);
      state.ids = first.map(({ group }) => group);
      ref.pairPanel.open = first.length < 2;
    };
  };
})();
