// The clip, or the walk, as a file: film, pictures, the latent, or the lines of Python that give it again.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};

  pvs.explorer.export = (view) => {
    const { ref, store, state, timeline } = view;
    const said = "The latent and the snippet give the same clip again, without the studio.";

    // Sizes of a film: the model's pixels, times a whole number.
    view.onOpened = () => {
      const was = ref.scale.value;
      const { resolution } = view.opened;
      const scales = [1, 2, 4, 8, 16].filter((scale) => scale === 1 || scale * resolution <= 512);
      ref.scale.replaceChildren(...scales.map((scale) => new Option(`${scale * resolution} px`, scale)));
      const usual = scales.find((scale) => scale * resolution >= 256) || scales[scales.length - 1];
      ref.scale.value = scales.includes(Number(was)) ? was : usual;
    };

    const ask = (format) => {
      const keyframes = ref.what.value === "walk" ? state.keyframes.map(pvs.explorer.copyPoint) : null;
      const point = { model: state.model, ...store.point() };
      const film = { fps: timeline.fps, scale: Number(ref.scale.value) || 1, keyframes, seconds: view.pace() };
      return pvs.request("api/export", { ...point, format, ...film });
    };

    async function save(format) {
      return `${await pvs.saveFile(await ask(format), `clip.${format}`)} is saved.`;
    }

    async function copy() {
      await pvs.copyText(await (await ask("py")).text());
      return "The snippet is on the clipboard.";
    }

    const wire = (button, work) => button.addEventListener("click", async () => {
      button.disabled = true;
      ref.exported.textContent = "Working…";
      try {
        ref.exported.textContent = await work();
        view.fine();
      } catch (error) {
        ref.exported.textContent = said;
        view.fail(error);
      }
      button.disabled = false;
    });
    for (const button of view.element.querySelectorAll("[data-export]")) wire(button, () => save(button.dataset.export));
    wire(ref.copyPython, copy);

    // The menu closes like a menu: by Escape, or by a press elsewhere.
    const { exportMenu } = ref;
    exportMenu.addEventListener("toggle", () => exportMenu.open && (ref.exported.textContent = said));
    document.addEventListener("pointerdown", (event) => {
      if (!exportMenu.contains(event.target)) exportMenu.open = false;
    });
    exportMenu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      exportMenu.open = false;
      ref.exportButton.focus();
    });

    store.listen((keys) => {
      if (!keys.has("keyframes")) return;
      const walk = ref.what.querySelector('[value="walk"]');
      walk.disabled = state.keyframes.length < 2;
      if (walk.disabled) ref.what.value = "clip";
    });
  };
})();
