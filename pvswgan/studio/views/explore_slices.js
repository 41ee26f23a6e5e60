// An x-t slice: one pixel row of the clip over time, cut from the sheet that is on the canvas. The row is chosen by a
// line on the clip.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};

  pvs.explorer.slices = (view) => {
    const { ref, player, timeline } = view;
    const section = view.sections.x;
    let share = 0.5; // where the line is, 0 top .. 1 bottom

    const height = () => player.sheet?.height || 1;
    const row = () => Math.min(height() - 1, Math.floor(share * height()));

    function show() {
      ref.line.hidden = !section.open;
      if (!section.open || !player.sheet) return;
      ref.line.style.top = `${(100 * (row() + 0.5)) / height()}%`;
      ref.line.setAttribute("aria-valuemin", "1");
      ref.line.setAttribute("aria-valuemax", String(height()));
      ref.line.setAttribute("aria-valuenow", String(row() + 1));
      cut();
      marker();
    }

    function cut() {
      const { image, frames, width } = player.sheet;
      const { slice } = ref;
      if (slice.width !== width || slice.height !== frames) [slice.width, slice.height] = [width, frames];
      const context = slice.getContext("2d", { alpha: false, willReadFrequently: true });
      for (let t = 0; t < frames; t++) context.drawImage(image, t * width, row(), width, 1, 0, t, width, 1);
      const change = changeOf(context.getImageData(0, 0, width, frames).data, 4 * width);
      const verdict = change < 0.5 ? ": this row hardly moves" : "";
      ref.sliceNote.textContent = `Row ${row() + 1} of ${height()}. From frame to frame it changes by ${change.toFixed(1)} of 255 on average${verdict}.`;
    }

    // Mean absolute difference of neighbouring lines; the fourth channel never differs.
    function changeOf(data, line) {
      let sum = 0;
      for (let i = line; i < data.length; i++) sum += Math.abs(data[i] - data[i - line]);
      return data.length > line ? sum / ((3 / 4) * (data.length - line)) : 0;
    }

    function marker() {
      const { frame, frames } = timeline;
      Object.assign(ref.sliceNow.style, { top: `${(100 * frame) / frames}%`, height: `${100 / frames}%` });
    }

    view.setSlice = (to) => {
      share = Math.max(0, Math.min(to, 0.9999));
      show();
    };
    view.sliceAt = () => (section.open ? share : null);

    const drag = (event) => {
      const { top, height: tall } = ref.screen.getBoundingClientRect();
      view.setSlice((event.clientY - top) / tall);
    };
    ref.line.addEventListener("pointerdown", (event) => {
      ref.line.setPointerCapture(event.pointerId);
      ref.line.focus();
      event.preventDefault();
    });
    ref.line.addEventListener("pointermove", (event) => event.buttons === 1 && drag(event));
    ref.line.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -8, PageDown: 8 }[event.key];
      const to = by ? row() + by : { Home: 0, End: height() - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      view.setSlice((Math.max(0, Math.min(to, height() - 1)) + 0.5) / height());
      view.store.busy(); // the link follows
    });
    section.addEventListener("toggle", show);
    view.sheetListeners.push(() => section.open && show());
    timeline.listen(() => section.open && marker());
    show();
  };
})();
