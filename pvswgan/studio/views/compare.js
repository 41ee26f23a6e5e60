// The Compare page: two to four runs or models, the same latents in step on one clock. Its parts are compare_NAME.js;
// each reads view.state and changes it by view.change.
//
// window.pvs.compareView lets a test look in: .state, .clips (players), .timeline, .quiz.
(() => {
  "use strict";
  const pvs = window.pvs;
  const EVERY_MS = 5000;

  pvs.view("compare", ({ element }) => {
    const view = { ...pvs.page(element), shown: false, options: null };
    const { ref, fail, fine } = view;
    const timeline = (view.timeline = new pvs.Timeline({ fps: 16 }));
    pvs.compareView = view;
    pvs.compare.state(view);
    pvs.compare.history(view);
    const { state } = view;
    pvs.compare.sides(view);
    pvs.compare.pair(view);
    pvs.compare.facts(view);
    pvs.compare.curves(view);
    view.clips = new pvs.compare.Clips(ref, timeline, { onError: fail, onFine: fine, onFrames: (frames) => (timeline.frames = frames) });
    view.quiz = new pvs.compare.Quiz(ref.quiz, timeline, { onError: fail, onSeed: (quiz) => view.change({ quiz }) });

    // ---- what is chosen -------------------------------------------------------------------------------------
    view.chosen = () => {
      const sides = view.sides(), drawn = sides.filter((side) => side.drawn);
      view.showSides();
      view.clips.sides(sides.map((side) => ({ ...side, id: side.drawn })));
      for (const name of ["left", "right"]) {
        ref[name].replaceChildren(...drawn.map((side) => new Option(side.name + (side.kind === "run" ? ` · ${pvs.kimg(side.clips)}` : ""), side.place)));
      }
      const places = drawn.map(({ place }) => place);
      if (places.length > 1) {
        const left = places.includes(state.left) ? state.left : places[0];
        const right = places.includes(state.right) && state.right !== left ? state.right : places.find((place) => place !== left);
        view.settle({ left, right });
      }
      view.pairable = places.length > 1;
      for (const button of ref.modes.children) button.disabled = button.dataset.mode !== "side" && !view.pairable;
      showPair();
      view.askFacts();
      view.loadCurves();
    };

    function showPair() {
      Object.assign(ref.left, { value: state.left });
      Object.assign(ref.right, { value: state.right });
      view.clips.pair = [state.left, state.right];
      view.clips.gain = state.gain;
      view.clips.mode = view.pairable ? state.mode : "side";
      ref.gain.value = state.gain;
      ref.gainLabel.hidden = view.clips.mode !== "difference";
      ref.between.textContent = view.clips.mode === "wipe" ? "|" : "−";
      for (const button of ref.modes.children) {
        const on = button.dataset.mode === view.clips.mode;
        button.setAttribute("aria-checked", String(on));
        button.tabIndex = on ? 0 : -1;
      }
      const sides = view.sides();
      const pair = view.pairable ? [sides[state.left], sides[state.right]] : [];
      const alike = pair.length > 0 && pair[0].name === pair[1].name; // two times of one training
      view.quiz.of(pair.map(({ drawn: id, name, clips }) =>
        ({ id, name: alike ? `${name} after ${pvs.kimg(clips)}` : name })), state.quiz);
    }

    function showClips() {
      ref.seed.value = state.seed;
      ref.rows.value = state.rows;
      const seeds = pvs.compare.seeds(state), last = seeds[seeds.length - 1];
      ref.seedsText.textContent = seeds.length > 1 ? `A row each for seeds ${seeds[0]} to ${last}` : `Seed ${last}`;
      ref.truncation.value = state.truncation;
      ref.truncationText.textContent = state.truncation.toFixed(2);
      return view.clips.show({ seeds, truncation: state.truncation });
    }

    view.listen((keys) => {
      fine();
      if (keys.has("ids") && view.options) view.chosen(); // before the list is there: with it
      if (["seed", "rows", "truncation"].some((key) => keys.has(key))) showClips();
      if (["mode", "left", "right", "gain"].some((key) => keys.has(key))) showPair();
      if (keys.has("along") || keys.has("smoothing")) view.drawCurves();
      if (keys.has("wipe")) wipe();
      if (keys.has("fps")) showSpeed();
      if (keys.has("together")) ref.together.checked = state.together;
    });

    // ---- how it is looked at ----------------------------------------------------------------------------------
    ref.modes.addEventListener("click", ({ target }) => target.dataset.mode && view.change({ mode: target.dataset.mode }));
    ref.modes.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const buttons = [...ref.modes.children].filter((button) => !button.disabled);
      const next = buttons[(buttons.indexOf(document.activeElement) + by + buttons.length) % buttons.length];
      next.click();
      next.focus();
    });
    // Choosing the one that is on the other side changes sides.
    ref.left.addEventListener("change", () => {
      const left = Number(ref.left.value);
      view.change({ left, right: left === state.right ? state.left : state.right });
    });
    ref.right.addEventListener("change", () => {
      const right = Number(ref.right.value);
      view.change({ right, left: right === state.left ? state.right : state.left });
    });
    ref.gain.addEventListener("change", () => view.change({ gain: Number(ref.gain.value) }));

    const wipe = () => {
      view.clips.wipe = ref.wipe.value = state.wipe;
      ref.screen.style.setProperty("--pc-at", state.wipe);
    };
    ref.wipe.addEventListener("input", () => view.change({ wipe: ref.wipe.valueAsNumber }));
    const drag = (event) => {
      if (state.mode !== "wipe" || !event.buttons) return;
      const box = ref.canvas.getBoundingClientRect();
      view.change({ wipe: Math.max(0, Math.min(Math.round((100 * (event.clientX - box.left)) / box.width) / 100, 1)) });
    };
    ref.canvas.addEventListener("pointerdown", (event) => {
      ref.canvas.setPointerCapture(event.pointerId);
      drag(event);
    });
    ref.canvas.addEventListener("pointermove", drag);

    ref.seed.addEventListener("change", () => {
      const seed = Math.max(0, Math.min(Math.round(ref.seed.valueAsNumber || 0), 2 ** 31 - 1));
      ref.seed.value = seed;
      view.change({ seed });
    });
    ref.rows.addEventListener("change", () => view.change({ rows: Number(ref.rows.value) }));
    ref.nextSeeds.addEventListener("click", () => view.change({ seed: Math.min(state.seed + state.rows, 2 ** 31 - 1) }));
    ref.truncation.addEventListener("input", () => view.change({ truncation: ref.truncation.valueAsNumber }));

    // ---- the one clock ------------------------------------------------------------------------------------------
    pvs.playButton(ref.play, timeline);
    ref.time.addEventListener("input", () => timeline.hold(ref.time.valueAsNumber));
    const showSpeed = () => {
      timeline.fps = ref.fps.value = state.fps;
      ref.fpsText.textContent = `${state.fps} fps`;
    };
    ref.fps.addEventListener("input", () => view.change({ fps: ref.fps.valueAsNumber }));
    ref.together.addEventListener("change", () => view.change({ together: ref.together.checked }));
    const showTime = () => {
      ref.time.max = timeline.frames - 1;
      ref.time.value = timeline.frame;
      ref.counter.textContent = `${timeline.frame + 1} / ${timeline.frames}`;
    };
    timeline.listen(() => {
      showTime();
      if (!timeline.playing) view.follow();
    });

    // ---- from outside -------------------------------------------------------------------------------------------
    ref.refresh.addEventListener("click", () => look());
    pvs.copiesLink(ref.link, view.address, fail);
    pvs.onOpen("compare", ({ ids }) => {
      view.linked = true;
      view.change({ ids: ids.slice(0, pvs.compare.MOST) });
    });
    new MutationObserver(() => view.options && view.chosen()).observe(document.body, { attributes: true, attributeFilter: ["class"] });

    showClips();
    showTime();
    showSpeed();
    ref.together.checked = state.together;
    wipe();
    if (state.frame !== null) timeline.hold(state.frame);
    // What only a look that failed has said goes with the next one that does not.
    let lost = false;
    const look = async () => {
      try {
        await view.refresh();
        await view.clips.again();
        if (lost && !view.clips.failed) fine();
        lost = false;
      } catch (error) {
        lost = true;
        fail(error);
      }
    };
    pvs.whenShown(element, (on) => {
      if (on && !view.shown) {
        view.shown = true;
        look().then(view.follow);
      }
      view.shown = on;
    });
    setInterval(() => view.shown && !document.hidden && look(), EVERY_MS);
  });
})();
