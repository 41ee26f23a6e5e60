// Lesson: a latent tour. A shipped model's named directions under a slider, first without, then with what was measured.
//
// window.pvs.learnTour lets a test look in: .player, .timeline, .stops.
(() => {
  "use strict";
  const pvs = window.pvs;

  const FIELDS = {
    model: { value: "toyfaces-swgan", of: ["toyfaces-swgan", "toyfaces-wgan-gp"] },
    stop: { value: 0, min: 0, max: 31 },
    step: { value: 0, min: -3, max: 3, step: 0.05 },
    seed: { value: 1, min: 0, max: 99999 },
    told: { value: false },
    frame: pvs.learn.FRAME,
  };
  const WIDE = 170, HIGH = 62, EDGE = 14;
  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
  const said = (label) => label.replace(/^(.+), mean$/, "mean $1");
  const signed = (value) => pvs.explorer.signed(value);

  pvs.learn.lesson("tour", FIELDS, ({ ref, fail, fine, state, change, attempt }) => {
    const timeline = new pvs.Timeline({ fps: 12 });
    const player = new pvs.SheetPlayer(ref.clip, { timeline });
    const view = (pvs.learnTour = { player, timeline, stops: [], readOnly: false });
    const idOf = () => `asset:${state.model}`;
    const here = () => view.stops[Math.min(state.stop, view.stops.length - 1)];
    const point = () => ({ seed: state.seed, latent: null, truncation: 1, moves: state.step ? { [here().id]: state.step } : {}, of: null });

    // ---- the clip: latest wins ------------------------------------------------------------------------------------
    const render = pvs.latest(async ({ model, point: at }) => {
      try {
        const sheet = await pvs.sheetOf(await pvs.request("api/render", { model, ...at }));
        timeline.frames = sheet.frames;
        await player.show(sheet.blob, sheet);
        ref.clip.dataset.shown = JSON.stringify([model, at.seed, at.moves]);
      } catch (error) {
        fail(error);
      }
    });

    // ---- the stops ------------------------------------------------------------------------------------------------
    const load = pvs.latest(async (model) => {
      try {
        const { stops, steps, read_only: readOnly, models } = await pvs.json(`api/learn/tour?model=${encodeURIComponent(model)}`);
        if (model !== state.model) return;
        ref.missing.hidden = stops.length > 0;
        ref.body.hidden = !stops.length;
        Object.assign(view, { stops, steps, readOnly, of: model });
        ref.model.replaceChildren(...models.map((name) => pvs.option(name, name)));
        ref.model.value = model;
        ref.naming.hidden = readOnly;
        list();
        if (stops.length) show(new Set(Object.keys(FIELDS)));
      } catch (error) {
        fail(error);
      }
    });

    function list() {
      ref.stops.replaceChildren(...view.stops.map(({ name, own }, place) => {
        // Its name would give away what is to be found out.
        const button = make("button", "pn-tour-stop", own || (state.told ? name : `Direction ${place + 1}`));
        button.type = "button";
        button.setAttribute("role", "radio");
        button.addEventListener("click", () => change({ stop: place, step: 0 }));
        return button;
      }));
      mark();
    }

    function mark() {
      for (const [place, button] of [...ref.stops.children].entries()) {
        const on = view.stops[place] === here();
        button.setAttribute("aria-checked", String(on));
        button.tabIndex = on ? 0 : -1;
      }
    }

    ref.stops.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const at = view.stops.indexOf(here()), next = (at + by + view.stops.length) % view.stops.length;
      change({ stop: next, step: 0 });
      ref.stops.children[next].focus();
    });

    // ---- what was measured ------------------------------------------------------------------------------------------
    function svg(name, attributes) {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      return node;
    }

    // A factor's mean change along the direction, and where the slider is on it.
    function curve(along) {
      const most = Math.max(0.5, ...along.map(Math.abs)), steps = view.steps;
      const x = (step) => EDGE + ((step - steps[0]) / (steps[steps.length - 1] - steps[0])) * (WIDE - 2 * EDGE);
      const y = (value) => HIGH / 2 - (value / most) * (HIGH / 2 - 6);
      const right = Math.max(1, steps.findIndex((step) => step >= state.step)), left = right - 1;
      const part = (state.step - steps[left]) / (steps[right] - steps[left]);
      const now = along[left] + part * (along[right] - along[left]);
      const drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `From ${signed(along[0])} to ${signed(along[along.length - 1])}` });
      drawing.append(svg("line", { class: "axis", x1: EDGE, x2: WIDE - EDGE, y1: HIGH / 2, y2: HIGH / 2 }),
        svg("polyline", { class: "line", points: along.map((value, i) => `${x(steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }),
        svg("circle", { class: "now", cx: x(state.step).toFixed(1), cy: y(now).toFixed(1), r: 4 }));
      return { drawing, now };
    }

    function told() {
      ref.tell.textContent = state.told ? "Hide it again" : "Show what was measured";
      ref.tell.setAttribute("aria-expanded", String(state.told));
      ref.told.hidden = !state.told;
      if (!state.told) return;
      const { name, factors } = here();
      ref.sentence.textContent = `This direction was named “${name}”. It explains ${Math.round(100 * factors[0].share)} % of the variance of `
        + `${said(factors[0].label)}${factors.length > 1 ? `, and less of ${factors.slice(1).map(({ label }) => said(label)).join(", ")}` : ""}. `
        + (factors.length > 1 ? "A direction is seldom one thing only: what it brings along is what went together in the training clips, or what the "
          + "generator mixed up." : "");
      ref.factors.replaceChildren(...factors.map(({ label, share, along }) => {
        const row = make("div", "pn-tour-factor"), words = make("div", ""), bar = make("div", "pn-tour-bar"), fill = make("span", "");
        fill.style.width = `${100 * share}%`;
        bar.append(fill);
        const { drawing, now } = along ? curve(along) : {};
        words.append(make("b", "", said(label)), ` ${Math.round(100 * share)} %`);
        if (along) words.append(make("output", "pn-tour-now", `${signed(now)} σ`));
        words.append(bar);
        row.dataset.factor = label;
        row.append(words, drawing || make("span", "pvs-note", "a choice or a colour: no more or less of it"));
        return row;
      }));
    }

    // ---- drawing ----------------------------------------------------------------------------------------------------
    function show(changed) {
      if (!view.stops.length || view.of !== state.model) return;
      fine();
      if (changed.has("told")) list();
      if (changed.has("stop")) {
        mark();
        ref.name.value = here().own || "";
        ref.kept.textContent = "";
      }
      ref.step.value = state.step;
      ref.seed.value = state.seed;
      ref.at.textContent = state.step ? `${signed(state.step)} standard deviations` : "the latent of the seed itself";
      told();
      render({ model: idOf(), point: point() });
    }

    ref.step.addEventListener("input", () => change({ step: ref.step.valueAsNumber }));
    ref.step.addEventListener("dblclick", () => change({ step: 0 }));
    ref.model.addEventListener("change", () => change({ model: ref.model.value, stop: 0, step: 0 }));
    ref.next.addEventListener("click", () => change({ seed: (state.seed + 1) % (FIELDS.seed.max + 1) }));
    pvs.learn.typed(ref.seed, "seed", FIELDS.seed, state, change);
    ref.tell.addEventListener("click", () => change({ told: !state.told }));
    ref.toExplore.addEventListener("click", () => pvs.openTab("explore", { model: idOf(), point: point(), direction: here().id }));
    ref.naming.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(async () => {
        const stop = here(), name = ref.name.value.trim();
        await pvs.json("api/directions/name", { model: idOf(), direction: stop.id, name, kept: Boolean(name) });
        fine();
        stop.own = name || null;
        ref.kept.textContent = name ? "Kept: Explore has it too." : "Your name is gone.";
        list();
      })();
    });
    const clock = pvs.learn.clock(ref, timeline, state, change);
    return {
      draw(changed) {
        clock.draw(changed);
        if (changed.has("model")) load(state.model);
        else if ([...changed].some((key) => key !== "frame")) show(changed);
      },
      shown: clock.shown,
    };
  });
})();
