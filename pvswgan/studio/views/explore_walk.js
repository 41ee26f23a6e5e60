// The walk through the keyframes and back to the first, along the sphere: played, or scrubbed by its slider.
//
// A leg (from one keyframe to the next) comes as one sheet with a clip for each sixteenth of the way; the next leg is
// fetched while this one plays. What the walk shows lies on top of the clip: the point under it stays as it is.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const STEPS = 16; // clips a leg

  pvs.explorer.walk = (view) => {
    const { ref, store, state } = view;
    let legs = new Map(); // leg -> promise of {blob, rows, frames}
    let key = null; // of what the legs were made
    let playing = false;
    let at = 0; // 0..number of keyframes
    let pace = 2; // seconds a leg
    let last = null;

    const count = () => state.keyframes.length;
    const walkable = () => count() >= 2;

    function leg(i) {
      const now = JSON.stringify([state.model, state.keyframes]);
      if (now !== key) [legs, key] = [new Map(), now];
      if (!legs.has(i)) {
        const at = Array.from({ length: STEPS }, (_, step) => i + step / STEPS);
        const keyframes = state.keyframes.map(pvs.explorer.copyPoint);
        const mine = legs;
        const sheet = pvs.request("api/walk", { model: state.model, keyframes, at }).then(pvs.sheetOf);
        legs.set(i, sheet);
        sheet.catch(() => mine.delete(i)); // a later try asks again
      }
      return legs.get(i);
    }

    // Only the newest place is shown, in order, however fast the slider goes.
    const look = pvs.latest(async (place) => {
      const i = Math.floor(place) % count();
      try {
        const { blob, rows, frames } = await leg(i);
        if (!view.walking) return;
        const step = Math.min(rows - 1, Math.floor((place % 1) * STEPS));
        await view.look(blob, { rows, frames, row: step, caption: `walk ${place.toFixed(2)}` });
        if (playing) leg((i + 1) % count()).catch(() => {});
      } catch (error) {
        stop();
        view.fail(error);
      }
    });

    function showPlace() {
      ref.walkAt.value = at;
      ref.walkText.textContent = walkable() ? `${at.toFixed(1)} / ${count()}` : "—";
      const on = Math.floor(at) % Math.max(1, count());
      for (const [i, node] of [...ref.keys.children].entries()) node.classList.toggle("on", Boolean(view.walking) && i === on);
    }

    function showPlay() {
      ref.walkPlay.classList.toggle("playing", playing);
      ref.walkPlay.setAttribute("aria-label", playing ? "Stop the walk" : "Walk");
      ref.walkPlay.title = playing ? "Stop (W)" : "Walk (W)";
    }

    function begin() {
      view.walking = true;
      store.held = true;
    }

    function stop() {
      if (!view.walking) return;
      playing = view.walking = false;
      store.held = false;
      view.hide();
      showPlay();
      showPlace();
    }
    view.stopWalk = stop;

    view.toggleWalk = () => {
      if (playing) return stop();
      if (!walkable()) {
        view.unfold("k");
        return ref.addKey.focus();
      }
      begin();
      playing = true;
      last = null;
      showPlay();
      requestAnimationFrame(tick);
    };

    // The walk waits for a leg that is not there yet, rather than running ahead of its pictures.
    let waiting = false;
    async function tick(now) {
      if (!playing) return;
      const seconds = last === null || waiting ? 0 : Math.min((now - last) / 1000, 0.25);
      last = now;
      at = (at + seconds / pace) % count();
      showPlace();
      if (!waiting) {
        waiting = true;
        look(at).finally(() => (waiting = false));
      }
      requestAnimationFrame(tick);
    }

    ref.walkPlay.addEventListener("click", view.toggleWalk);
    ref.walkAt.addEventListener("input", () => {
      playing = false;
      begin();
      at = ref.walkAt.valueAsNumber;
      showPlay();
      showPlace();
      look(at);
    });
    ref.walkAt.addEventListener("blur", () => playing || stop());
    view.setPace = (seconds) => {
      pace = ref.pace.value = seconds;
      ref.paceText.textContent = `${pace} s each`;
    };
    view.pace = () => pace;
    ref.pace.addEventListener("input", () => view.setPace(ref.pace.valueAsNumber));

    // Whatever the hand does to the point or the keyframes ends the walk.
    store.listen((keys) => {
      stop();
      if (!keys.has("keyframes")) return;
      ref.walkPlay.disabled = ref.walkAt.disabled = !walkable();
      ref.walkAt.max = Math.max(1, count());
      if (at >= count()) at = 0;
      showPlace();
    });
    showPlay();
    showPlace();
  };
})();
