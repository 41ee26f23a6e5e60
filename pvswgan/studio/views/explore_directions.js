// The list of directions: PCA's, SeFa's and people's own. Eight first, kept ones on top; what each does is measured and
// its effect is drawn when it is on the screen and the hand rests.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const FIRST = 8;

  pvs.explorer.directions = (view) => {
    const { ref, store, state, attempt } = view;
    const rows = new Map(); // id -> DirectionRow
    const seen = new Set(); // ids of the rows that are on the screen
    let list = []; // as api/directions gives them
    let loadedFor = null;
    let first = null; // a direction that another page sent us to
    let all = false;
    let previewed = null;

    // ---- moving ---------------------------------------------------------------------------------------------
    // The list is of the checkpoint whose directions the point is moved along, and that stays while it is moved:
    // going through a run's checkpoints holds the latent.
    const wanted = () => store.point().of || state.model;
    view.guide = () => (loadedFor === null || loadedFor === state.model ? null : loadedFor);
    view.move = (id, value, gesture = `move ${id}`) => {
      const of = view.guide();
      store.change({ moves: { ...state.moves, [id]: value }, of }, gesture);
    };
    view.directions = () => list;
    view.lastMoved = null;

    const act = {
      onMove: (id, value) => {
        view.lastMoved = id;
        view.move(id, value);
      },
      // One after the other: a change is of what the one before it has made.
      onName: (id, change) => {
        const of = loadedFor, { direction } = rows.get(id); // of the model that it was pressed for
        naming = naming.then(() => call(of, id, direction, change));
      },
      onForget: attempt(async (id) => {
        const wish = { model: loadedFor, direction: id }, name = pvs.explorer.directionName(rows.get(id).direction);
        await pvs.json("api/directions/forget", wish);
        if (state.moves[id]) view.move(id, 0, null);
        await load();
        note.say(`“${name}” is forgotten.`, async () => {
          await pvs.json("api/directions/restore", wish);
          await view.showDirection(id);
        }, "Bring it back");
        ref.back.focus(); // the row with the button that was pressed is gone
      }),
    };

    let naming = Promise.resolve();
    const call = attempt(async (of, id, direction, change) => {
      const before = { name: direction.name || "", kept: direction.kept }, named = { ...before, ...change };
      const called = ({ name }) => pvs.explorer.directionName({ ...direction, name: name || null });
      const [was, is] = [called(before), called(named)];
      await rename(of, id, named);
      if (named.name === before.name) return;
      note.say(`“${was}” is called “${is}” now.`, async () => {
        await rename(of, id, { name: before.name, kept: of === loadedFor ? rows.get(id).direction.kept : named.kept });
        rows.get(id)?.name.focus(); // the button that was pressed goes
      });
    });

    // A name belongs to a checkpoint, which need not be the one that is shown by the time it is undone.
    async function rename(of, id, named) {
      await pvs.json("api/directions/name", { model: of, direction: id, ...named });
      if (of !== loadedFor) return;
      const { direction } = rows.get(id);
      Object.assign(direction, { ...named, name: named.name || null });
      rows.get(id).describe(direction);
      view.onDirections?.();
    }

    // What was forgotten or written over can come back, until the next one or another model comes. Over the page, so that
    // no slider moves away from under the hand.
    const note = new pvs.UndoNote({ "undo-panel": ref.note, "undo-text": ref.noteText, undo: ref.back, "undo-close": ref.noteClose });

    store.listen((keys) => {
      // The rows of another model mean nothing here: nobody is to move them until those of this one have come.
      ref.directions.inert = Boolean(loadedFor) && pvs.family(wanted() || "") !== pvs.family(loadedFor);
      if (ref.directions.inert) note.say("");
      if (keys.has("moves")) showMoves();
      if (!state.model || wanted() === loadedFor) return;
      if (loadedFor && pvs.family(state.model) === pvs.family(loadedFor)) store.later("directions", load);
      else if (keys.has("model")) attempt(load)();
    });

    function showMoves() {
      let hidden = false;
      for (const [id, row] of rows) {
        const value = state.moves[id] || 0;
        if (id !== previewed) row.show(value);
        if (value !== 0 && row.node.hidden) hidden = true;
      }
      if (hidden) arrange();
      ref.resetAll.disabled = !Object.values(state.moves).some((value) => value !== 0);
    }
    ref.resetAll.addEventListener("click", () => store.change({ moves: {} }));

    // The slider where it would be after a click, while something is only looked at; null: where it is.
    view.previewMove = (id, value) => {
      if (previewed !== null && previewed !== id) rows.get(previewed)?.show(state.moves[previewed] || 0);
      previewed = value === null ? null : id;
      rows.get(id)?.show(value ?? (state.moves[id] || 0));
    };

    // ---- the list -------------------------------------------------------------------------------------------
    async function load() {
      const model = wanted();
      ref.directions.setAttribute("aria-busy", "true");
      let answer;
      try {
        answer = await pvs.json(`api/directions?id=${encodeURIComponent(model)}`);
      } catch (error) {
        if (wanted() === model) throw error;
        return; // of a model that was left meanwhile
      } finally {
        if (wanted() === model) ref.directions.removeAttribute("aria-busy");
      }
      if (wanted() !== model) return;
      if (answer.problem) view.fail(new Error(answer.problem));
      list = answer.directions;
      offerKinds();
      loadedFor = model;
      ref.directions.inert = false;
      const ids = new Set(list.map(({ id }) => id));
      for (const [id, row] of rows) {
        if (ids.has(id)) continue;
        row.remove();
        rows.delete(id);
        seen.delete(id);
      }
      for (const direction of list) rowOf(direction.id).describe(direction);
      arrange();
      showMoves();
      view.onDirections?.();
      refreshSeen();
    }
    view.loadDirections = load;
    // Where another model's rows are still there, for want of an answer.
    view.directionsAgain = () => (loadedFor === null || pvs.family(wanted()) !== pvs.family(loadedFor)) && attempt(load)();

    function rowOf(id) {
      if (rows.has(id)) return rows.get(id);
      const row = new pvs.explorer.DirectionRow(id, act);
      rows.set(id, row);
      ref.directions.append(row.node);
      pvs.whenShown(row.node, (on) => {
        if (on) seen.add(id);
        else seen.delete(id);
        if (on) refresh(row);
      });
      return row;
    }

    // Directions that change one part of the latent alone are a kind of their own; another model may have none.
    function offerKinds() {
      const parts = [...new Set(list.map(({ kind }) => kind))].filter((kind) => kind.startsWith("pca-"));
      const chosen = ref.kinds.value;
      for (const option of ref.kinds.querySelectorAll('[value^="pca-"]')) option.remove();
      ref.kinds.querySelector('[value="pca"]').after(...parts.map((kind) =>
        pvs.option(kind, `${kind[4].toUpperCase()}${kind.slice(5)} alone (PCA)`)));
      ref.kinds.value = chosen === ref.kinds.value || parts.includes(chosen) || !chosen.startsWith("pca-") ? chosen : "all";
    }

    const isKind = (direction) => {
      const kind = ref.kinds.value;
      return kind === "all" || direction.kind === kind || (kind === "kept" && direction.kept);
    };
    const rank = ({ id, kind, kept }) => (id === first ? 0 : kept ? 1 : kind === "own" ? 2 : 3);

    // Puts the rows into their order and shows those that are wanted, and all that are moved.
    function arrange() {
      for (const node of ref.directions.querySelectorAll(".pe-ghost, .pvs-note")) node.remove();
      const sorted = [...list].sort((a, b) => rank(a) - rank(b)); // a stable sort
      const fit = sorted.filter(isKind);
      const shown = new Set((all ? fit : fit.slice(0, FIRST)).map(({ id }) => id));
      for (const { id } of sorted) {
        const { node } = rows.get(id);
        node.hidden = !shown.has(id) && !state.moves[id] && id !== first;
        ref.directions.append(node);
      }
      ref.moreDirections.hidden = fit.length <= FIRST;
      ref.moreDirections.textContent = all ? `Show the first ${FIRST}` : `Show all ${fit.length}`;
      if (fit.length) return;
      const none = pvs.explorer.make("p", "pvs-note");
      none.textContent = ref.kinds.value === "own"
        ? "No own directions yet: add two keyframes and make a slider from them, or send one from the Latents tab."
        : "None kept yet: the star beside a direction's name keeps it.";
      ref.directions.append(none);
    }
    ref.kinds.addEventListener("change", arrange);
    ref.moreDirections.addEventListener("click", () => {
      all = !all;
      arrange();
    });

    // Until the list is there its place is kept: nothing below it jumps.
    for (let i = 0; i < FIRST; i++) ref.directions.append(pvs.explorer.make("div", "pe-direction pe-ghost"));

    // Another page sends a direction: on top, in view, ready for the arrow keys.
    view.showDirection = attempt(async (id) => {
      first = id;
      view.unfold("d");
      ref.kinds.value = "all";
      await load(); // it may have been made, or named, on that page
      arrange();
      rows.get(id)?.range.focus();
    });

    // ---- measuring and drawing, when the hand rests ---------------------------------------------------------
    function refreshSeen() {
      for (const id of seen) refresh(rows.get(id));
    }
    store.onRest(refreshSeen);

    // What the pictures of a direction are of: its steps, wherever its slider is.
    function effectAt(id) {
      const point = store.point();
      delete point.moves[id];
      point.of = view.guide();
      return [JSON.stringify([state.model, point]), point];
    }

    function refresh(row) {
      const { id } = row;
      if (loadedFor !== wanted() || !row.direction) return;
      if (!row.direction.measured) {
        store.later(`measure ${id}`, async (signal) => {
          if (!seen.has(id) || loadedFor !== wanted() || row.direction.measured) return;
          const model = loadedFor;
          const measured = await pvs.json("api/directions/measure", { model, direction: id }, { signal });
          if (model === loadedFor) row.measured(measured);
        });
      }
      const [key, point] = effectAt(id);
      if (row.effectOf === key) return;
      store.later(`strip ${id}`, async (signal) => {
        if (!seen.has(id) || effectAt(id)[0] !== key) return; // the hand has moved on, or back
        const body = { model: state.model, direction: id, ...point };
        const response = await pvs.request("api/directions/strip", body, { signal });
        row.effect(await response.blob());
        row.effectOf = key;
      });
    }
  };
})();
