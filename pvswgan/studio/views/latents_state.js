// What the Latents page shows: the choices, in the address too (?tab=latents&model=...&l=...).
//
//   pvs.latents.state(view)    fills view.state {model, space, dims, axes, points, colour} from the address;
//                              view.change({...}), view.listen((keys) => ...), view.follow() writes the address
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
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
})();
