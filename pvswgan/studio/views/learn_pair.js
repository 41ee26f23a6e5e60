// Lesson: SWGAN against WGAN-GP. The shipped pair side by side, blind, measured, on its way, and with several seeds. Its
// parts are Compare's (compare_clips, compare_quiz, compare_curves) and Evaluate's (evaluate_tables).
//
// window.pvs.learnPair lets a test look in: .clips, .quiz, .timeline.
(() => {
  "use strict";
  const pvs = window.pvs;
  const NAMES = ["toyfaces-swgan", "toyfaces-wgan-gp"], ROWS = 3;

  const FIELDS = {
    seed: { value: 0, min: 0, max: 99999 },
    mode: { value: "side", of: ["side", "wipe", "difference"] },
    wipe: { value: 0.5, min: 0, max: 1, step: 0.01 },
    quiz: { value: 1000, min: 0, max: 99999 },
    along: { value: "clips", of: ["clips", "seconds"] },
    smoothing: { value: 0.9, min: 0, max: 0.99, step: 0.01 },
    frame: pvs.learn.FRAME,
  };

  const { make } = pvs;
  const figure = (value) => Number(value.toPrecision(3)).toString();

  pvs.learn.lesson("pair", FIELDS, ({ ref, fail, fine, state, change, attempt }) => {
    const timeline = new pvs.Timeline({ fps: 12 });
    const colours = pvs.compare.COLOURS;
    let sides = [];
    const clips = new pvs.compare.Clips(ref, timeline, { onError: fail, onFine: fine, onFrames: (frames) => (timeline.frames = frames) });
    const quiz = new pvs.compare.Quiz(ref.quiz, timeline, { onError: fail, onSeed: (seed) => change({ quiz: seed % 100000 }) });
    const view = { ref, state, fail, shown: true, sides: () => sides, losses: new Map(), change };
    pvs.compare.curves(view);
    pvs.learnPair = { clips, quiz, timeline };
    clips.pair = [0, 1];

    // ---- the pair -----------------------------------------------------------------------------------------------
    const open = attempt(async () => {
      const models = await pvs.models();
      const found = NAMES.map((name) => models.find((model) => model.group === `asset:${name}`));
      ref.missing.hidden = found.every(Boolean);
      ref.body.hidden = !ref.missing.hidden;
      if (ref.body.hidden) return;
      sides = found.map(({ id, group, name, checkpoints: [{ clips: seen }] }, place) => ({ id, group, name, kind: "asset", place, clips: seen,
        note: "", drawn: id, colour: colours[pvs.isDark() ? "dark" : "light"][place] }));
      view.losses = new Map(sides.map(({ group }, place) => [group, ["swgan", "wgan-gp"][place]]));
      clips.sides(sides);
      draw(new Set(Object.keys(FIELDS)));
      view.loadCurves();
      measured();
      study();
    });

    function draw(changed) {
      clock.draw(changed);
      if (!sides.length) return;
      if (changed.has("seed")) {
        ref.seed.value = state.seed;
        clips.show({ seeds: Array.from({ length: ROWS }, (_, row) => state.seed + row), truncation: 1 });
      }
      if (changed.has("mode")) clips.mode = ref.mode.value = state.mode;
      if (changed.has("wipe")) {
        clips.wipe = ref.wipe.value = state.wipe;
        ref.screen.style.setProperty("--pc-at", state.wipe);
      }
      if (changed.has("quiz")) quiz.of(sides.map(({ id, name }) => ({ id, name })), state.quiz);
      if (changed.has("along") || changed.has("smoothing")) view.drawCurves();
    }

    pvs.learn.typed(ref.seed, "seed", FIELDS.seed, state, change);
    ref.next.addEventListener("click", () => change({ seed: Math.min(state.seed + ROWS, FIELDS.seed.max) }));
    ref.mode.addEventListener("change", () => change({ mode: ref.mode.value }));
    ref.wipe.addEventListener("input", () => change({ wipe: ref.wipe.valueAsNumber }));
    ref.toCompare.addEventListener("click", () => pvs.openTab("compare", { ids: sides.map(({ id }) => id) }));

    // ---- one clock ----------------------------------------------------------------------------------------------
    const clock = pvs.learn.clock(ref, timeline, state, change, () => {
      ref.time.max = timeline.frames - 1;
      ref.time.value = timeline.frame;
      ref.counter.textContent = `${timeline.frame + 1} / ${timeline.frames}`;
    });

    // ---- measured -----------------------------------------------------------------------------------------------
    const measured = attempt(async () => {
      const { tables } = await pvs.json("api/evaluate/results");
      const both = tables.find(({ columns }) => NAMES.every((name) => columns.some((column) => column.id.startsWith(`asset/${name}/`))));
      if (!both) return ref.table.replaceChildren(make("p", "They have not been measured by one protocol.", { className: "pvs-note" }));
      const places = NAMES.map((name) => both.columns.findIndex((column) => column.id.startsWith(`asset/${name}/`)));
      const of = { ...both, apart: [], columns: places.map((place) => both.columns[place]),
        rows: both.rows.map((row) => ({ ...row, values: places.map((place) => row.values[place]) })) };
      ref.table.replaceChildren(pvs.evaluate.table(of, false, () => pvs.openTab("evaluate")));
    });

    // ---- with several seeds ---------------------------------------------------------------------------------------
    // How likely it is that one of two equals wins so clearly: a fair coin, either side.
    const byLuck = (won, of) => Math.min(1, 2 * pvs.compare.byChance(Math.max(won, of - won), of));

    function sentence(study, measure) {
      const [a, b] = ["swgan", "wgan-gp"].map((name) => study.arms.find((arm) => arm.name === name));
      if (!a || !b) return "";
      const both = a.seeds.filter((seed) => b.seeds.includes(seed));
      const won = both.filter((seed) => a[measure][a.seeds.indexOf(seed)] < b[measure][b.seeds.indexOf(seed)]).length;
      if (!both.length) return "";
      const luck = Math.round(100 * byLuck(won, both.length));
      return `By ${study.labels[measure]} SWGAN was the better one in ${won} of ${both.length} ${both.length === 1 ? "seed" : "seeds"}; `
        + `were both equally good, so clear a result (or a clearer one) would come in ${luck} % of such studies. `;
    }

    const study = attempt(async () => {
      const { studies, problem } = await pvs.json("api/learn/studies");
      if (problem) fail(new Error(problem));
      ref.foundPanel.hidden = !studies.length;
      ref.found.replaceChildren(...studies.flatMap((one) => {
        const scroll = make("div", "", { className: "pn-scroll", tabIndex: 0 }), table = document.createElement("table");
        const head = table.createTHead().insertRow(), body = table.createTBody();
        scroll.setAttribute("role", "region");
        scroll.setAttribute("aria-label", `Results of the study ${one.name}`);
        head.append(...["trained", "seeds", ...one.measures.map((id) => `${one.labels[id]}: mean, then each seed`)].map((text) => make("th", text)));
        const line = (name, seeds, cell) => {
          const row = body.insertRow();
          row.dataset.arm = name;
          row.append(...[name, seeds, ...one.measures.map(cell)].map((text) => make("td", text)));
        };
        for (const arm of one.arms) {
          line(arm.name, String(arm.seeds.length), (id) => arm[id].length
            ? `${figure(arm[id].reduce((sum, x) => sum + x, 0) / arm[id].length)} (${arm[id].map(figure).join(", ")})` : "–");
        }
        line("floor: real clips", "", (id) => figure(one.floor[id]));
        line("ceiling: noise", "", (id) => figure(one.ceiling[id]));
        scroll.append(table);
        return [make("h4", one.question), make("p", `${one.lasting} for each training, the same clips for all (${one.machine}). `
          + one.measures.map((id) => sentence(one, id)).join("") + one.note), scroll];
      }));
    });

    open();
    return { draw, shown: (on) => {
      view.shown = on;
      clock.shown(on);
    } };
  });
})();
