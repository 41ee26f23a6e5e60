// Lesson: when it goes wrong. Recorded trainings that failed: their clips, curves, and what the monitor says of each moment;
// a guess of the cause, and then the cause, beside the training that differs from it in nothing else.
//
// window.pvs.learnFailures lets a test look in: .cases, .found (what is known of the case), .timeline, .curves.
(() => {
  "use strict";
  const pvs = window.pvs;
  const LAST = 999; // as far as a case goes

  const CAUSES = {
    fast: "The learning rate is a hundred times too high: every step overshoots.",
    slow: "The learning rate is thirty times too low: there are not enough steps.",
    leash: "The critic has no leash: both penalties are switched off.",
    both: "The critic has no leash, and the learning rate is three hundred times too high.",
    mask: "What moves is made too dear: a penalty on moving pixels is a hundred times too strong.",
    few: "There are too few clips: the critic knows them by heart.",
    small: "The generator has too few channels for so many faces.",
  };
  // hint: after a wrong guess; the signs that point the other way.
  const CASES = {
    collapse: { cause: "fast", title: "Collapse: one picture for every latent",
      hint: "Look at the clips: each is another latent. And see how far the losses swing from one tick to the next.",
      why: "Every step of the generator goes a hundred times too far. It lands where nearly all latents give the same clip, and the next step throws it to another such place: "
        + "the losses swing over many powers of ten, the clips jump from one flat colour to the next, and the differences between latents are gone. The critic is held back as it should be; it is judging one picture.",
      mend: "A lower train.lr. Where a collapse comes late in a long training, a lower rate for the later stages (train.lr takes one for each) or more clips a step are the first things to try." },
    frozen: { cause: "mask", title: "Frozen motion: a still picture of a moving world",
      hint: "Compare how much real clips and these change from frame to frame. The losses say nothing of it; something in this system decides what may move.",
      why: "This is VideoGAN with its two streams: a still background, a moving foreground, and a mask that says for every pixel which of the two is seen. The generator pays for every pixel "
        + "that it gives to the foreground, which keeps it from moving everything. At a hundred times the price nothing is worth moving: the mask closes, and what is left is the still stream. "
        + "(After these few minutes neither of the two draws a shape: look at what moves.)",
      mend: "A lower loss.mask. Whatever the system: a term that pulls at one property of the clips (here how much may move) is to be watched by a measure of just that property; the other losses look fine." },
    flicker: { cause: "slow", title: "Flicker: every frame a picture of its own",
      hint: "The latents do differ and the losses are calm, nothing runs away. Look at the steps between frames, and how little they change over the whole training.",
      why: "At first the first layer makes each frame by itself, and they have nothing to do with one another. What makes them one clip is what the critic’s gradient does to them, step after step. "
        + "At a thirtieth of the rate the same number of clips gives a thirtieth of the way: colours come first, stillness later, and this training ends before.",
      mend: "More or larger steps, above all in the first stage, where they cost next to nothing: a higher train.lr, fewer clips a step (train.batch), more growth.stable_kimg. Flicker that the first stage leaves behind is carried through all later ones. "
        + "Or begin from the other end: with network.still all frames begin alike, and the clips learn to move (docs/RESULTS.md)." },
    runaway: { cause: "leash", title: "The critic runs away, and the clips do not show it yet",
      hint: "The clips are no worse than those of other cases: look at the curves, at the size of the critic’s numbers and at how they grow.",
      why: "Without a penalty a critic may be as steep as it likes: twice as steep gives twice the difference, so it grows without end, and with it every gradient that the generator gets. The clips are as good as "
        + "with the penalty, so far: Adam divides each gradient by its usual size, and only the direction is left. But the critic’s number no longer is a distance of anything, its losses cannot be compared from one moment to the next, "
        + "and growth without end has one: see case 5. Here the curves tell of it long before the clips do.",
      mend: "The penalties: loss.gp and loss.slope of SWGAN, loss.gp of WGAN-GP. Their usual weights are the defaults." },
    nan: { cause: "both", title: "NaN: numbers without end",
      hint: "How large are the last finite losses? A float32 ends at 3 × 10³⁸, and the norm of a gradient is a sum of squares.",
      why: "Nothing holds the critic, and each step is three hundred times too long: its weights grow with every step, its scores with the product of all layers’ weights. When a score is near 10¹⁹, "
        + "its square no longer fits a float32: infinity, and infinity minus infinity is not a number. The trainer stops, says at which step, and the last checkpoint stays as it was.",
      mend: "Both: the penalties, and a lower train.lr. A training that ended so goes on from its last checkpoint, but with the same settings it ends the same way." },
  };

  const FIELDS = {
    case: { value: "collapse", of: Object.keys(CASES) },
    at: { value: LAST, min: 0, max: LAST },
    guess: { value: "", of: ["", ...Object.keys(CAUSES)] },
    told: { value: false },
    smoothing: { value: 0.6, min: 0, max: 0.99, step: 0.01 },
    curves: { value: "", longest: 100 }, // panels, by their ids; "": the usual ones
    frame: pvs.learn.FRAME,
  };
  const { make } = pvs;
  const size = pvs.sizeName;
  const SYMPTOMS = { collapse: "collapse", frozen: "frozen motion", flicker: "flicker", critic: "a critic too strong", runaway: "a critic that runs away", nan: "no number" };

  pvs.learn.lesson("failures", FIELDS, ({ ref, state, change, attempt }) => {
    const timeline = new pvs.Timeline({ fps: 8, frames: 8 });
    const view = (pvs.learnFailures = { cases: null, found: null, timeline, curves: null });
    const players = Object.fromEntries(["clip", "real", "healthy"].map((name) => [name, new pvs.SheetPlayer(ref[name], { timeline, columns: 4 })]));
    const known = new Map(), sheets = new Map();

    const about = (name) => pvs.once(known, name, () => pvs.json(`api/learn/failures/${name}`));
    const show = attempt(async (player, name, { moments }, at, real = false) => {
      const key = `${name}/sheet?at=${at}${real ? "&real=true" : ""}`;
      player.canvas.dataset.asked = key; // a slower answer to an older wish is not shown
      const { blob, rows, frames } = await pvs.once(sheets, key, async () =>
        pvs.cells(await (await pvs.request(`api/learn/failures/${key}`)).blob(), moments[at].resolution));
      if (player.canvas.dataset.asked !== key) return;
      await player.show(blob, { rows, frames });
      player.canvas.dataset.shown = key;
    });

    // ---- one case -------------------------------------------------------------------------------------------------
    const open = attempt(async () => {
      const wanted = state.case, found = await about(wanted);
      const healthy = await about(found.healthy);
      if (wanted !== state.case) return; // another one was chosen meanwhile
      Object.assign(view, { found, healthy });
      ref.at.max = found.moments.length - 1;
      ref.machine.textContent = `Recorded on ${found.ended.machine}.`;
      view.curves.run(wanted, found.plan);
      view.curves.add(found.rows, true);
      firsts();
      moment();
      guess();
    });
    const place = () => Math.min(state.at, view.found.moments.length - 1);

    function moment() {
      const { found } = view, at = place(), now = found.moments[at], ends = at === found.moments.length - 1;
      show(players.clip, state.case, found, at);
      show(players.real, state.case, found, found.moments.findIndex((one) => size(one) === size(now)), true); // one sheet a size
      ref.at.value = at;
      ref.atText.textContent = pvs.kimg(now.clips);
      ref.clipText.textContent = `the same latents throughout, ${size(now)}`
        + (ends ? found.ended.state === "failed" ? ": the training ended here, by itself" : ": the end" : "");
      const share = (value) => (value === null ? "–" : value < 10 ? `${(100 * value).toFixed(0)} %` : `${value.toFixed(0)} times`);
      ref.numbers.replaceChildren(...[["clips differ, against real ones", share(now.diversity)], ["frames change, against real ones", share(now.motion)]].map(([name, value]) => {
        const pair = make("div");
        pair.append(make("dt", name), make("dd", value));
        return pair;
      }));
      ref.said.replaceChildren(...(now.alerts.length ? now.alerts.map((alert) => pvs.alertBox({ ...alert, shown: alert.shown.filter(reachable) }, reach))
        : [make("li", "Nothing alarming.", { className: "pn-fail-quiet" })]));
      view.curves.viewed(now.clips);
      beside();
    }

    // Where an alert's numbers show: another moment, or the curves. A recorded training has no log and no machine.
    const reachable = ({ snapshot, curves }) => curves !== undefined || view.found.moments.some(({ clips }) => clips === snapshot);
    function reach({ snapshot, curves, from, to }) {
      if (curves === undefined) return change({ at: view.found.moments.findIndex(({ clips }) => clips === snapshot) });
      view.curves.reveal(curves, [from, to]);
      ref.curves.scrollIntoView({ behavior: pvs.reducedMotion() ? "auto" : "smooth", block: "center" });
    }

    // When each warning came for the first time.
    function firsts() {
      const seen = new Map();
      view.found.moments.forEach(({ alerts }, at) => alerts.forEach(({ kind }) => seen.has(kind) || seen.set(kind, at)));
      ref.firsts.replaceChildren(...[...seen].map(([kind, at]) => {
        const button = make("button", `First warning of ${SYMPTOMS[kind] ?? kind}: ${pvs.kimg(view.found.moments[at].clips)}`, { type: "button", className: "pvs-button" });
        button.addEventListener("click", () => change({ at }));
        return button;
      }));
    }

    // ---- the guess ------------------------------------------------------------------------------------------------
    function guess() {
      const right = state.guess === CASES[state.case].cause, told = state.told || right;
      for (const radio of ref.causes.querySelectorAll("input")) radio.checked = radio.value === state.guess;
      ref.verdict.textContent = right ? "Yes, that was it." : state.guess ? `No. ${CASES[state.case].hint}` : "";
      ref.verdict.hidden = !state.guess;
      ref.tell.hidden = told;
      ref.told.hidden = !told;
      if (told) cause();
    }

    function cause() {
      const { title, why, mend, cause: which } = CASES[state.case], head = make("tr");
      ref.title.textContent = title;
      ref.why.textContent = `${CAUSES[which]} ${why}`;
      ref.mend.textContent = `What mends it: ${mend}`;
      head.append(...["setting", "here", "without the fault"].map((text) => make("th", text, { scope: "col" })));
      ref.differs.replaceChildren(head, ...view.found.differs.map(({ key, values }) => {
        const row = make("tr");
        row.append(make("th", key, { scope: "row" }), ...values.map((value) => make("td", pvs.written(value))));
        return row;
      }));
      ref.toCritic.hidden = !["runaway", "nan"].includes(state.case);
      beside();
    }

    // The healthy training at the moment that is nearest to this one.
    function beside() {
      if (ref.told.hidden) return;
      const { moments } = view.healthy, { clips } = view.found.moments[place()];
      const at = moments.reduce((best, one, i) => (Math.abs(one.clips - clips) < Math.abs(moments[best].clips - clips) ? i : best), 0);
      show(players.healthy, view.found.healthy, view.healthy, at);
      ref.healthyText.textContent = `without the fault, after ${pvs.kimg(moments[at].clips)}: ${size(moments[at])}`;
    }

    // ---- in -------------------------------------------------------------------------------------------------------
    let loading = false;
    const load = attempt(async () => {
      if (loading) return; // a change while it loads is drawn with the rest
      loading = true;
      const { cases } = await pvs.json("api/learn/failures").finally(() => (loading = false));
      ref.missing.hidden = cases.length > 0;
      ref.body.hidden = !cases.length;
      if (!cases.length) return;
      view.cases = cases;
      if (!cases.includes(state.case)) change({ case: cases[0] });
      choices();
      view.curves = new pvs.TrainCurves(ref.curves, ref.choices, (ids) => change({ curves: ids ? ids.join() || "none" : "" }));
      draw(new Set(Object.keys(FIELDS)));
    });

    function radio(group, value, text) {
      const label = make("label"), input = make("input", "", { type: "radio", name: group, value });
      label.append(input, make("span", text));
      return label;
    }
    function choices() {
      ref.cases.replaceChildren(...view.cases.map((name, i) => radio("pn-fail-case", name, `Case ${i + 1}`)));
      ref.causes.append(...Object.entries(CAUSES).map(([id, text]) => radio("pn-fail-cause", id, text)));
    }

    function draw(changed) {
      if (!view.curves) return;
      for (const one of ref.cases.querySelectorAll("input")) one.checked = one.value === state.case;
      if (changed.has("smoothing")) {
        ref.smoothing.value = state.smoothing;
        ref.smoothingText.textContent = state.smoothing.toFixed(2);
        view.curves.smooth(state.smoothing);
      }
      if (changed.has("curves")) view.curves.choose(state.curves ? state.curves.split(",") : null);
      if (changed.has("case")) {
        view.found = null;
        return open();
      }
      if (!view.found) return; // all of it is drawn once the case is there
      if (changed.has("at")) moment();
      if (changed.has("guess") || changed.has("told")) guess();
    }

    ref.cases.addEventListener("change", ({ target }) => change({ case: target.value, at: LAST, guess: "", told: false }));
    ref.causes.addEventListener("change", ({ target }) => change({ guess: target.value }));
    ref.at.addEventListener("input", () => change({ at: ref.at.valueAsNumber }));
    ref.tell.addEventListener("click", () => change({ told: true }));
    ref.smoothing.addEventListener("input", () => change({ smoothing: ref.smoothing.valueAsNumber }));
    ref.toTrain.addEventListener("click", () => pvs.openTab("train", { yaml: view.found.yaml, name: state.case }));
    ref.toCritic.addEventListener("click", () => pvs.openTab("learn", { lesson: "critic", state: { leash: "none" } }));

    const clock = pvs.learn.clock(ref, timeline, state, change);
    return {
      draw(changed) {
        clock.draw(changed);
        if (view.cases) draw(changed);
        else load();
      },
      shown: clock.shown,
    };
  });
})();
