// Two tables: what the sides cost, and in which keys their configurations differ. And the report.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};

  const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });
  const COSTS = [
    ["Generator’s parameters", ({ parameters }) => parameters && number(parameters)],
    ["Clips a second, at the end", ({ clips_per_s: speed }) => speed && number(speed, 1)],
    ["Time trained", ({ seconds }) => seconds && pvs.duration(seconds)],
    ["Machine", ({ device }) => device],
    ["State", ({ state }) => state],
  ];

  function cell(tag, text, colour) {
    const node = Object.assign(document.createElement(tag), { textContent: text });
    if (colour) node.style.boxShadow = `inset 0 -3px ${colour}`;
    return node;
  }

  function fill(table, sides, rows) {
    const head = document.createElement("tr");
    head.append(cell("th", ""), ...sides.map(({ name, colour }) => cell("th", name, colour)));
    table.replaceChildren(head, ...rows.map(([name, ...values]) => {
      const row = document.createElement("tr"), title = cell("th", name);
      title.scope = "row";
      row.append(title, ...values.map((value) => cell("td", value)));
      return row;
    }));
  }

  pvs.compare.facts = (view) => {
    const { ref, state } = view;
    view.about = new Map(); // id -> size, for the slots
    view.losses = new Map(); // group -> name of its loss
    let known = "";

    const ask = pvs.latest(async (ids) => {
      try {
        const answer = await pvs.json("api/compare/facts", { ids }), { sides, differences, of } = answer;
        const now = JSON.stringify([answer, pvs.isDark()]);
        if (ids.join() !== state.ids.join() || now === known) return; // text that is selected stays so
        known = now;
        const shown = view.sides(), told = of.map((id) => shown[ids.indexOf(id)]);
        view.about = new Map(sides.filter(({ frames }) => frames).map(({ id, frames, resolution, loss }) =>
          [id, `${frames} frames of ${resolution} × ${resolution}${loss ? `, ${loss}` : ""}`]));
        view.losses = new Map(sides.map(({ id, loss }) => [pvs.family(id), loss || "unknown loss"]));
        const costs = sides.filter((side) => side.costs);
        fill(ref.costs, told, COSTS.map(([name, text]) => [name, ...costs.map((side) => text(side.costs) || "–")]));
        ref.differences.hidden = differences.length === 0;
        fill(ref.differences, told, differences.map(({ key, values }) => [key, ...values.map(pvs.written)]));
        ref.noDifferences.textContent = told.length < 2 ? "Two are needed to see a difference."
          : differences.length ? "" : "None: the configurations are the same.";
        view.showSides();
        view.drawCurves();
      } catch (error) {
        view.fail(error);
      }
    });
    view.askFacts = () => (state.ids.length ? ask([...state.ids]) : null);

    ref.report.addEventListener("click", view.attempt(async () => {
      ref.report.disabled = true;
      ref.report.textContent = "Writing …";
      try {
        const ids = view.sides().filter(({ gone }) => !gone).map(({ drawn, id }) => drawn || id);
        if (!ids.length) throw new Error("Choose something to report on first.");
        const response = await pvs.request("api/compare/report", { ids, seeds: pvs.compare.seeds(state),
          truncation: state.truncation, fps: view.timeline.fps, axis: state.along });
        await pvs.saveFile(response, "comparison.html");
      } finally {
        ref.report.disabled = false;
        ref.report.textContent = "Save report";
      }
    }));
  };
})();
