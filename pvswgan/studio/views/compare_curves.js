// Curves of the compared runs. Each loss has a panel of its own; what is measured on the clips shares one, but for runs on
// other clips or of another last size, and has no line that goes on from one size to the next.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};

  const ALONG = { clips: ["kimg", 1000], steps: ["steps", 1], seconds: ["minutes", 60] };
  const SHARED = [
    { key: "swd", title: "SWD to the real clips", about: "lower is better", from: "measures" },
    { key: "diversity", title: "Diversity", about: "1: as among real clips", from: "measures" },
    { key: "motion", title: "Motion", about: "1: as in real clips", from: "measures" },
    { key: "clips_per_s", title: "Clips a second", about: "", from: "rows" },
  ];
  const WHY = "Each loss has an axis of its own: it measures something else, in units of its own, so a lower line does not mean "
    + "better clips. SWD, diversity and motion are measured on the clips, on twelve of each snapshot: a coarse guide (Evaluate measures more, with "
    + "floor and ceiling); there no line goes on from one size to the next.";
  const APART = " What is measured on clips has a panel for each set of real clips and each last size: against other clips, or at another size, "
    + "it cannot be compared.";
  const EVERY_MS = 5000;

  pvs.compare.curves = (view) => {
    const { ref, state } = view;
    const data = new Map(); // the run's group -> {rows, measures, waiting, against}
    const panels = new Map(); // id -> {node, plot, heading}
    const without = new Set(); // assets that came as a file alone

    // Every run once, though two of its checkpoints may be compared. Shipped models come with their training's numbers.
    const runs = () => view.sides().filter(({ kind, gone, group }, place, all) =>
      (kind === "run" || (kind === "asset" && !without.has(group))) && !gone && all.findIndex((side) => side.group === group) === place);

    const load = pvs.latest(async () => {
      for (const { group, kind } of runs()) {
        try {
          data.set(group, await pvs.json(`api/compare/curves?id=${encodeURIComponent(group)}`));
        } catch (error) {
          if (!error.status) continue; // no answer at all says nothing of the run
          data.delete(group); // the sides say that it is gone
          if (kind === "asset") without.add(group);
        }
        await view.drawCurves();
      }
      if (runs().some(({ group }) => data.get(group)?.waiting) && view.shown) setTimeout(() => load(true), 100);
    });
    view.loadCurves = () => load(true);
    const grows = () => runs().some(({ kind }) => kind === "run"); // what came with the studio is as it is
    setInterval(() => view.shown && !document.hidden && grows() && load(true), EVERY_MS);

    function panel(id) {
      if (!panels.has(id)) {
        const node = document.createElement("div"), heading = document.createElement("h4"), plot = document.createElement("div");
        const about = Object.assign(document.createElement("span"), { className: "pc-apart" });
        node.className = "pc-curve";
        node.dataset.panel = id;
        plot.className = "pc-plot";
        node.append(heading, plot);
        panels.set(id, { node, plot, heading, about });
      }
      return panels.get(id);
    }

    // What is to be drawn: [{id, title, about, apart, lines: [{name, colour, x, y, raw, dash}]}].
    function wanted() {
      const known = runs().filter(({ group }) => data.has(group));
      const [, per] = ALONG[state.along];
      const line = (side, from, key, more = {}) => {
        const known = data.get(side.group)[from].filter((row) => typeof row[key] === "number" && typeof row[state.along] === "number");
        const rows = known.flatMap((row, i) => (i && row.size !== known[i - 1].size ? [{ ...row, [key]: null }, row] : [row])); // a gap
        return { name: side.name, colour: side.colour, x: rows.map((row) => row[state.along] / per), y: rows.map((row) => row[key]), ...more };
      };
      const losses = [...new Set(known.map(({ group }) => view.losses.get(group)))].filter(Boolean);
      const own = losses.map((loss) => ({
        id: `loss ${loss}`, title: `Losses of ${loss}`, about: "its own axis: not comparable with another loss",
        lines: known.filter(({ group }) => view.losses.get(group) === loss).flatMap((side) => [
          line(side, "rows", "loss_G", { smooth: true, part: "generator" }),
          line(side, "rows", "loss_D", { smooth: true, part: "critic", dash: "dash" })]),
      }));
      const shared = SHARED.flatMap(({ key, title, about, from }) => {
        const apart = from === "measures", against = apart ? known.map(({ group }) => data.get(group).against) : [];
        const same = apart ? [...new Set(against)].map((one) => known.filter((_, i) => against[i] === one)) : [known];
        return same.map((sides, place) => ({ id: place ? `${key} ${place + 1}` : key, title, lines: sides.map((side) => line(side, from, key)),
          about: same.length > 1 ? `${about}; of ${sides.map(({ name }) => name).join(", ")}` : about, apart: same.length > 1 }));
      });
      return [...own, ...shared].map((one) => ({ ...one, lines: one.lines.filter(({ x }) => x.length) })).filter(({ lines }) => lines.length);
    }

    const traces = ({ lines }) => lines.flatMap((line) => {
      const { name, colour: color, x, y, dash, smooth, part } = line, few = y.length < 40;
      const label = pvs.plotText(part ? `${name}, ${part}` : name);
      const base = { x, type: "scatter", name: label, hoverlabel: { namelength: 24 } };
      if (!smooth) return [{ ...base, y, uid: label, mode: few ? "lines+markers" : "lines", line: { color, width: 2 }, marker: { size: 5 },
        hovertemplate: "%{y:.4g}" }];
      return [{ ...base, y, uid: `${label} raw`, mode: "lines", opacity: 0.3, showlegend: false, hoverinfo: "skip", line: { color, width: 1, dash } },
        { ...base, y: pvs.smoothed(y, state.smoothing), uid: label, mode: "lines", line: { color, width: 2, dash }, customdata: y,
          hovertemplate: "%{y:.4g} (raw %{customdata:.4g})" }];
    });

    function layout(id) {
      const style = getComputedStyle(ref.curves), faint = pvs.isDark() ? "rgba(255,255,255,.10)" : "rgba(0,0,0,.08)";
      const axis = { gridcolor: faint, zerolinecolor: faint };
      return { uirevision: `${id} ${state.along}`, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false,
        font: { family: style.fontFamily, size: 11, color: style.color }, margin: { l: 46, r: 8, t: 6, b: 34 }, height: 230,
        hovermode: "x unified", hoverlabel: { bgcolor: pvs.isDark() ? "#1d2430" : "#ffffff" },
        xaxis: { ...axis, title: { text: ALONG[state.along][0], standoff: 4 }, rangemode: "tozero" }, yaxis: { ...axis, nticks: 6 } };
    }

    const draw = pvs.latest(async () => {
      const all = wanted();
      const left = runs().reduce((sum, { group }) => sum + (data.get(group)?.waiting || 0), 0);
      ref.noCurves.textContent = !runs().length ? "Curves are there for trainings only, and none of these is one."
        : !all.length ? "No numbers yet: they come a few seconds after a training has begun."
        : `${WHY}${all.some(({ apart }) => apart) ? APART : ""} In colour: each run; dashed: the critic.${left ? ` Still to be measured: ${left} snapshots.` : ""}`;
      try {
        const { react } = all.length && view.shown ? await pvs.plotly() : {};
        ref.curves.replaceChildren(...all.map((one) => {
          const { node, heading, about } = panel(one.id);
          heading.textContent = `${one.title} `;
          about.textContent = one.about && `(${one.about})`;
          heading.append(about);
          node.dataset.points = one.lines.reduce((sum, { x }) => sum + x.length, 0);
          return node;
        }));
        if (!react) return;
        for (const one of all) await react(panel(one.id).plot, traces(one), layout(one.id), { displayModeBar: false, responsive: true });
      } catch (error) {
        view.fail(error);
      }
    });
    const showChoices = () => {
      ref.along.value = state.along;
      ref.smoothing.value = state.smoothing;
      ref.smoothingText.textContent = state.smoothing.toFixed(2);
    };
    showChoices(); // what a link says, before there is anything to draw
    view.drawCurves = () => {
      showChoices(); // at once: the curves themselves may wait for plotly
      return draw(true);
    };

    ref.along.addEventListener("change", () => view.change({ along: ref.along.value }));
    ref.smoothing.addEventListener("input", () => view.change({ smoothing: ref.smoothing.valueAsNumber }));
  };
})();
