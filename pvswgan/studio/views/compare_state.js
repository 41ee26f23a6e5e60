// What the Compare page shows, and its address: ?tab=compare&c=ID&c=ID&s=seed,rows,truncation,mode,left,right,gain,along,quiz,
// smoothing,wipe,frame,fps,together; no frame: it plays; together: 1 where one slider moves all
//
//   pvs.compare.state(view)    fills view.state from the address; view.change({...}), view.listen((keys) => ...),
//                              view.follow() writes the address; view.settle({...}): a change that nobody asked for, not to be undone
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.compare = pvs.compare || {};

  const MODES = ["side", "wipe", "difference"];
  const ALONG = ["clips", "steps", "seconds"];
  const GAINS = [1, 2, 4, 8];
  const ROWS = [1, 2, 4, 6];
  const LAST_SEED = 2 ** 31 - 1;
  pvs.compare.MOST = 4;
  pvs.compare.COLOURS = { light: ["#0072b2", "#c04f00", "#007a58", "#a8447c"], dark: ["#6cc4ff", "#ff9a4d", "#4fd1a5", "#f0a0cf"] };

  const encode = (s, frame) => [s.seed, s.rows, s.truncation, s.mode, s.left, s.right, s.gain, s.along, s.quiz, s.smoothing, s.wipe,
    frame, s.fps, s.together ? 1 : 0].join(",");
  const pick = (list, value, otherwise) => (list.includes(value) ? value : otherwise);
  const whole = (text, most, otherwise) => (/^\d+$/.test(text) && Number(text) <= most ? Number(text) : otherwise);
  const share = (text, most, otherwise) => (text && Number(text) >= 0 && Number(text) <= most ? Number(text) : otherwise);

  // What cannot be read is as at the beginning.
  function decode(text) {
    const [seed, rows, truncation, mode, left, right, gain, along, quiz, smoothing, wipe, frame, fps, together] = (text || "").split(",");
    const [first, second] = [whole(left, pvs.compare.MOST - 1, 0), whole(right, pvs.compare.MOST - 1, 1)];
    return {
      seed: whole(seed, LAST_SEED, 0), rows: pick(ROWS, Number(rows), 4),
      truncation: share(truncation, 1, 1), mode: pick(MODES, mode, "side"),
      left: first, right: first === second ? (first + 1) % 2 : second, gain: pick(GAINS, Number(gain), 1),
      along: pick(ALONG, along, "clips"), quiz: whole(quiz, LAST_SEED, 1000),
      smoothing: share(smoothing, 0.99, 0.9), wipe: share(wipe, 1, 0.5), frame: whole(frame, 255, null),
      fps: Math.max(1, whole(fps, 30, 16)), together: together === "1",
    };
  }

  pvs.compare.state = (view) => {
    const { timeline } = view;
    const query = new URLSearchParams(location.search), listeners = new Set();
    const here = query.get("tab") === "compare";
    view.state = { ids: here ? query.getAll("c").slice(0, pvs.compare.MOST) : [], ...decode(here ? query.get("s") : "") };
    view.linked = view.state.ids.length > 0;
    view.listen = (listener) => listeners.add(listener);
    view.change = view.settle = (change) => {
      const keys = new Set(Object.keys(change).filter((key) => JSON.stringify(view.state[key]) !== JSON.stringify(change[key])));
      if (!keys.size) return;
      Object.assign(view.state, change);
      for (const listener of listeners) listener(keys);
      view.follow();
    };
    view.address = () => {
      return pvs.address({ tab: "compare", c: view.state.ids, s: encode(view.state, timeline.playing ? "" : timeline.frame) }, "");
    };
    view.follow = pvs.addressFollows(() => view.shown && view.address());
  };

  pvs.compare.seeds = ({ seed, rows }) => Array.from({ length: rows }, (_, i) => Math.min(seed + i, LAST_SEED));
})();
