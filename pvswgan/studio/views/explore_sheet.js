// The sheet: rows are steps along one direction, columns are frames. Pointing at a cell shows that step at that frame
// on the clip (and its place on the slider); a click takes the step.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const STEPS = [3, 2.25, 1.5, 0.75, 0, -0.75, -1.5, -2.25, -3]; // top to bottom
  const TALLEST = 420; // pixels of the screen

  pvs.explorer.sheet = (view) => {
    const { ref, store, state, timeline } = view;
    const section = view.sections.s;
    let drawn = null; // {key, frames} of the sheet on the canvas
    let cell = null; // {row, frame} that is pointed at
    let chosen = null; // the person's choice of a direction; until then the one moved last
    let wasPlaying = false;
    let shown = false;

    const along = () => {
      const ids = view.directions().map(({ id }) => id);
      return [chosen, view.lastMoved].find((id) => ids.includes(id)) ?? ids[0];
    };

    // What the sheet along this direction is of.
    const keyOf = (id) => {
      const point = store.point();
      delete point.moves[id]; // the rows are its steps
      point.of = view.guide();
      return [JSON.stringify([state.model, id, point]), point];
    };
    const older = () => drawn && keyOf(drawn.id)[0] !== drawn.key;

    // ---- drawing --------------------------------------------------------------------------------------------
    function refresh() {
      const id = along();
      if (!shown || !section.open || !id || !state.model) return;
      if (ref.sheetAlong.value !== id) ref.sheetAlong.value = id;
      const [key, point] = keyOf(id);
      if (drawn?.key === key) return mark();
      store.later("sheet", async (signal) => {
        if (keyOf(along())[0] !== key) return; // the hand has moved on, or back
        const points = STEPS.map((step) => ({ ...point, moves: step ? { ...point.moves, [id]: step } : point.moves }));
        const { blob, frames } = await pvs.explorer.rows(state.model, points, signal);
        const image = await createImageBitmap(blob);
        leave();
        [ref.sheet.width, ref.sheet.height] = [image.width, image.height];
        ref.sheet.getContext("2d", { alpha: false }).drawImage(image, 0, 0);
        image.close();
        drawn = { key, frames, id };
        ref.sheet.classList.remove("pvs-stale");
        const ratio = ref.sheet.width / ref.sheet.height;
        Object.assign(ref.sheetCells.style, { aspectRatio: ratio, maxWidth: `${Math.round(TALLEST * ratio)}px` });
        section.dataset.drawn = id;
        mark();
      });
    }

    // Frames the step and the frame that the clip is at, or that are pointed at.
    function mark() {
      if (!drawn) return;
      const value = state.moves[drawn.id] || 0;
      const own = STEPS.findIndex((step) => Math.abs(step - value) < 0.01);
      const row = cell ? cell.row : own;
      ref.sheetRow.hidden = row < 0;
      Object.assign(ref.sheetRow.style, { top: `${(100 * row) / STEPS.length}%`, height: `${100 / STEPS.length}%` });
      const frame = Math.floor((timeline.frame * drawn.frames) / timeline.frames);
      Object.assign(ref.sheetCell.style, { left: `${(100 * frame) / drawn.frames}%`, width: `${100 / drawn.frames}%` });
      const text = pvs.explorer.signed(STEPS[Math.max(row, 0)]);
      ref.sheetCells.setAttribute("aria-description", row < 0 ? "" : `Step ${text}, frame ${frame + 1} of ${drawn.frames}`);
    }

    // ---- pointing -------------------------------------------------------------------------------------------
    function point(row, frame) {
      if (!drawn || view.walking || older()) return; // it is drawn anew at rest, which this would put off
      if (!cell) wasPlaying = timeline.playing;
      cell = { row, frame };
      timeline.pause();
      timeline.seek(Math.floor((frame * timeline.frames) / drawn.frames));
      const step = STEPS[row];
      view.previewMove(drawn.id, step);
      view.look(ref.sheet, { rows: STEPS.length, frames: drawn.frames, row, caption: `step ${pvs.explorer.signed(step)}` });
      mark();
    }

    function leave() {
      if (!cell) return;
      cell = null;
      view.hide();
      view.previewMove(drawn.id, null);
      if (wasPlaying) timeline.play();
      mark();
    }

    function take() {
      if (!cell) return;
      const { row } = cell;
      cell = null;
      view.previewMove(drawn.id, null);
      view.move(drawn.id, STEPS[row], null);
      mark();
    }

    const at = (event) => {
      const { left, top, width, height } = ref.sheetCells.getBoundingClientRect();
      const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
      return [within((event.clientY - top) / height, STEPS.length), within((event.clientX - left) / width, drawn.frames)];
    };
    ref.sheetCells.addEventListener("pointermove", (event) => drawn && point(...at(event)));
    ref.sheetCells.addEventListener("pointerleave", leave);
    ref.sheetCells.addEventListener("click", (event) => {
      if (!drawn) return;
      point(...at(event));
      take();
    });
    ref.sheetCells.addEventListener("keydown", (event) => {
      if (!drawn) return;
      const value = state.moves[drawn.id] || 0;
      const nearest = STEPS.reduce((best, step, i) => (Math.abs(step - value) < Math.abs(STEPS[best] - value) ? i : best), 0);
      const { row, frame } = cell || { row: nearest, frame: Math.floor((timeline.frame * drawn.frames) / timeline.frames) };
      const go = {
        ArrowUp: [row - 1, frame], ArrowDown: [row + 1, frame],
        ArrowLeft: [row, frame - 1], ArrowRight: [row, frame + 1],
      }[event.key];
      if (go) point(Math.max(0, Math.min(go[0], STEPS.length - 1)), (go[1] + drawn.frames) % drawn.frames);
      else if (event.key === "Enter") take();
      else if (event.key === "Escape") leave();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    ref.sheetCells.addEventListener("blur", leave);

    // ---- which direction ------------------------------------------------------------------------------------
    view.onDirections = () => {
      ref.sheetAlong.replaceChildren(
        ...view.directions().map((direction) => new Option(pvs.explorer.directionName(direction), direction.id)),
      );
      if (chosen && !view.directions().some(({ id }) => id === chosen)) chosen = null;
      refresh();
    };
    view.sheetAlong = (id) => {
      chosen = id;
      refresh();
    };
    // For the link: the direction that is shown, where it is not the first.
    view.sheetOf = () => (along() === view.directions()[0]?.id ? null : along());
    ref.sheetAlong.addEventListener("change", () => {
      view.sheetAlong(ref.sheetAlong.value);
      store.busy();
    });

    for (const step of STEPS) {
      const label = pvs.explorer.make("span", "");
      label.textContent = pvs.explorer.signed(step);
      ref.sheetSteps.append(label);
    }
    timeline.listen(() => shown && section.open && mark());
    store.onRest(refresh);
    store.listen((keys) => {
      if (!drawn) return;
      if (keys.has("moves")) mark();
      ref.sheet.classList.toggle("pvs-stale", older());
      if (cell && older()) leave();
    });
    pvs.whenShown(ref.sheetCells, (on) => {
      shown = on;
      if (on) refresh();
    });
  };
})();
