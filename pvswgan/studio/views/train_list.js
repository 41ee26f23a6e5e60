// The list of runs beside the Train page, newest first.
//
//   const list = new pvs.RunList(parts, {onChoose: (id) => ...});
//   list.draw({runs, folder});     as api/runs lists them
//   list.mark(id);                 the one that is looked at, or null
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.RunList) return;
  const { write, attribute, badge, ago } = pvs.train;
  // The gravest alert of a run, short (alerts.py has the sentences).
  const ALERTS = { nan: "not a number", collapse: "collapse", frozen: "hardly moves", flicker: "flickers",
    critic: "critic too strong", runaway: "critic runs away", disk: "disk nearly full" };

  pvs.RunList = class RunList {
    #lines = new Map(); // run id -> its line
    #marked = null;

    constructor(parts, { onChoose }) {
      this.parts = parts;
      this.onChoose = onChoose;
    }

    draw({ runs, folder }) {
      const { parts } = this;
      parts["no-runs"].hidden = runs.length > 0;
      write(parts["no-runs"], `No run yet in ${folder}. Start one here, or in a shell with “python -m train”: it is found.`);
      for (const [id, line] of this.#lines) {
        if (runs.some((run) => run.id === id)) continue;
        line.item.remove();
        this.#lines.delete(id);
      }
      runs.forEach((run, place) => {
        if (!this.#lines.has(run.id)) this.#lines.set(run.id, this.#line(run.id));
        const line = this.#lines.get(run.id), { children } = parts.runs;
        if (children[place] !== line.item) parts.runs.insertBefore(line.item, children[place] || null);
        badge(line.badge, run.state);
        write(line.what, [run.data, run.loss].filter(Boolean).join(", "));
        write(line.progress, progress(run));
        line.alert.hidden = !run.alert;
        write(line.alert, run.alert ? `⚠ ${ALERTS[run.alert.kind] || run.alert.kind}` : "");
        attribute(line.alert, "title", run.alert?.sentence ?? "");
        line.bar.style.setProperty("--done", `${run.total_kimg ? (100 * run.kimg) / run.total_kimg : 0}%`);
      });
      this.mark(this.#marked);
    }

    mark(id) {
      this.#marked = id;
      for (const [own, { button }] of this.#lines) {
        if (own === id) button.setAttribute("aria-current", "true");
        else button.removeAttribute("aria-current");
      }
    }

    #line(id) {
      const item = pvs.node("li"), button = pvs.node("button", "pt-run");
      const line = { item, button, name: pvs.node("b", "", id), badge: pvs.node("span", "pt-badge"),
        what: pvs.node("small"), progress: pvs.node("small"), alert: pvs.node("small", "pt-warned"), bar: pvs.node("i", "pt-progress") };
      button.type = "button";
      button.dataset.run = id;
      button.append(line.name, line.badge, line.what, line.progress, line.alert, line.bar);
      button.addEventListener("click", () => {
        this.onChoose(id);
        // On a narrow screen the run is below the list, maybe out of sight.
        const { watch, runs } = this.parts;
        if (watch.offsetTop > runs.offsetTop + 100) watch.scrollIntoView({ block: "start" });
      });
      item.append(button);
      return line;
    }
  };

  function progress(run) {
    const done = typeof run.kimg === "number" ? `${run.kimg.toFixed(1)} kimg` : "";
    const left = run.state === "running" ? `${pvs.duration(run.eta_s)} left` : ago(run.updated);
    return [done, left].filter(Boolean).join(" · ");
  }
})();
