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

    function address() {
      const url = new URL(location.href);
      const e = pvs.explorer.encode({ point: store.point(), keyframes: state.keyframes, view: lookedAt() });
      for (const [name, value] of Object.entries({ tab: "explore", model: state.model, e })) url.searchParams.set(name, value);
      url.search = url.search.replaceAll("%3A", ":").replaceAll("%40", "@"); // these may stand as they are
      return url;
    }

    function follow() {
      if (state.model && view.shown()) history.replaceState(history.state, "", address());
    }
    store.onRest(follow);
    timeline.listen(() => timeline.playing || store.busy()); // a frame that is stepped to is in the link too

    ref.copyLink.addEventListener("click", attempt(async () => {
      await pvs.copyText(address().href);
      ref.copyLink.textContent = "Copied";
      setTimeout(() => (ref.copyLink.textContent = "Copy link"), 1500);
    }));

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
      if (state.model && view.drawn !== view.asked && !ref.error.hidden) {
        // A direction or a latent that is not there any more: what is left is the seed.
        sentences.push(ref.error.textContent, "The seed alone is shown.");
        store.change({ ...pvs.explorer.portable(state), keyframes: state.keyframes.map(pvs.explorer.portable) });
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
      const same = model && id.split("@")[0] === model.split("@")[0];
      const run = id.split("@")[0];
      const whole = (point) => pvs.explorer.copyPoint({ ...point, of: point.of && run + point.of });
      const keep = same ? whole : pvs.explorer.portable;
      store.change({ model: id, ...keep(link.point), keyframes: link.keyframes.map(keep) });
      await tell(missing, link.damaged && "A part of this link could not be read: the rest of it is shown.");
    });

    const open = attempt(async ({ model, point, direction }) => {
      const [id, missing] = await view.refresh(model);
      if (id !== null && point) store.change({ model: id, ...pvs.explorer.copyPoint(point) });
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
