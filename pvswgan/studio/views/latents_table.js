// The table: how much of each factor's variance a direction tells. Sortable; a cell opens its direction in Explore.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
  const make = (tag, properties = {}, ...inside) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...inside);
    return node;
  };

  pvs.latents.table = (view) => {
    const { ref, state } = view;
    const ask = pvs.job();
    const wait = pvs.waiting(ref.tableWait, ref.tableWaitText, ref.tableProgress);
    let shown = null; // {rows, directions, points, model}
    let sorted = { column: "best", down: true };

    const UNREADABLE = 0.1;
    const NOTE = "For each drawn factor: the share of its variance that a direction explains (R²), as a regression reads the " +
      "factor off generated clips. The first column is how well that reader does on real clips that it has not seen. Where it " +
      "cannot read a factor at all (pale, last) the bars mean nothing.";

    view.resetTable = () => {
      ask.drop();
      wait(null);
      shown = null;
      ref.tableBox.hidden = true;
      ref.measure.hidden = Boolean(view.choices.no_factors);
      ref.measure.disabled = false;
      ref.tableNote.textContent = view.choices.no_factors || NOTE;
    };

    ref.measure.addEventListener("click", view.attempt(async () => {
      const { model } = state;
      const directions = view.directions.slice(0, 64);
      ref.measure.disabled = true;
      try {
        const body = { model, points: 1024, directions: directions.map(({ id }) => id) };
        const answer = await ask("api/latents/table", body, wait);
        if (answer === null) return;
        shown = { ...answer, directions };
        draw();
      } finally {
        if (model === state.model) {
          wait(null);
          ref.measure.disabled = false;
        }
      }
    }));

    const valueOf = (row) => {
      const { column } = sorted;
      if (column === "name") return row.label;
      if (column === "ceiling") return row.ceiling;
      return column === "best" ? Math.max(...row.cells) : row.cells[column];
    };

    function draw() {
      const pale = (row) => row.ceiling < UNREADABLE;
      const rows = [...shown.rows].sort((one, other) => {
        if (sorted.column !== "name" && pale(one) !== pale(other)) return pale(one) ? 1 : -1;
        const [a, b] = [valueOf(one), valueOf(other)];
        const order = typeof a === "string" ? a.localeCompare(b) : a - b;
        return sorted.down ? -order : order;
      });
      const head = make("tr", {}, header("name", "Factor"), header("ceiling", "Reader"), header("best", "Best"),
        ...shown.directions.map((direction, i) => header(i, direction.label)));
      const body = rows.map((row) => make("tr", { className: pale(row) ? "pl-pale" : "" }, make("th", { scope: "row", textContent: row.label }), bar(row.ceiling, "pl-ceiling"),
        bar(Math.max(...row.cells)), ...row.cells.map((value, i) => cell(value, shown.directions[i], row))));
      ref.tableBox.replaceChildren(make("table", { className: "pl-table" }, make("thead", {}, head), make("tbody", {}, ...body)));
      ref.tableBox.hidden = false;
      ref.tableNote.textContent = `${NOTE} From ${shown.points} clips; below ${(4 / shown.points).toFixed(3)} a share may be chance.`;
    }

    function header(column, text) {
      const button = make("button", { type: "button", textContent: text, title: text });
      const node = make("th", { scope: "col" }, button);
      if (sorted.column === column) node.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      button.addEventListener("click", () => {
        sorted = { column, down: sorted.column === column ? !sorted.down : column !== "name" };
        draw();
        ref.tableBox.querySelector("[aria-sort] button").focus();
      });
      return node;
    }

    function filled(value, name = "") {
      const node = make("span", { className: `pl-cellbar ${name}` });
      node.style.setProperty("--share", Math.max(0, Math.min(1, value)));
      node.append(make("b", { textContent: value < 0 ? "< 0" : value.toFixed(2) }));
      return node;
    }
    const bar = (value, name) => make("td", {}, filled(value, name));

    function cell(value, direction, row) {
      const button = make("button", { type: "button", title: `Open ${direction.label} in Explore` }, filled(value));
      button.setAttribute("aria-label", `${row.label}, ${direction.label}: ${value.toFixed(2)}. Opens it in Explore.`);
      button.addEventListener("click", () => pvs.openTab("explore", { model: state.model, direction: direction.id }));
      return make("td", {}, button);
    }
  };
})();
