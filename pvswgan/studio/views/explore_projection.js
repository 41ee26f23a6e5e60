// A clip of one's own: sent to the studio, which looks for the latent that comes nearest to it; then that is the point.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const ASK = 400; // milliseconds from one look at the fit to the next
  const KEPT = "pvs-explore-fit"; // in sessionStorage: the job that this tab waits for, {id, model}

  pvs.explorer.projection = (view) => {
    const { ref, store, state, timeline, attempt } = view;
    const target = new pvs.SheetPlayer(ref.target, { timeline });
    const fitted = new pvs.SheetPlayer(ref.fitted, { timeline });
    let current = null; // the job that the page follows

    const send = attempt(async (file) => {
      if (current) throw new Error("A clip is being fitted already: stop that first.");
      const { model } = state;
      await busy({ model }, `Sending ${file.name}…`, async (job) => {
        const url = `api/project?model=${encodeURIComponent(model)}`;
        const answer = await pvs.json(url, undefined, { method: "POST", body: file });
        job.id = answer.job;
        keep(job);
        await follow(job);
      });
    });

    // The page was loaded anew while a clip was being fitted: the fit went on meanwhile, or has ended.
    view.resumeFit = attempt(async () => {
      const job = kept();
      if (job && !current) await busy(job, "Looking how far the fit is…", follow);
    });

    // Shows that a fit is on its way while work(job) lasts.
    async function busy(job, text, work) {
      current = job;
      view.unfold("c");
      ref.drop.hidden = true;
      ref.fit.hidden = false;
      ref.fitStop.disabled = true;
      ref.fitBar.removeAttribute("value"); // nothing to count yet
      ref.fitText.textContent = text;
      try {
        await work(job);
      } finally {
        current = null;
        ref.drop.hidden = false;
        ref.fit.hidden = true;
      }
    }

    // Where the browser keeps nothing, a fit is lost with the page.
    function keep(job) {
      try {
        if (job) sessionStorage.setItem(KEPT, JSON.stringify(job));
        else sessionStorage.removeItem(KEPT);
      } catch {
        // The fit itself goes on all the same.
      }
    }

    function kept() {
      try {
        return JSON.parse(sessionStorage.getItem(KEPT));
      } catch {
        return null;
      }
    }

    async function ask(job) {
      try {
        const now = await pvs.json(`api/project/${encodeURIComponent(job.id)}`);
        if (now.state !== "running") keep(null);
        return now;
      } catch (error) {
        if (error.status === 404) keep(null); // otherwise the page may be going, or the network is away: look again then
        throw error;
      }
    }

    async function follow(job) {
      let now = await ask(job);
      const begun = showTarget(job).catch(view.fail);
      ref.fitStop.disabled = false;
      let gone = false;
      for (;;) {
        if (now.steps) ref.fitBar.value = now.step / now.steps;
        const left = now.eta_s === null ? "" : `, ${pvs.wait(now.eta_s)} left`;
        const apart = now.distance === null ? "" : `, distance ${now.distance.toFixed(3)}`;
        ref.fitText.textContent = gone ? "The studio does not answer. Is it still running? It is asked again."
          : `Fitting: step ${now.step} of ${now.steps}${left}${apart}`;
        if (now.state === "failed") throw new Error(now.error || "The clip could not be fitted.");
        if (now.state !== "running") break;
        await new Promise((done) => setTimeout(done, ASK));
        gone = false;
        now = await ask(job).catch((error) => {
          if (error.status) throw error;
          gone = true; // no answer at all: it may fit on, and is asked again
          return now;
        });
      }
      await begun; // it takes away the last clip's picture, for which there is a new one now
      await arrive(job, now);
    }

    async function showTarget(job) {
      const response = await pvs.request(`api/project/${encodeURIComponent(job.id)}/target`);
      const { blob, frames } = await pvs.sheetOf(response);
      ref.pair.hidden = false;
      ref.pairGo.disabled = true;
      ref.fitted.parentElement.style.visibility = "hidden"; // the last clip's
      delete ref.pair.dataset.latent;
      await target.show(blob, { frames });
    }

    // The latent that was found is the point now, and can be undone like any other change; but nobody who has gone to
    // another model meanwhile is pulled back.
    async function arrive(job, { latent }) {
      if (latent === null) return;
      const point = { seed: state.seed, parts: {}, latent, truncation: 1, moves: {}, of: null };
      const go = () => store.change({ model: job.model, ...point, ...view.keyframesIn(job.model) });
      if (job.model === state.model) go();
      ref.pairGo.onclick = go;
      ref.pairGo.disabled = false;
      const response = await pvs.request("api/render", { model: job.model, ...point });
      const { blob, frames } = await pvs.sheetOf(response);
      await fitted.show(blob, { frames });
      ref.fitted.parentElement.style.visibility = "visible";
      ref.pair.dataset.latent = latent;
    }

    ref.fitStop.addEventListener("click", attempt(async () => {
      ref.fitStop.disabled = true;
      try {
        await pvs.json(`api/project/${encodeURIComponent(current.id)}/stop`, {});
      } catch (error) {
        ref.fitStop.disabled = false;
        throw error;
      }
    }));

    // ---- choosing and dropping ------------------------------------------------------------------------------
    view.chooseClip = () => {
      view.unfold("c");
      if (!pvs.readOnly()) ref.file.click();
    };
    ref.choose.addEventListener("click", view.chooseClip);
    ref.file.addEventListener("change", () => {
      const [file] = ref.file.files;
      ref.file.value = ""; // the same file may be chosen again
      if (file) send(file);
    });
    // Wherever it falls on this page it is meant for it: beside the zone, the browser would leave the studio to show it.
    const lit = (on) => [ref.drop, ref.screen].forEach((place) => place.classList.toggle("pe-over-drop", on));
    view.element.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      lit(!pvs.readOnly());
    });
    view.element.addEventListener("dragleave", ({ relatedTarget }) => view.element.contains(relatedTarget) || lit(false));
    view.element.addEventListener("drop", (event) => {
      lit(false);
      const [file] = event.dataTransfer.files;
      if (!file) return;
      event.preventDefault();
      view.unfold("c");
      if (!pvs.readOnly() && state.model) send(file);
    });
  };
})();
