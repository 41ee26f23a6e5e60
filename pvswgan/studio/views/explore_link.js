// The address follows what is shown, when the hand rests; opened again it restores it. Also the way in from other pages.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};

  pvs.explorer.link = (view) => {
    const { ref, store, state, timeline, attempt } = view;

    // ---- out ------------------------------------------------------------------------------------------------
    // What is as it always begins is left out.
    function lookedAt() {
      const open = Object.keys(view.sections).filter((name) => view.sections[name].open).join("");
      return {
        frame: timeline.playing ? null : timeline.frame,
        sections: open === "d" ? null : open || "0",
        smooth: view.player.smooth,
        fps: timeline.fps === 16 ? null : timeline.fps,
        loop: timeline.loop === "loop" ? null : timeline.loop,
        slice: view.sliceAt(),
        sheet: view.sections.s.open ? view.sheetOf() : null,
        pace: view.pace() === 2 ? null : view.pace(),
      };
    }

    function address(others) {
      const e = pvs.explorer.encode({ point: store.point(), keyframes: state.keyframes, view: lookedAt() });
      return pvs.address({ tab: "explore", model: state.model, e }, others);
    }

    function follow() {
      if (state.model && view.shown()) history.replaceState(history.state, "", address());
    }
    store.onRest(follow);
    timeline.listen(() => timeline.playing || store.busy()); // a frame that is stepped to is in the link too

    pvs.copiesLink(ref.copyLink, () => address(""), view.fail);

    // ---- in -------------------------------------------------------------------------------------------------
    function lookAt({ frame, sections, smooth, fps, loop, slice, sheet, pace }) {
      if (frame !== undefined) timeline.hold(frame);
      if (sections) for (const [name, node] of Object.entries(view.sections)) node.open = sections.includes(name);
      if (smooth) view.setPixels("smooth");
      if (fps) view.setSpeed(fps);
      if (loop) view.setLoop(loop);
      if (slice !== undefined) view.setSlice(slice);
      if (sheet) view.sheetAlong(sheet);
      if (pace) view.setPace(pace);
    }

    // Says what was wrong after the clip is there: a clip that comes takes earlier sentences away.
    async function tell(...sentences) {
      await store.settled();
      if (state.model && view.failed?.status) {
        // A direction or a latent that is not there any more: what is left is the seed.
        const { message } = view.failed, before = { ...store.point(), keyframes: state.keyframes };
        store.change({ ...pvs.explorer.portable(state), keyframes: state.keyframes.map(pvs.explorer.portable) });
        await store.settled();
        sentences.push(message);
        if (!view.failed) sentences.push("The seed alone is shown.");
        else store.change(before); // it was not for that: the link may be right once the model is
        await store.settled();
      }
      const said = sentences.filter(Boolean).join(" ");
      if (said) throw new Error(said);
    }

    const openLink = attempt(async (model, e) => {
      const link = pvs.explorer.decode(e);
      const [id, missing] = await view.refresh(model);
      if (id === null) return tell(missing);
      lookAt(link.view);
      // In another model only seeds and truncation mean what they meant.
      const run = pvs.family(id), same = model && run === pvs.family(model);
      const whole = (point) => pvs.explorer.copyPoint({ ...point, of: point.of && run + point.of });
      const keep = same ? whole : pvs.explorer.portable;
      store.change({ model: id, ...keep(link.point), keyframes: link.keyframes.map(keep) });
      await tell(missing, link.damaged && "A part of this link could not be read: the rest of it is shown.");
    });

    const open = attempt(async ({ model, point, direction }) => {
      const [id, missing] = await view.refresh(model);
      if (id !== null && point) store.change({ model: id, ...pvs.explorer.copyPoint(point), ...view.keyframesIn(id) });
      else if (id !== null && (id !== state.model || !view.opened)) view.openModel(id);
      if (id !== null && direction) await view.showDirection(direction);
      await tell(missing);
    });

    const query = new URLSearchParams(location.search);
    const waited = pvs.onOpen("explore", open);
    const first = waited ? null : query.get("e") ? openLink(query.get("model"), query.get("e")) : open({ model: query.get("model") });
    Promise.resolve(first).then(view.resumeFit); // what it finds becomes the point, so after the link's
  };
})();
