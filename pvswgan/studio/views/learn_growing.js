// Lesson: growing. A network in the middle of a fade under the hand, what space and time add to a real clip, where the cost
// goes, and the same training with and without growing at equal time. Recorded by train.recorded; blends are the browser's.
//
// window.pvs.learnGrowing lets a test look in: .recorded, .timeline, .fade, .real (frames), .added.
(() => {
  "use strict";
  const pvs = window.pvs;
  const STAGES = 9, MOMENTS = 100, ROWS = 64;

  const FIELDS = {
    fade: { value: 1, min: 0, max: STAGES - 1 },
    alpha: { value: 0.5, min: 0, max: 1, step: 0.01 },
    seed: { value: 0, min: 0, max: 99999 },
    row: { value: 1, min: 0, max: ROWS - 1 },
    axes: { value: "both", of: ["space", "time", "both"] },
    part: { value: 0, min: 0, max: 1, step: 0.01 },
    of: { value: "recorded", of: ["recorded", "paper"] },
    at: { value: MOMENTS - 1, min: 0, max: MOMENTS - 1 },
    frame: pvs.learn.FRAME,
  };
  const { make } = pvs;
  const named = pvs.sizeName;
  const counted = (number) => number.toLocaleString("en");
  const clipOf = (label) => {
    const canvas = make("canvas", "", { width: 4, height: 4 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    return canvas;
  };

  pvs.learn.lesson("growing", FIELDS, ({ ref, fail, state, change, attempt }) => {
    const timeline = new pvs.Timeline({ fps: 12, frames: 16 });
    const view = (pvs.learnGrowing = { recorded: null, timeline, fade: null, real: null, added: null });
    const place = (name, count) => Math.min(state[name], count - 1);

    // ---- two clips and their blend: canvases left, middle, right ----------------------------------------------------------
    // frames: a Float32Array (R x R x 3, values of -1 to 1 and over) for each. Blended before they are cut to what a screen shows.
    function paint(canvas, side, value) {
      const image = new ImageData(side, side);
      for (let i = 0, from = 0; i < image.data.length; i += 4, from += 3) {
        for (let k = 0; k < 3; k++) image.data[i + k] = (value(from + k) + 1) * 127.5; // rounded and clamped by its kind
        image.data[i + 3] = 255;
      }
      if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
      canvas.getContext("2d").putImageData(image, 0, 0);
    }
    function drawThree([left, middle, right], three, share) {
      if (!three) return;
      const t = Math.floor((timeline.frame * three.before.length) / timeline.frames), a = three.before[t], b = three.after[t];
      paint(left, three.side, (i) => a[i]);
      paint(right, three.side, (i) => b[i]);
      paint(middle, three.side, (i) => a[i] + share * (b[i] - a[i]));
    }
    const cut = (values, parts) => Array.from({ length: parts }, (_, i) => values.subarray((i * values.length) / parts, ((i + 1) * values.length) / parts));

    // ---- a stage fades in -------------------------------------------------------------------------------------------------
    const drawFade = () => drawThree([ref.old, ref.blend, ref.new], view.fade, state.alpha);
    const showFade = pvs.latest(async ({ fade, seed }) => {
      try {
        const answer = await pvs.request(`api/learn/growing/fade?fade=${fade}&seed=${seed}`), frames = Number(answer.headers.get("X-Frames"));
        const both = cut(new Float32Array(await answer.arrayBuffer()), 2).map((values) => cut(values, frames));
        view.fade = { before: both[0], after: both[1], side: Math.sqrt(both[0][0].length / 3) };
        drawFade();
        ref.blend.dataset.shown = JSON.stringify([fade, seed]);
      } catch (error) {
        fail(error);
      }
    });

    // ---- recorded clips ---------------------------------------------------------------------------------------------------
    const sheets = new Map();
    const moment = (of, at) => {
      const key = `of=${of}&at=${at}`;
      return pvs.once(sheets, key, () => pvs.request(`api/learn/growing/moment?${key}`).then(pvs.sheetOf));
    };
    const show = attempt(async (player, of, at, row) => {
      const asked = (player.canvas.dataset.asked = JSON.stringify([of, at, row])); // a slower answer to an older wish is not shown
      const sheet = await moment(of, at);
      if (player.canvas.dataset.asked !== asked) return;
      await player.show(sheet.blob, { ...sheet, row });
      player.canvas.dataset.shown = asked;
    });

    let stages = [], pair = null;
    function lay() {
      const { latents } = view.recorded;
      stages = view.recorded.stages.map((end) => {
        const canvas = clipOf(`The latent at ${named(end)}`), figure = make("figure");
        figure.append(canvas, make("figcaption", `${named(end)}, after ${counted(end.clips)} clips`));
        ref.stages.append(figure);
        return new pvs.SheetPlayer(canvas, { timeline });
      });
      pair = Object.fromEntries(["growing", "fixed"].map((of) => [of, Array.from({ length: latents }, (_, row) => {
        const canvas = clipOf(`${of === "growing" ? "Growing" : "Not growing"}, latent ${row}`);
        ref[of].append(canvas);
        return new pvs.SheetPlayer(canvas, { timeline });
      })]));
    }

    function beside() {
      const { growing, fixed } = view.recorded, at = place("at", growing.moments.length);
      for (const [of, run] of [["growing", growing], ["fixed", fixed]]) {
        const { clips, stage, alpha } = run.moments[at];
        ref[`${of}Text`].textContent = `${counted(clips)} clips seen, ${named(run.moments[at])}${alpha < 1 ? `, stage ${stage} fading in, α ${alpha.toFixed(2)}` : ""}`;
        pair[of].forEach((player, row) => show(player, of, at, row));
      }
      ref.at.value = at;
      ref.atText.textContent = `${Math.round(growing.moments[at].seconds)} s`;
    }

    // ---- space, time or both ------------------------------------------------------------------------------------------------
    // The clip as it is with half the pixels, half the frames, or both: means of pairs, enlarged again.
    function shrunk(frames, side, space, time) {
      const step = time ? 2 : 1, block = space ? 2 : 1;
      return frames.map((_, t) => {
        const from = t - (t % step), out = new Float32Array(frames[0].length);
        for (let y = 0; y < side; y += block)
          for (let x = 0; x < side; x += block)
            for (let k = 0; k < 3; k++) {
              let sum = 0;
              for (let f = from; f < from + step; f++)
                for (let j = y; j < y + block; j++) for (let i = x; i < x + block; i++) sum += frames[f][3 * (j * side + i) + k];
              const mean = sum / (step * block * block);
              for (let j = y; j < y + block; j++) for (let i = x; i < x + block; i++) out[3 * (j * side + i) + k] = mean;
            }
        return out;
      });
    }

    const apart = (a, b) => {
      let sum = 0;
      a.forEach((frame, t) => frame.forEach((value, i) => (sum += Math.abs(value - b[t][i]))));
      return sum / (a.length * a[0].length);
    };

    const loadReal = pvs.latest(async (seed) => {
      try {
        const { blob, frames } = await pvs.sheetOf(await pvs.request(`api/learn/growing/real?seed=${seed}`));
        const image = await createImageBitmap(blob), side = image.height, c = new OffscreenCanvas(image.width, side).getContext("2d");
        c.drawImage(image, 0, 0);
        view.real = Array.from({ length: frames }, (_, t) =>
          Float32Array.from(c.getImageData(t * side, 0, side, side).data.filter((_, i) => i % 4 < 3), (value) => value / 127.5 - 1));
        real();
      } catch (error) {
        fail(error);
      }
    });

    let three = null;
    const drawReal = () => drawThree([ref.small, ref.mixed, ref.real], three, state.part);
    function real() {
      if (!view.real) return;
      const side = Math.sqrt(view.real[0].length / 3), ways = { space: [true, false], time: [false, true], both: [true, true] };
      const all = Object.fromEntries(Object.entries(ways).map(([name, way]) => [name, shrunk(view.real, side, ...way)]));
      three = { before: all[state.axes], after: view.real, side };
      view.added = Object.fromEntries(Object.entries(all).map(([name, frames]) => [name, apart(view.real, frames)]));
      const { space, time, both } = view.added;
      ref.adds.textContent = `How much detail is new to this clip, the mean change of a value in −1 … 1: space ${space.toFixed(3)}, time ${time.toFixed(3)}, both ${both.toFixed(3)}.`;
      const pixels = state.axes === "time" ? side : side / 2, frames = state.axes === "space" ? view.real.length : view.real.length / 2;
      ref.smallText.textContent = `before: ${frames} frames of ${pixels} × ${pixels}`;
      drawReal();
    }

    // ---- where it goes --------------------------------------------------------------------------------------------------------
    function costs() {
      const rows = view.recorded.costs[state.of] ?? [], head = make("tr"), sum = (key) => rows.reduce((total, row) => total + (row[key] ?? 0), 0);
      const columns = [["parameters", "parameters added", (x) => counted(x)], ["flops", "Gflop a clip", (x) => (x / 1e9).toPrecision(3)],
        ["memory", "memory, a step", (x, { batch }) => `${(x / 1e6).toPrecision(3)} MB, batch ${batch}`]];
      if (sum("seconds")) columns.push(["seconds", "time, 1,000 clips", (x) => `${x.toPrecision(3)} s`]);
      head.append(...["stage", "channels", ...columns.map(([, title]) => title)].map((title) => make("th", title, { scope: "col" })));
      ref.costs.replaceChildren(head, ...rows.map((row) => {
        const line = make("tr"), most = (key) => Math.max(...rows.map((one) => one[key] ?? 0), 1e-9);
        line.append(make("th", named(row), { scope: "row" }), make("td", row.channels));
        for (const [key, , text] of columns) {
          const cell = make("td", row[key] === null ? "–" : text(row[key], row)), bar = make("div", "", { className: "pn-growing-bar" }), fill = make("span");
          fill.style.width = `${(100 * (row[key] ?? 0)) / most(key)}%`;
          bar.append(fill);
          cell.append(bar);
          line.append(cell);
        }
        return line;
      }));
      const [first] = rows, last = rows[rows.length - 1];
      ref.costsText.textContent = `The first stage has ${Math.round((100 * first.parameters) / sum("parameters"))} % of the parameters and costs `
        + `${((100 * first.flops) / last.flops).toPrecision(2)} % of the last one’s work: most of what is learned early is learned cheaply.`;
    }

    // ---- in -------------------------------------------------------------------------------------------------------------------
    let loading = false;
    const load = attempt(async () => {
      if (loading) return; // a change while it loads is drawn with the rest
      loading = true;
      const { recorded } = await pvs.json("api/learn/growing").finally(() => (loading = false));
      ref.missing.hidden = Boolean(recorded);
      ref.body.hidden = !recorded;
      if (!recorded) return;
      view.recorded = recorded;
      ref.machine.textContent = `Recorded on ${recorded.machine}; time is ${recorded.clock === "seconds" ? "that of the clock" : "processor time"}.`;
      const plan = recorded.costs.recorded;
      ref.fade.replaceChildren(...recorded.fades.map(({ stage }, i) => pvs.option(i, `${named(plan[stage - 1])} → ${named(plan[stage])}`)));
      ref.row.max = recorded.latents - 1;
      ref.at.max = recorded.growing.moments.length - 1;
      lay();
      draw(new Set(Object.keys(FIELDS)));
    });

    function draw(changed) {
      const { recorded } = view, has = (...names) => names.some((name) => changed.has(name));
      if (!recorded) return;
      const fade = place("fade", recorded.fades.length), row = place("row", recorded.latents);
      Object.assign(ref.fade, { value: fade });
      Object.assign(ref.seed, { value: state.seed });
      [ref.alpha.value, ref.part.value, ref.row.value, ref.of.value] = [state.alpha, state.part, row, state.of];
      ref.alphaText.textContent = state.alpha.toFixed(2);
      ref.partText.textContent = state.part.toFixed(2);
      ref.rowText.textContent = row;
      ref.blendText.textContent = `${(1 - state.alpha).toFixed(2)} × old + ${state.alpha.toFixed(2)} × new`;
      ref.mixedText.textContent = `what the critic is shown: ${(1 - state.part).toFixed(2)} × before + ${state.part.toFixed(2)} × real`;
      for (const radio of ref.axes.querySelectorAll("input")) radio.checked = radio.value === state.axes;
      if (has("fade", "seed")) {
        const { clips, alpha } = recorded.fades[fade];
        ref.fadeText.textContent = `The network as it was after ${counted(clips)} clips, in the middle of this fade: its training stood at α = ${alpha.toFixed(2)}. `
          + "Neither path is a picture of its own: the critic only ever judged their blend.";
        showFade({ fade, seed: state.seed });
      } else if (has("alpha")) drawFade();
      if (has("seed")) loadReal(state.seed);
      else if (has("axes")) real();
      else if (has("part")) drawReal();
      if (has("row")) stages.forEach((player, at) => show(player, "stages", at, row));
      if (has("of")) costs();
      if (has("at")) beside();
    }

    for (const name of ["alpha", "part", "row", "at"]) ref[name].addEventListener("input", () => change({ [name]: ref[name].valueAsNumber }));
    ref.fade.addEventListener("change", () => change({ fade: Number(ref.fade.value) }));
    ref.of.addEventListener("change", () => change({ of: ref.of.value }));
    ref.axes.addEventListener("change", ({ target }) => change({ axes: target.value }));
    ref.next.addEventListener("click", () => change({ seed: (state.seed + 1) % (FIELDS.seed.max + 1) }));
    pvs.learn.typed(ref.seed, "seed", FIELDS.seed, state, change);
    ref.toTrain.addEventListener("click", () => pvs.openTab("train", { config: "toyfaces-cpu" }));
    const clock = pvs.learn.clock(ref, timeline, state, change, () => {
      drawFade();
      drawReal();
    });
    return {
      draw(changed) {
        clock.draw(changed);
        if (view.recorded) draw(changed);
        else load();
      },
      shown: clock.shown,
    };
  });
})();
