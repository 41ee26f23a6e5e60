// Which model: the picker, the checkpoints of its run as a list and as a slider, and what it was trained on.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};

  const { option } = pvs;
  const kimg = (clips) => (clips === null ? "newest" : pvs.kimg(clips));

  pvs.explorer.models = (view) => {
    const { ref, store, state, attempt } = view;
    let models = []; // as api/models lists them
    let shownGroup = null;
    let lost = false; // the list could not be had
    let known = ""; // the list of checkpoints that the controls show

    const groupOf = (id) => models.find((model) => model.checkpoints.some((checkpoint) => checkpoint.id === id));

    // ---- the list -------------------------------------------------------------------------------------------
    function fillModels() {
      const about = ({ kind, checkpoints, state: is }) => (kind === "run" ? ` · ${kimg(checkpoints[0].clips)}${is ? ` · ${is}` : ""}` : "");
      ref.model.replaceChildren(...pvs.modelOptions(models, (model) => model.name + about(model)));
    }

    // Shows state.model on the picker, the list of checkpoints and the slider.
    function showModel() {
      const group = groupOf(state.model);
      if (!group) return;
      const { kind, checkpoints } = group;
      const list = JSON.stringify(checkpoints);
      if (group.group !== shownGroup || list !== known) {
        ref.checkpoint.replaceChildren(
          ...checkpoints.map(({ id, clips }, i) => option(id, i === 0 ? `${kimg(clips)} (newest)` : kimg(clips))),
        );
        ref.checkpoint.hidden = kind !== "run";
        ref.training.hidden = kind !== "run" || checkpoints.length < 2;
        ref.trained.max = checkpoints.length - 1;
        [shownGroup, known] = [group.group, list];
      }
      const at = checkpoints.findIndex(({ id }) => id === state.model);
      ref.model.value = group.group;
      ref.checkpoint.value = state.model;
      ref.trained.value = checkpoints.length - 1 - at; // oldest on the left
      ref.trainedText.textContent = kimg(checkpoints[at].clips);
      ref.trained.setAttribute("aria-valuetext", kimg(checkpoints[at].clips));
    }

    // What the model was trained on, and its size. The sentence stays while the next one is asked for.
    const describe = pvs.latest(async (id) => {
      try {
        const answer = await pvs.json(`api/model?id=${encodeURIComponent(id)}`);
        if (state.model !== id) return;
        view.opened = answer;
        ref.sentence.textContent = answer.sentence;
        view.onOpened?.();
        view.onParts(answer.parts);
      } catch (error) {
        if (state.model !== id) return; // of one that was left meanwhile
        ref.sentence.textContent = "This model could not be opened.";
        view.fail(error);
      }
    });

    store.listen((keys) => {
      if (!keys.has("model")) return;
      showModel();
      describe(state.model);
    });

    // Another model keeps what means the same in it. Within a run the latent stays as it is.
    view.openModel = (id, gesture = null) => {
      store.change({ model: id, ...keptIn(id)(store.point()), ...view.keyframesIn(id) }, gesture);
    };

    // What a point becomes by a change to that model: within a run it stays the latent that it is.
    const keptIn = (id) => (state.model && pvs.family(id) !== pvs.family(state.model) ? pvs.explorer.portable
      : (point) => pvs.explorer.copyPoint({ ...point, of: point.of || (id === state.model ? null : state.model) }));
    view.keyframesIn = (id) => (state.keyframes.length ? { keyframes: state.keyframes.map(keptIn(id)) } : {});

    // ---- looking again --------------------------------------------------------------------------------------
    // wanted: an id, with or without "@clips". Returns the id that was found for it; a sentence if it is another.
    view.refresh = async (wanted) => {
      try {
        models = await pvs.models();
      } catch (error) {
        lost = true;
        throw error;
      }
      const empty = models.length === 0;
      ref.empty.hidden = !empty;
      ref.body.hidden = empty;
      if (lost && !view.failed) view.fine(); // what only a look that failed has said; other sentences stay
      lost = false;
      if (empty) return [null, wanted ? `There is no model "${wanted}" here.` : null];
      fillModels();
      known = "";
      showModel();
      const here = groupOf(state.model) ? state.model : models[0].checkpoints[0].id;
      wanted ||= state.model;
      if (!wanted) return [here, null];
      if (groupOf(wanted)) return [wanted, null];
      const run = models.find((model) => model.group === pvs.family(wanted));
      if (!run) return [here, `There is no model "${wanted}" here.`];
      const gone = wanted.includes("@") ? `The checkpoint "${wanted}" is gone: this is the newest of its run.` : null;
      return [run.checkpoints[0].id, gone];
    };

    // A newer checkpoint is offered, not forced: the picture under the hand stays.
    const look = attempt(async () => {
      const [id, missing] = await view.refresh();
      if (id !== null && id !== state.model) view.openModel(id);
      else if (id !== null && view.failed) {
        view.again();
        if (view.opened?.id !== id) describe(id);
        view.directionsAgain();
      }
      await store.settled(); // a clip that comes takes sentences away
      if (missing && id !== null) throw new Error(missing);
    });
    view.models = () => models;

    ref.model.addEventListener("change", () => {
      view.openModel(models.find((model) => model.group === ref.model.value).checkpoints[0].id);
    });
    ref.checkpoint.addEventListener("change", () => view.openModel(ref.checkpoint.value));
    ref.trained.addEventListener("input", () => {
      const { checkpoints } = groupOf(state.model);
      view.openModel(checkpoints[checkpoints.length - 1 - ref.trained.valueAsNumber].id, "trained");
    });
    ref.refresh.addEventListener("click", look);
    ref.lookAgain.addEventListener("click", look);
    ref.toTrain.addEventListener("click", () => pvs.openTab("train"));

    let shown = false;
    pvs.whenShown(view.element, (on) => {
      if (on && !shown && state.model) look(); // back on this tab: there may be new checkpoints
      shown = on;
    });
    view.shown = () => shown && !document.hidden;
    setInterval(() => {
      // The first checkpoint appears by itself; and so does what a studio that did not answer still owes.
      if (view.shown() && (models.length === 0 || (view.failed && !view.failed.status))) look();
    }, 5000);
  };
})();
