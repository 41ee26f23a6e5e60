// Results as tables, one a protocol: a column a model, and for each measure where it lies from floor to ceiling.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.evaluate = pvs.evaluate || {};
  const { make } = pvs;
  const figure = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());

  // 0 at the floor, 1 at the ceiling; where the ceiling is far off, by the logarithm.
  pvs.evaluate.place = (value, floor, ceiling) => {
    const far = floor > 0 && value > 0 && ceiling / floor > 20;
    const scale = far ? Math.log : (x) => x;
    const span = scale(ceiling) - scale(floor);
    return span ? Math.min(Math.max((scale(value) - scale(floor)) / span, 0), 1) : 0;
  };

  // A measure by which noise does as well as real clips says nothing of a model.
  const blind = ({ better, floor, ceiling }) => (better === "higher" && ceiling >= floor) || (better === "lower" && ceiling <= floor);

  const BETTER = { lower: "lower is better", higher: "higher is better", "as the reals": "best near the floor" };

  function cell(value, row) {
    const node = make("td", "");
    node.append(make("b", figure(value)));
    if (blind(row)) {
      node.append(make("span", "says nothing here: noise does as well as real clips", { className: "pm-blind" }));
    } else if (value !== null && row.floor !== row.ceiling) {
      const track = make("span", "", { className: "pm-track" });
      track.style.setProperty("--at", pvs.evaluate.place(value, row.floor, row.ceiling));
      track.setAttribute("aria-hidden", "true");
      node.append(track);
    }
    return node;
  }

  // table(one, onNear): a panel. one: as the server has it.
  pvs.evaluate.table = (one, all, onNear) => {
    const panel = make("section", "", { className: "pvs-panel pm-table" });
    panel.dataset.key = one.key;
    panel.append(make("p", one.sentence, { className: "pm-sentence" }));
    if (one.held_out !== null) {
      panel.append(make("p", `clipnet tells the six motions of toyfaces apart in ${(100 * one.held_out).toFixed(1)} % of clips that it has not seen.`,
        { className: "pvs-note" }));
    }
    if (one.apart.length) {
      panel.append(make("p", `Not to be compared with the first table; it differs in: ${one.apart.join("; ")}.`, { className: "pm-apart" }));
    }
    const scroll = make("div", "", { className: "pm-scroll", tabIndex: 0 });
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", "Results");
    const table = document.createElement("table"), head = table.createTHead().insertRow(), body = table.createTBody();
    head.append(make("th", "Measure", { scope: "col" }));
    for (const column of one.columns) {
      const th = make("th", "", { scope: "col" });
      th.append(make("span", column.name, { className: "pm-name" }), make("small", `${column.loss || ""} · ${pvs.kimg(column.clips)} · ${column.date}`));
      const button = make("button", "Nearest training clips", { type: "button", className: "pvs-button pm-small" });
      button.addEventListener("click", () => onNear({ ...column, unseen: one.unseen }));
      th.append(button);
      head.append(th);
    }
    head.append(make("th", "Floor", { scope: "col", title: one.unseen ? "clips that it was trained on" : "other real clips" }), make("th", "Ceiling", { scope: "col", title: "noise" }));
    for (const row of one.rows) {
      const line = body.insertRow();
      line.dataset.measure = row.id;
      line.hidden = !row.main && !all;
      const th = make("th", row.label, { scope: "row" });
      th.append(make("small", [row.about, BETTER[row.better]].filter(Boolean).join(" · ")));
      line.append(th, ...row.values.map((value) => cell(value, row)), make("td", figure(row.floor)), make("td", figure(row.ceiling)));
    }
    scroll.append(table);
    panel.append(scroll);
    return panel;
  };
})();
