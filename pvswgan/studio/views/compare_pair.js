// The form that trains a pair: a SWGAN and a WGAN-GP run that differ in nothing but the loss.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};

  pvs.compare.pair = (view) => {
    const { ref } = view;
    let descriptions = new Map();

    view.showOptions = ({ configurations, read_only: readOnly }) => {
      ref.pairConfig.replaceChildren(...configurations.map(({ id, error }) =>
        Object.assign(new Option(error ? `${id} (cannot be used)` : id, id), { disabled: Boolean(error) })));
      descriptions = new Map(configurations.map(({ id, description }) => [id, description]));
      for (const field of ref.pair.elements) field.disabled = readOnly;
      ref.pairNote.textContent = readOnly ? "This studio is read-only: nothing can be started here." : "";
      if (!readOnly) describe();
    };

    function describe() {
      ref.pairName.placeholder = ref.pairConfig.value;
      ref.pairNote.textContent = descriptions.get(ref.pairConfig.value) || "";
    }
    ref.pairConfig.addEventListener("change", describe);

    ref.pair.addEventListener("submit", async (event) => {
      event.preventDefault();
      const when = ref.pair.elements["pc-when"].value;
      ref.pairStart.disabled = true;
      try {
        const runs = await pvs.json("api/compare/pair", { config: ref.pairConfig.value, name: ref.pairName.value.trim(), when });
        view.fine();
        const names = runs.map(({ name, id }) => id || name).join(" and ");
        ref.pairNote.textContent = when === "now"
          ? `${names} are being started. Both are chosen above; their clips appear with the first snapshot.`
          : `${names} are in the queue of the Train page, one after the other. They can be chosen above once they have begun.`;
        await view.refresh();
        if (when === "now") view.change({ ids: runs.map(({ id }) => `run:${id}`) });
      } catch (error) {
        ref.pairNote.textContent = "";
        view.fail(error);
      } finally {
        ref.pairStart.disabled = false;
      }
    });
  };
})();
