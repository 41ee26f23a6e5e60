// The Explore page: state -> one request at a time -> a sprite sheet on the canvas.
//
// The state and the sense of rest are in explore_state.js; each other part of the page is one explore_NAME.js, which
// reads the state, changes it by store.change() and shows it in its listener. Nothing else is told to anybody.
//
// What a part is handed (view): element, ref (nodes by data-ref), store, timeline, player (the clip), over (a second
// player on top of it, for what is only looked at: hovering, a walk), look() and hide() for that one, fail, fine, attempt.
// window.pvs.explore lets a test or a benchmark look in: .state, .asked and .drawn (the seq of the last request
// and of the last sheet on the canvas), .player, .timeline, .settled() (a promise: everything asked is drawn),
// .onDrawn (called with {seq, frame} after every change of the canvas).
(() => {
  "use strict";
  const pvs = window.pvs;
  const POINT = ["model", "seed", "parts", "latent", "truncation", "moves", "of"];

  pvs.view("explore", ({ element }) => {
    const { ref, fail, fine, attempt } = pvs.page(element);
    // What is done at rest was not asked for: where it fails it takes no other sentence's place.
    const store = pvs.explorer.store(element, (error) => ref.error.hidden && fail(error));
    const { state } = store;
    const timeline = new pvs.Timeline({ fps: 16 });
    const player = new pvs.SheetPlayer(ref.clip, { timeline });
    const over = new pvs.SheetPlayer(ref.over, { timeline });
    const view = { element, ref, store, timeline, player, over, fail, fine, attempt };
    Object.assign(view, { state, asked: 0, drawn: 0, failed: null, onDrawn: null, sheetListeners: [] });
    pvs.explore = view;

    // ---- rendering ------------------------------------------------------------------------------------------
    const ask = pvs.latest(async ({ seq, ...request }) => {
      const began = performance.now();
      try {
        const response = await pvs.request("api/render", request);
        const { blob, frames, resolution: size } = await pvs.sheetOf(response);
        if (pvs.family(request.model) !== pvs.family(state.model)) return; // of a model that was left meanwhile
        if (!(await player.show(blob, { frames, seq }))) return;
        view.hide();
        if (timeline.frames !== frames) newLength(frames);
        drawStrip(player.sheet.image);
        failed(null);
        fine();
        ref.status.textContent = `${frames} × ${size} × ${size} · ${Math.round(performance.now() - began)} ms`;
      } catch (error) {
        view.hide();
        failed(error);
        fail(error);
      }
    });
    // What is on the screen is not what was asked for.
    function failed(error) {
      view.failed = error;
      ref.screen.classList.toggle("pvs-stale", error !== null);
    }
    view.again = () => (view.settling = ask({ model: state.model, ...store.point(), seq: ++view.asked }));

    // Sends what is in the state now. Called for every movement; latest() sees to it that nothing piles up.
    store.listen((keys) => {
      if (!state.model || !POINT.some((key) => keys.has(key))) return;
      view.again();
    });
    // What is asked for while one waits is waited for too: a clip that comes later would take a sentence away.
    view.settled = store.settled = async () => {
      for (let asked; asked !== view.settling; ) await (asked = view.settling);
    };

    player.onDrawn = ({ seq, frame }) => {
      const fresh = seq !== view.drawn;
      view.drawn = seq;
      view.onDrawn?.({ seq, frame });
      if (fresh) for (const listener of view.sheetListeners) listener();
    };

    // What is only looked at lies on a canvas of its own on top: the clip under it stays as it is.
    let looked = null; // the source on top, or on its way there
    let ready = false;
    let row = 0;
    view.look = async (source, { rows, frames, row: wanted, caption = "" }) => {
      row = wanted;
      ref.caption.textContent = caption;
      if (source !== looked) {
        [looked, ready] = [source, false];
        const drawn = await over.show(source, { rows, frames, row });
        if (!drawn || looked !== source) return;
        ready = true;
      }
      if (!ready) return;
      if (over.row !== row) over.row = row;
      ref.over.hidden = false;
      ref.caption.hidden = !caption;
    };
    view.hide = () => {
      looked = null;
      ref.over.hidden = ref.caption.hidden = true;
    };

    // ---- time -----------------------------------------------------------------------------------------------
    function newLength(frames) {
      timeline.frames = frames;
      ref.time.max = frames - 1;
      showTime();
    }

    function showTime() {
      const { frame, frames } = timeline;
      ref.time.value = frame;
      ref.counter.textContent = `${frame + 1} / ${frames}`;
      ref.marker.style.width = `${100 / frames}%`;
      ref.marker.style.transform = `translateX(${100 * frame}%)`;
    }

    // The whole clip at a glance under the time slider: the sheet itself.
    function drawStrip(image) {
      const { film } = ref;
      if (film.width !== image.width) film.width = image.width;
      if (film.height !== image.height) film.height = image.height;
      film.getContext("2d", { alpha: false }).drawImage(image, 0, 0);
    }

    timeline.listen(showTime);
    pvs.playButton(ref.play, timeline);
    ref.time.addEventListener("input", () => {
      timeline.seek(ref.time.valueAsNumber); // first: a pause writes where the timeline is into the slider
      timeline.pause();
    });
    ref.strip.addEventListener("pointerdown", (event) => ref.strip.setPointerCapture(event.pointerId));
    for (const kind of ["pointerdown", "pointermove"]) {
      ref.strip.addEventListener(kind, (event) => {
        if (event.buttons !== 1) return;
        const { left, width } = ref.strip.getBoundingClientRect();
        timeline.pause();
        timeline.seek(Math.floor(((event.clientX - left) / width) * timeline.frames));
      });
    }
    ref.clip.addEventListener("click", () => timeline.toggle());

    view.setSpeed = (fps) => {
      timeline.fps = ref.fps.value = fps;
      ref.fpsText.textContent = `${fps} fps`;
    };
    view.setLoop = (loop) => (timeline.loop = ref.loop.value = loop);
    view.setPixels = (kind) => {
      ref.pixels.value = kind;
      for (const one of [player, over]) one.smooth = kind === "smooth";
      ref.film.style.imageRendering = player.smooth ? "auto" : "pixelated";
    };
    ref.fps.addEventListener("input", () => view.setSpeed(ref.fps.valueAsNumber));
    ref.loop.addEventListener("change", () => view.setLoop(ref.loop.value));
    ref.pixels.addEventListener("change", () => view.setPixels(ref.pixels.value));
    for (const node of [ref.fps, ref.loop, ref.pixels]) node.addEventListener("change", () => store.busy()); // it is in the link

    // ---- the sections that fold -----------------------------------------------------------------------------
    const sections = Object.fromEntries([...element.querySelectorAll("[data-section]")].map((s) => [s.dataset.section, s]));
    view.sections = sections;
    view.unfold = (name) => (sections[name].open = true);
    for (const section of Object.values(sections)) section.addEventListener("toggle", () => store.busy());

    // ---- the parts and the start ----------------------------------------------------------------------------
    const { explorer } = pvs;
    explorer.history(view);
    explorer.models(view);
    explorer.latent(view);
    explorer.parts(view);
    explorer.seeds(view);
    explorer.directions(view);
    explorer.keyframes(view);
    explorer.walk(view);
    explorer.sheet(view);
    explorer.slices(view);
    explorer.projection(view);
    explorer.export(view);
    explorer.keyboard(view);
    showTime();
    explorer.link(view); // last: it opens the first model, with all others listening
  });
})();
