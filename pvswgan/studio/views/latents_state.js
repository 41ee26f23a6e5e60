// What the Latents page shows: the choices, in the address too (?tab=latents&model=...&l=...), and jobs on the server.
//
//   pvs.latents.state(view)    fills view.state {model, space, dims, axes, points, colour} from the address;
//                              view.change({...}), view.listen((keys) => ...), view.follow() writes the address
//   pvs.latents.job()          -> ask(url, body, onProgress): asks again until the job is done. Latest wins: an answer
//                              that a newer call has overtaken is null
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
  const EVERY_MS = 250;
  const AXES = 8;

  // l = space,dims,x,y,z,points,colour; what cannot be read is as at the beginning.
  const encode = ({ space, dims, axes, points, colour }) =>
    [space, dims, ...axes.map((axis) => axis + 1), points, colour].join(",");

  function decode(text) {
    const found = { space: "layer:0", dims: 2, axes: [0, 1, 2], points: 512, colour: "motion" };
    const [space, dims, x, y, z, points, ...colour] = (text || "").split(",");
    if (/^(z|critic|layer:\d)$/.test(space)) found.space = space;
    if (dims === "3") found.dims = 3;
    const axes = [x, y, z].map((axis) => Number(axis) - 1);
    if (axes.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < AXES)) found.axes = axes;
    if (["256", "512", "1024", "2048"].includes(points)) found.points = Number(points);
    if (/^[a-z]+(:[\w-]+)?$/.test(colour.join(","))) found.colour = colour.join(",");
    return found;
  }

  pvs.latents.state = (view) => {
    const listeners = new Set();
    const query = new URLSearchParams(location.search);
    view.state = { model: null, ...decode(query.get("l")) };
    view.wanted = query.get("tab") === "latents" ? query.get("model") : null;
    view.listen = (listener) => listeners.add(listener);
    view.change = (change) => {
      const keys = new Set(Object.keys(change).filter((key) => String(view.state[key]) !== String(change[key])));
      if (!keys.size) return;
      Object.assign(view.state, change);
      for (const listener of listeners) listener(keys);
      view.follow();
    };
    view.follow = () => {
      if (!view.state.model || !view.shown) return;
      const url = new URL(location.href);
      const values = { tab: "latents", model: view.state.model, l: encode(view.state) };
      for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
      url.search = url.search.replaceAll("%3A", ":").replaceAll("%40", "@").replaceAll("%2C", ",");
      history.replaceState(history.state, "", url);
    };
  };

  pvs.latents.job = () => {
    let newest = 0;
    const who = `page ${Math.random().toString(36).slice(2)}`; // what it wanted before is given up on the server
    const ask = async (url, body, onProgress) => {
      const mine = ++newest;
      for (;;) {
        let answer;
        try {
          answer = await pvs.json(url, { ...body, who });
        } catch (error) {
          if (mine !== newest) return null;
          throw error;
        }
        if (mine !== newest) return null;
        if (answer.state === "done") return answer;
        onProgress(answer);
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
        if (mine !== newest) return null;
      }
    };
    ask.drop = () => newest++;
    return ask;
  };

  // A bar that says what is being done and how far it is; null hides it.
  pvs.latents.waiting = (box, text, bar) => (told) => {
    box.hidden = told === null;
    if (told === null) return;
    text.textContent = told.of ? `${told.sentence}: ${told.done} of ${told.of}` : `${told.sentence} …`;
    if (told.of) bar.value = told.done / told.of;
    else bar.removeAttribute("value");
  };
})();
