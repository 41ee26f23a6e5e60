// What the lessons share: a lesson registers itself, has a state of checked fields, and is told when to draw.
//
//   pvs.learn.lesson(name, fields, begin)
//     fields   {key: field}, the whole state that a link restores; a field is one of
//                {value: 30, min: 0, max: 180, step: 1}   a number; step: what it is rounded to (1, where there is none)
//                {value: "ring", of: ["ring", "moons"]}   a choice
//                {value: false}                           yes or no
//                {value: null, points: 500}               null, or at most so many points [x, y] in [-1, 1]
//                {value: "", longest: 80}                 a text
//     begin    ({element, ref, fail, fine, attempt, state, change}) -> {draw(changed), shown(on)}, called
//              once, when the lesson is first opened. state is always whole and in its limits. change({key: value})
//              checks, draws, and has the address follow. draw(changed) is called after every change with the set
//              of the keys that changed, at first with all of them. shown(on): it comes on the screen, or goes.
//   pvs.learn.typed(input, key, field, state, change)   a whole number that is typed, where the field allows it
//   pvs.learn.clock(ref, timeline, state, change, moved)   ref.play, and ref.time where there is one, move the timeline; the field
//                                              `frame: pvs.learn.FRAME` is where it is paused (-1: it plays); moved() at every
//                                              change of the timeline. -> {draw(changed), shown(on)}: it plays while on the screen
//   pvs.learn.open   {name, state, ...} of the lesson that is open, for tests
//   pvs.learn.read(fields, given)     {state, wrong: keys that could not be read}; what is left out is as it begins
//   pvs.learn.differing(fields, state) what is not as it begins
(() => {
  "use strict";
  const pvs = window.pvs;
  if (pvs.learn) return;
  const learn = (pvs.learn = { lessons: new Map(), open: null });

  const inside = (number, low, high) => typeof number === "number" && number >= low && number <= high;
  const hundredth = (number) => Math.round(number * 100) / 100;

  // The value as the field allows it, or undefined.
  function allowed(field, value) {
    if (field.of) return field.of.includes(value) ? value : undefined;
    if (field.points) {
      if (value === null) return null;
      const good = Array.isArray(value) && value.length <= field.points
        && value.every((point) => Array.isArray(point) && point.length === 2 && point.every((x) => inside(x, -1, 1)));
      return good ? value.map((point) => point.map(hundredth)) : undefined;
    }
    if (field.longest) return typeof value === "string" && value.length <= field.longest ? value : undefined;
    if (typeof field.value === "boolean") return typeof value === "boolean" ? value : undefined;
    if (!inside(value, field.min, field.max)) return undefined;
    const step = field.step ?? 1;
    return Number((Math.round(value / step) * step).toFixed(6));
  }

  learn.read = (fields, given) => {
    const state = {}, wrong = [];
    const object = given !== null && typeof given === "object" && !Array.isArray(given) ? given : {};
    for (const [key, field] of Object.entries(fields)) {
      state[key] = field.value;
      if (!(key in object)) continue;
      const value = allowed(field, object[key]);
      if (value === undefined) wrong.push(key);
      else state[key] = value;
    }
    for (const key of Object.keys(object)) if (!(key in fields)) wrong.push(key);
    return { state, wrong };
  };

  learn.typed = (input, key, { min, max }, state, change) =>
    input.addEventListener("change", () => {
      const number = input.valueAsNumber;
      input.value = state[key]; // where it is nonsense, what it was
      if (Number.isInteger(number) && number >= min && number <= max) change({ [key]: number });
    });

  learn.FRAME = { value: -1, min: -1, max: 255 };
  learn.clock = ({ play, time }, timeline, state, change, moved = () => {}) => {
    let shown = false;
    const go = () => {
      if (state.frame >= 0) timeline.hold(state.frame);
      else if (shown && !pvs.reducedMotion()) timeline.play();
    };
    pvs.playButton(play, timeline);
    play.addEventListener("click", () => change({ frame: timeline.playing ? -1 : timeline.frame }));
    time?.addEventListener("input", () => change({ frame: time.valueAsNumber }));
    timeline.listen(moved);
    moved();
    return {
      draw: (changed) => changed.has("frame") && state.frame !== (timeline.playing ? -1 : timeline.frame) && go(),
      shown(on) {
        shown = on;
        if (on) go();
        else timeline.pause();
      },
    };
  };

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

  learn.differing = (fields, state) =>
    Object.fromEntries(Object.entries(state).filter(([key, value]) => !same(value, fields[key].value)));

  learn.lesson = (name, fields, begin) => {
    const one = { name, fields, state: learn.read(fields, {}).state, begun: null, follow: () => {} };
    learn.lessons.set(name, one);

    pvs.view(`learn_${name}`, (context) => {
      const parts = pvs.page(context.element);
      let shown = false;

      // Draws the first time that the lesson is on the screen; what is asked before only changes the state.
      one.show = parts.attempt(async (on) => {
        if (on && !one.begun) {
          one.begun = begin({ ...parts, state: one.state, change: one.change });
          one.begun.draw(new Set(Object.keys(fields)));
        }
        if (one.begun && on !== shown) one.begun.shown?.(on);
        shown = on;
      });
      one.set = (next) => {
        const changed = new Set(Object.keys(next).filter((key) => !same(next[key], one.state[key])));
        Object.assign(one.state, next);
        if (changed.size) parts.attempt(async () => one.begun?.draw(changed))();
        return changed.size > 0;
      };
      one.change = (changes) => {
        const { state, wrong } = learn.read(fields, { ...one.state, ...changes });
        if (wrong.length) throw new Error(`${wrong[0]} cannot be ${JSON.stringify(changes[wrong[0]])}`);
        if (one.set(state)) one.follow();
      };
      one.reset = () => {
        parts.fine();
        one.change(learn.read(fields, {}).state);
      };
      learn.mounted?.();
    });
  };
})();
