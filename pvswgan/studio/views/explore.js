// The Explore page: state -> one request at a time -> a sprite sheet on the canvas.
//
// window.pvs.explore lets a test or a benchmark look in: .state, .asked and .drawn (the seq of the last request
// and of the last sheet on the canvas), .player, .timeline, .settled() (a promise: everything asked is drawn),
// .onDrawn (called with {seq, frame} after every change of the canvas).
(() => {
  "use strict";
  const pvs = window.pvs;
  const LARGEST_SEED = 2 ** 31 - 1;

  pvs.view("explore", ({ element, props }) => {
    const ref = {};
    for (const node of element.querySelectorAll("[data-ref]")) ref[node.dataset.ref] = node;
    const state = { model: null, seed: 0, truncation: 1, offsets: Array(props.sliders).fill(0) };
    const timeline = new pvs.Timeline({ fps: 16 });
    const player = new pvs.SheetPlayer(ref.clip, { timeline });
    const view = (pvs.explore = { state, timeline, player, asked: 0, drawn: 0, onDrawn: null });
    let models = []; // as api/models lists them
    let opened = null; // as api/model describes the open one

    // ---- errors: a sentence, on the page, until the next thing goes well -----------------------------------
    const fail = (error) => {
      ref.error.textContent = error.message;
      ref.error.hidden = false;
    };
    const fine = () => (ref.error.hidden = true);
    const attempt = (work) => async (...given) => {
      try {
        await work(...given);
      } catch (error) {
        fail(error);
      }
    };

    // ---- rendering ------------------------------------------------------------------------------------------
    const ask = pvs.latest(async (request) => {
      const began = performance.now();
      try {
        const response = await pvs.request("api/render", request);
        const blob = await response.blob();
        if (request.model !== state.model) return; // of a model that was left meanwhile
        const frames = Number(response.headers.get("X-Frames"));
        if (!(await player.show(blob, { frames, seq: request.seq }))) return;
        if (timeline.frames !== frames) newLength(frames);
        drawStrip(player.sheet.image);
        fine();
        const size = response.headers.get("X-Resolution");
        ref.status.textContent = `${frames} frames, ${size} × ${size} · ${Math.round(performance.now() - began)} ms`;
      } catch (error) {
        fail(error);
      }
    });

    // Sends what is on the controls now. Called for every movement; latest() sees to it that nothing piles up.
    function render() {
      showReset();
      if (!state.model) return;
      const { model, seed, truncation, offsets } = state;
      view.settling = ask({ model, seed, truncation, offsets: [...offsets], seq: ++view.asked });
    }
    view.settled = () => view.settling;

    player.onDrawn = ({ seq, frame }) => {
      view.drawn = seq;
      view.onDrawn?.({ seq, frame });
    };

    // ---- time -----------------------------------------------------------------------------------------------
    function newLength(frames) {
      timeline.frames = frames;
      ref.time.max = frames - 1;
      showTime();
    }

    function showTime() {
      const { frame, frames, playing } = timeline;
      ref.time.value = frame;
      ref.counter.textContent = `${frame + 1} / ${frames}`;
      ref.marker.style.width = `${100 / frames}%`;
      ref.marker.style.transform = `translateX(${100 * frame}%)`;
      ref.play.classList.toggle("playing", playing);
      ref.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    }

    // The whole clip at a glance under the time slider: the sheet itself.
    function drawStrip(image) {
      const { film } = ref;
      if (film.width !== image.width) film.width = image.width;
      if (film.height !== image.height) film.height = image.height;
      film.getContext("2d", { alpha: false }).drawImage(image, 0, 0);
    }

    timeline.listen(showTime);
    ref.play.addEventListener("click", () => timeline.toggle());
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
    ref.clip.addEventListener("keydown", (event) => {
      const act = { " ": () => timeline.toggle(), ArrowLeft: () => timeline.step(-1), ArrowRight: () => timeline.step(1) };
      if (!act[event.key]) return;
      event.preventDefault(); // space would scroll the page
      act[event.key]();
    });
    ref.clip.addEventListener("click", () => timeline.toggle());
    ref.fps.addEventListener("input", () => {
      timeline.fps = ref.fps.valueAsNumber;
      ref.fpsText.textContent = `${timeline.fps} fps`;
    });
    ref.loop.addEventListener("change", () => (timeline.loop = ref.loop.value));
    ref.pixels.addEventListener("change", () => {
      player.smooth = ref.pixels.value === "smooth";
      ref.film.style.imageRendering = player.smooth ? "auto" : "pixelated";
    });

    // ---- the latent -----------------------------------------------------------------------------------------
    function setSeed(seed) {
      if (!Number.isFinite(seed)) return; // an emptied field: keep what is shown
      state.seed = Math.max(0, Math.min(LARGEST_SEED, Math.round(seed)));
      if (ref.seed.valueAsNumber !== state.seed) ref.seed.value = state.seed;
      render();
    }
    ref.seed.addEventListener("input", () => setSeed(ref.seed.valueAsNumber));
    ref.seed.addEventListener("change", () => (ref.seed.value = state.seed));
    ref.seedBack.addEventListener("click", () => setSeed(state.seed - 1));
    ref.seedNext.addEventListener("click", () => setSeed(state.seed + 1));
    ref.seedRandom.addEventListener("click", () => setSeed(Math.floor(Math.random() * 1e6)));

    function setTruncation(value) {
      state.truncation = value;
      ref.truncation.value = value;
      ref.truncationText.textContent = value.toFixed(2);
      render();
    }
    ref.truncation.addEventListener("input", () => setTruncation(ref.truncation.valueAsNumber));
    ref.truncation.addEventListener("dblclick", () => setTruncation(1));

    const sliders = state.offsets.map((_, i) => {
      const row = document.createElement("div");
      row.className = "pvs-direction";
      const id = `pvs-explore-direction-${i}`;
      row.innerHTML =
        `<label for="${id}">Direction ${i + 1}<small></small></label>` +
        `<input type="range" id="${id}" min="-3" max="3" step="0.05" value="0">` +
        `<output for="${id}"></output>` +
        `<button type="button" class="pvs-button pvs-square" aria-label="Reset direction ${i + 1}" title="Reset">↺</button>`;
      const [label, range, output, reset] = row.children;
      const share = label.querySelector("small");
      share.textContent = " …"; // until its directions are found
      range.addEventListener("input", () => setOffset(i, range.valueAsNumber));
      range.addEventListener("dblclick", () => setOffset(i, 0));
      reset.addEventListener("click", () => {
        setOffset(i, 0);
        range.focus(); // the button goes when there is nothing to reset
      });
      ref.directions.append(row);
      return { row, range, output, reset, share };
    });

    function showOffset(i) {
      const { range, output, reset } = sliders[i];
      const value = state.offsets[i];
      range.value = value;
      const text = `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;
      output.textContent = text;
      range.setAttribute("aria-valuetext", `${text} standard deviations`);
      reset.style.visibility = value === 0 ? "hidden" : "visible";
    }

    function setOffset(i, value) {
      state.offsets[i] = value;
      showOffset(i);
      render();
    }

    function showReset() {
      ref.resetAll.disabled = state.offsets.every((value) => value === 0);
    }

    ref.resetAll.addEventListener("click", () => {
      state.offsets.fill(0);
      state.offsets.forEach((_, i) => showOffset(i));
      render();
    });

    // ---- models ---------------------------------------------------------------------------------------------
    const kimg = (clips) => (clips === null ? "newest" : `${(clips / 1000).toLocaleString("en", { maximumFractionDigits: 1 })} kimg`);
    const option = (value, text) => new Option(text, value); // Option sets text, never HTML
    const chosen = () => models.find((model) => model.group === ref.model.value);

    function fillModels(keep) {
      const runs = document.createElement("optgroup");
      runs.label = "Trainings";
      const assets = document.createElement("optgroup");
      assets.label = "Came with the studio";
      for (const model of models) {
        const about = model.kind === "run" ? ` · ${kimg(model.checkpoints[0].clips)}${model.state ? ` · ${model.state}` : ""}` : "";
        (model.kind === "run" ? runs : assets).append(option(model.group, model.name + about));
      }
      ref.model.replaceChildren(...[runs, assets].filter((group) => group.children.length));
      if (models.some((model) => model.group === keep)) ref.model.value = keep;
    }

    function fillCheckpoints(keep) {
      const { kind, checkpoints } = chosen();
      ref.checkpoint.hidden = kind !== "run";
      ref.checkpoint.replaceChildren(
        ...checkpoints.map(({ id, clips }, i) => option(id, i === 0 ? `${kimg(clips)} (newest)` : kimg(clips))),
      );
      if (checkpoints.some(({ id }) => id === keep)) ref.checkpoint.value = keep;
    }

    async function open(id) {
      state.model = id;
      ref.sentence.textContent = "Opening…";
      let answer;
      try {
        answer = await pvs.json(`api/model?id=${encodeURIComponent(id)}`);
      } catch (error) {
        if (state.model === id) ref.sentence.textContent = "This model could not be opened.";
        throw error;
      }
      if (state.model !== id) return; // another was chosen meanwhile
      opened = answer;
      ref.sentence.textContent = opened.sentence;
      fillSizes();
      render();
      await view.settled();
      const { explained } = await pvs.json(`api/directions?id=${encodeURIComponent(id)}`);
      if (state.model === id) showShares(explained);
    }

    // How much each direction explains; a model with few latents has fewer directions than there are sliders.
    function showShares(explained) {
      sliders.forEach(({ row, share }, i) => {
        row.hidden = i >= explained.length;
        const percent = 100 * explained[i];
        share.textContent = row.hidden ? "" : ` ${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
      });
    }

    // wanted: an id, with or without "@clips", that another page asks for.
    async function refresh(wanted) {
      models = (await pvs.json("api/models")).models;
      const empty = models.length === 0;
      ref.empty.hidden = !empty;
      ref.body.hidden = empty;
      fine();
      if (empty) return;
      const group = wanted ? wanted.split("@")[0] : ref.model.value;
      fillModels(group);
      fillCheckpoints(wanted || state.model);
      // A newer checkpoint is offered, not forced: the picture under the hand stays.
      if (wanted || !opened || !holds(state.model)) await open(ref.checkpoint.value);
      if (wanted && ref.model.value !== group) throw new Error(`There is no model "${wanted}" here.`);
    }
    const holds = (id) => models.some((model) => model.checkpoints.some((checkpoint) => checkpoint.id === id));

    ref.model.addEventListener("change", attempt(async () => {
      fillCheckpoints();
      await open(ref.checkpoint.value);
    }));
    ref.checkpoint.addEventListener("change", attempt(() => open(ref.checkpoint.value)));
    ref.refresh.addEventListener("click", attempt(() => refresh()));
    ref.lookAgain.addEventListener("click", attempt(() => refresh()));
    ref.toTrain.addEventListener("click", () => pvs.openTab("train"));

    // ---- export ---------------------------------------------------------------------------------------------
    function fillSizes() {
      const was = ref.scale.value;
      const scales = [1, 2, 4, 8, 16].filter((scale) => scale === 1 || scale * opened.resolution <= 512);
      ref.scale.replaceChildren(
        ...scales.map((scale) => option(scale, `${scale * opened.resolution} px`)),
      );
      const usual = scales.find((scale) => scale * opened.resolution >= 256) || scales[scales.length - 1];
      ref.scale.value = scales.includes(Number(was)) ? was : usual;
    }

    async function save(format) {
      const { model, seed, truncation, offsets } = state;
      const body = { model, seed, truncation, offsets, format, fps: timeline.fps, scale: Number(ref.scale.value) };
      const response = await pvs.request("api/export", body);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] || `clip.${format}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      fine();
    }
    for (const button of element.querySelectorAll("[data-export]")) {
      button.addEventListener("click", attempt(async () => {
        button.disabled = true;
        try {
          await save(button.dataset.export);
        } finally {
          button.disabled = false;
        }
      }));
    }

    // ---- the start ------------------------------------------------------------------------------------------
    state.offsets.forEach((_, i) => showOffset(i));
    showTime();
    const quietly = attempt(refresh);
    let shown = false;
    pvs.whenShown(element, (on) => {
      if (on && !shown && opened) quietly(); // back on this tab: there may be new checkpoints
      shown = on;
    });
    setInterval(() => {
      if (shown && !document.hidden && models.length === 0) quietly(); // the first checkpoint appears by itself
    }, 5000);
    const waited = pvs.onOpen("explore", ({ model }) => quietly(model));
    // ?model=run:NAME opens that one.
    if (!waited) quietly(new URLSearchParams(location.search).get("model"));
  });
})();
