// The blind quiz: two clips of one seed, which is of which model? The answers are told at the end only.
//
//   const quiz = new pvs.compare.Quiz(element, timeline, { onError, onSeed });    onSeed(seed): of the next ten, for the link
//   quiz.of([{ id, name }, { id, name }], seed);   nothing is drawn until "Begin"
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};
  const ROUNDS = 10;

  const make = (name, text = "", attributes = {}) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };

  // How likely so many right answers, or more, are by guessing.
  const byChance = pvs.compare.byChance = (right, rounds) => {
    let ways = 1, sum = 0;
    for (let k = 0; k <= rounds; k++) {
      if (k >= right) sum += ways;
      ways = (ways * (rounds - k)) / (k + 1);
    }
    return sum / 2 ** rounds;
  };

  pvs.compare.Quiz = class Quiz {
    constructor(element, timeline, { onError, onSeed }) {
      Object.assign(this, { element, timeline, onError, onSeed });
      element.className = "pc-quiz";
    }

    of(sides, seed) {
      const groups = sides.map(({ id }) => pvs.family(id)).join();
      if (this.begun && groups === this.groups) return; // goes on, or its answers are being read; a newer checkpoint can wait
      this.#end();
      Object.assign(this, { sides, seed, groups, begun: false, game: null });
      delete this.element.dataset.round;
      if (sides.length < 2) return this.element.replaceChildren(make("p", "Two models with a checkpoint are needed.", { class: "pvs-note" }));
      const begin = make("button", "Begin", { type: "button", class: "pvs-button pvs-primary" });
      begin.addEventListener("click", () => this.#begin());
      const text = `${ROUNDS} rounds. Each shows a clip of ${sides[0].name} and one of ${sides[1].name}, of the same seed, in an `
        + "order drawn by lot. Answers are revealed at the end.";
      this.element.replaceChildren(make("p", text, { class: "pvs-note" }), begin);
    }

    #end() {
      this.players?.forEach((player) => player.dispose());
      this.players = null;
    }

    async #begin() {
      const game = (this.game = {}); // clips that come for another one, left meanwhile, are not asked about
      this.begun = true;
      const seeds = Array.from({ length: ROUNDS }, (_, round) => this.seed + round), next = pvs.random(this.seed);
      this.rounds = seeds.map((seed) => ({ seed, first: next() < 0.5 ? 0 : 1, answer: null }));
      try {
        const sheets = await Promise.all(this.sides.map(({ id }) => pvs.compare.rows(id, seeds, 1)));
        const drawn = await Promise.all(sheets.map(async (sheet) => ({ ...sheet, image: await createImageBitmap(sheet.blob) })));
        if (game === this.game) this.#ask(drawn);
      } catch (error) {
        if (game !== this.game) return;
        this.begun = false;
        this.onError(error);
      }
    }

    #ask(sheets) {
      this.#end();
      this.sheets = sheets;
      this.heading = make("p", "", { role: "status" });
      const clips = make("div", "", { class: "pc-quiz-clips" });
      this.players = ["Left clip", "Right clip"].map((label) => {
        const canvas = make("canvas", "", { role: "img", "aria-label": label });
        clips.append(canvas);
        return new pvs.SheetPlayer(canvas, { timeline: this.timeline, columns: 1 });
      });
      const answers = make("div", "", { class: "pc-quiz-answers", role: "group", "aria-label": "Your answer" });
      this.buttons = ["Left", "Right"].map((side, place) => {
        const button = make("button", `${side} (${place ? "→" : "←"})`, { type: "button", class: "pvs-button" });
        button.addEventListener("click", () => this.#answer(place));
        answers.append(button);
        return button;
      });
      // On the element, not on the page: the arrows belong to whatever has the focus elsewhere.
      this.element.onkeydown = (event) => {
        const place = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
        if (place === undefined || !this.players) return;
        event.preventDefault();
        this.#answer(place);
      };
      const unlike = sheets[0].resolution !== sheets[1].resolution || sheets[0].frames !== sheets[1].frames;
      const warning = unlike ? [make("p", "Their clips differ in size, which may give them away.", { class: "pvs-note" })] : [];
      this.element.replaceChildren(this.heading, clips, answers, ...warning);
      this.#round(0);
    }

    async #round(round) {
      this.round = round;
      this.heading.textContent = `Round ${round + 1} of ${ROUNDS}: which one is of ${this.sides[0].name}?`;
      const { first } = this.rounds[round];
      await Promise.all(this.players.map(async (player, place) => {
        const sheet = this.sheets[place === 0 ? first : 1 - first];
        await player.show(await createImageBitmap(sheet.image), { rows: ROUNDS, frames: sheet.frames, row: round });
      }));
      this.element.dataset.round = round;
      this.buttons[0].focus({ preventScroll: true });
    }

    #answer(place) {
      const now = this.rounds[this.round];
      if (!now || now.answer !== null || Number(this.element.dataset.round) !== this.round) return;
      now.answer = place;
      if (this.round + 1 < ROUNDS) this.#round(this.round + 1);
      else this.#reveal();
    }

    #reveal() {
      this.#end();
      delete this.element.dataset.round;
      const right = this.rounds.filter(({ first, answer }) => answer === first).length;
      const chance = byChance(right, ROUNDS), percent = 100 * chance;
      const score = make("p", `${right} of ${ROUNDS} right. `, { role: "status", "data-score": right });
      score.append(`Whoever guesses gets as many or more in ${percent < 1 ? percent.toFixed(1) : percent.toFixed(0)} % of the cases`
        + (chance > 0.05 ? ": that may be luck." : ": you do tell them apart."));
      const table = make("table", "", { class: "pc-table" }), head = make("tr");
      head.append(...["Round", "Seed", `${this.sides[0].name} was`, "You said"].map((text) => make("th", text)));
      table.append(head, ...this.rounds.map(({ seed, first, answer }, round) => {
        const row = make("tr"), side = (place) => (place ? "right" : "left");
        row.append(...[round + 1, seed, side(first), `${side(answer)} ${answer === first ? "✓" : "✗"}`].map((text) => make("td", String(text))));
        return row;
      }));
      const again = make("button", "Another ten", { type: "button", class: "pvs-button pvs-primary" });
      again.addEventListener("click", () => {
        this.seed += ROUNDS;
        this.onSeed(this.seed);
        this.#begin();
      });
      this.element.replaceChildren(score, table, again);
      again.focus({ preventScroll: true });
    }
  };
})();
