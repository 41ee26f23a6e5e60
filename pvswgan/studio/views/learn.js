// The Learn page: the list of lessons, one open at a time, its whole state in the address.
(() => {
  "use strict";
  const pvs = window.pvs, learn = pvs.learn;

  pvs.view("learn", ({ element, props }) => {
    const { ref, fail, fine } = pvs.page(element);
    const lessons = props.lessons, buttons = new Map();
    let onScreen = false;

    for (const [i, { name, title, question }] of lessons.entries()) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "pn-lesson-button" });
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", `pvs-learn_${name}`);
      for (const [className, text] of [["pn-count", `${i + 1}`], ["pn-title", title], ["pn-question", question]])
        button.append(Object.assign(document.createElement("span"), { className, textContent: text }));
      button.addEventListener("click", () => open(name));
      buttons.set(name, button);
    }
    ref.lessons.replaceChildren(...buttons.values());
    ref.lessons.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = lessons.findIndex(({ name }) => name === learn.open.name);
      const next = lessons[(at + step + lessons.length) % lessons.length].name;
      open(next);
      buttons.get(next).focus();
    });

    // ---- one lesson at a time -----------------------------------------------------------------------------------
    function open(name) {
      learn.open = learn.lessons.get(name);
      for (const [other, button] of buttons) {
        button.setAttribute("aria-selected", String(other === name));
        button.tabIndex = other === name ? 0 : -1;
      }
      fine();
      show();
      follow();
    }

    function show() {
      for (const { name } of lessons) {
        const one = learn.lessons.get(name), on = onScreen && one === learn.open;
        document.getElementById(`pvs-learn_${name}`)?.classList.toggle("pn-away", one !== learn.open);
        one.show?.(on);
      }
    }

    // ---- the address --------------------------------------------------------------------------------------------
    function address() {
      const url = new URL(location.href), { name, fields, state } = learn.open;
      const differing = learn.differing(fields, state);
      url.searchParams.set("tab", "learn");
      url.searchParams.set("lesson", name);
      if (Object.keys(differing).length) url.searchParams.set("l", JSON.stringify(differing));
      else url.searchParams.delete("l");
      return url;
    }

    const follow = pvs.addressFollows(() => onScreen && address());

    // What a link says of a lesson's state; a part that cannot be read is as it begins, and the page says so.
    function restore(text) {
      if (text === null) return;
      let given = null;
      try {
        given = JSON.parse(text);
      } catch {
        // Said below.
      }
      const { fields, state: before } = learn.open, { state, wrong } = learn.read(fields, given);
      Object.assign(before, state);
      if (given === null || typeof given !== "object" || Array.isArray(given) || wrong.length)
        fail(new Error("A part of this link could not be read: the rest of it is shown."));
    }

    pvs.copiesLink(ref.copyLink, address, fail);
    ref.reset.addEventListener("click", () => learn.open.reset());

    // ---- in -----------------------------------------------------------------------------------------------------
    for (const { name } of lessons) learn.lessons.get(name).follow = follow;
    learn.mounted = show; // a lesson whose component Gradio mounts after this one
    const query = new URLSearchParams(location.search), wished = query.get("lesson");
    const [first] = lessons;
    open(buttons.has(wished) ? wished : first.name);
    if (wished !== null && !buttons.has(wished)) fail(new Error(`There is no lesson ${wished}: this is the first one.`));
    else if (wished !== null) restore(query.get("l"));
    pvs.onOpen("learn", ({ lesson, state }) => {
      open(lesson);
      learn.open.set(learn.read(learn.open.fields, state).state);
    });
    // The whole tab, and not this list, which is scrolled away while a lesson is read.
    pvs.whenShown(document.getElementById("pvs-tab-learn"), (shown) => {
      onScreen = shown;
      show();
      if (shown) follow();
    });
  });
})();
