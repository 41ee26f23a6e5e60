// What a training would do and take: the growth ruler, a table of its stages, and time and memory, which the server
// measures when the form rests.
//
//   const plan = new pvs.FormPlan(parts, {wish: () => body of the request, or null: nothing to measure});
//   plan.show(plan, command);     plan: null: the one before stays, greyed
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.FormPlan) return;
  const REST_MS = 800, POLL_MS = 700, HIDDEN_MS = 2000, AFTER_ERROR_MS = 3000;
  const PAGE = Math.random().toString(36).slice(2);

  const kimg = (clips) => String(clips / 1000);
  const many = (count) => (count < 1e6 ? `${Math.round(count / 1000)} k` : `${(count / 1e6).toFixed(2)} M`);
  const bytes = (count) => (count < 1e9 ? `${Math.round(count / 1e6)} MB` : `${(count / 1e9).toFixed(1)} GB`);
  const COLUMNS = [ // heading, and a stage's value
    ["Stage", (stage, number) => number],
    ["Frames × pixels", (stage) => pvs.sizeName(stage)],
    ["Grows", (stage) => stage.grows || "–"],
    ["From (kimg)", (stage) => kimg(stage.start)],
    ["Fade", (stage) => kimg(stage.fade)],
    ["Stable", (stage) => kimg(stage.stable)],
    ["Batch", (stage) => stage.batch],
    ["Channels", (stage) => stage.channels],
    ["Weights G", (stage) => many(stage.parameters.generator)],
    ["Weights D", (stage) => many(stage.parameters.critic)],
    ["Clips/s", () => "–", "rate"],
    ["Time", () => "–", "time"],
    ["Memory", () => "–", "memory"],
  ];

  pvs.FormPlan = class FormPlan {
    #drawn = "";
    #timer = 0;
    #asking = false;

    constructor(parts, { wish }) {
      this.parts = parts;
      this.wish = wish;
      this.ruler = new pvs.GrowthRuler(parts["plan-ruler"]);
      this.sums = parts["plan-cost"];
      parts.measure.addEventListener("click", () => this.#ask(true));
    }

    show(plan, command) {
      this.parts.form.querySelector(".pt-plan").classList.toggle("stale", !plan);
      clearTimeout(this.#timer);
      if (!plan) return this.#say("");
      this.parts.command.textContent = command;
      if (this.#drawn !== JSON.stringify(plan)) {
        this.#drawn = JSON.stringify(plan);
        this.ruler.plan(plan);
        this.#table(plan);
      }
      this.#timer = setTimeout(() => this.#ask(), REST_MS);
    }

    #table(plan) {
      const head = pvs.node("tr");
      for (const [text] of COLUMNS) {
        const cell = pvs.node("th", "", text);
        cell.scope = "col";
        head.append(cell);
      }
      const rows = plan.stages.map((stage, number) => {
        const row = pvs.node("tr");
        row.append(...COLUMNS.map(([heading, show, part]) => {
          const cell = pvs.node("td", "", String(show(stage, number)));
          cell.dataset.heading = heading; // a narrow screen shows it in each cell
          if (part) cell.dataset.cost = part;
          return cell;
        }));
        return row;
      });
      const foot = pvs.node("caption", "", `${plan.stages.length} stages, ${kimg(plan.total)} kimg in all ` +
        `(${plan.total.toLocaleString("en")} clips shown). Weights: of generator and critic as far as they have grown.`);
      this.parts["plan-table"].replaceChildren(foot, head, ...rows);
    }

    // ---- time and memory -----------------------------------------------------------------------------------------
    async #ask(force = false) {
      clearTimeout(this.#timer);
      if (this.#asking) return;
      if (!this.parts.form.offsetParent || document.hidden) { // nobody looks: nothing is measured
        this.#timer = setTimeout(() => this.#ask(force), HIDDEN_MS);
        return;
      }
      const wish = this.wish();
      if (!wish) return;
      this.#asking = true;
      let again = 0;
      try {
        const answer = await pvs.json("api/train/cost", { ...wish, page: PAGE, force });
        if (JSON.stringify(this.wish()) !== JSON.stringify(wish)) again = REST_MS; // changed meanwhile
        else {
          this.#cost(answer);
          if (["measuring", "waiting"].includes(answer.state)) again = POLL_MS;
        }
      } catch (error) {
        this.#say(error.message);
        if (!error.status) again = AFTER_ERROR_MS; // no answer at all
      }
      this.#asking = false;
      if (again) this.#timer = setTimeout(() => this.#ask(), again);
    }

    #cost(answer) {
      const { state, sentence, stages } = answer, done = state === "done";
      this.sums.setAttribute("aria-busy", String(state === "measuring"));
      this.#say(done ? summary(answer) : sentence, ["busy", "failed"].includes(state));
      if (!stages) return;
      const rows = this.parts["plan-table"].querySelectorAll("tr:has(td)");
      stages.forEach((stage, number) => {
        const about = stage.timed ? "" : "~";
        const cell = (part) => rows[number]?.querySelector(`[data-cost="${part}"]`) ?? pvs.node("td");
        cell("rate").textContent = stage.clips_per_s ? about + +stage.clips_per_s.toPrecision(3) : "–";
        cell("time").textContent = stage.seconds ? about + pvs.duration(stage.seconds) : "–";
        const memory = cell("memory"), over = stage.memory > answer.free;
        memory.textContent = stage.memory ? bytes(stage.memory) : done ? "–" : "…";
        memory.classList.toggle("pf-over", Boolean(stage.memory) && over);
      });
    }

    #say(text, button = false) {
      if (this.sums.textContent !== text) this.sums.textContent = text;
      this.parts.measure.hidden = !button;
    }
  };

  // "About 41 min on cpu with bfloat16, until 18:20 if it starts now. At most 240 MB; 3.1 GB are free."
  function summary({ total_s: seconds, device, precision, stages, free, given_up: given }) {
    const end = new Date(Date.now() + 1000 * seconds), soon = seconds < 86400;
    const when = end.toLocaleString(undefined, soon ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium" });
    const most = Math.max(...stages.map((stage) => stage.memory ?? 0)), parts = [];
    parts.push(`About ${pvs.duration(seconds)} on ${device} with ${precision}: until ${when} if it starts now.`);
    if (stages.some((stage) => stage.clips_per_s && !stage.timed)) {
      parts.push("~ is reckoned from the stage before: too slow to time here.");
    }
    parts.push(`At most ${bytes(most)} of memory; ${bytes(free)} are free.`);
    const less = Math.max(...stages.map((stage) => stage.checkpointing ?? 0));
    if (most > free && less) parts.push(`With activation checkpointing, which it turns to then, ${bytes(less)}.`);
    if (given.length) parts.push(`While measuring, ${given.join("; ")}.`);
    return parts.join(" ");
  }
})();
