// What the Latents page shows: the choices, in the address too (?tab=latents&model=...&l=...&g=...).
//
//   pvs.latents.state(view)    fills view.state {model, space, dims, axes, points, colour} from the address;
//                              view.change({...}), view.listen((keys) => ...), view.follow() writes the address;
//                              view.linked {point, a, b}: what the address says is chosen among the points
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.latents = pvs.latents || {};
  const AXES = 8;
  const POINTS = (pvs.latents.POINTS = ["model", "space", "points"]); // what says which points there are

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
    if (/^[a-z-]+(:[\w-]+)?$/.test(colour.join(","))) found.colour = colour.join(",");
    return found;
  }

  // g = point~A~B: the point that is kept, and each selection as the gaps between its numbers, in base 36.
  const encodeChosen = ({ point, a, b }) => {
    const gaps = (points) => [...points].sort((i, j) => i - j).map((i, k, all) => (k ? i - all[k - 1] : i).toString(36)).join(".");
    return [point || "", gaps(a), gaps(b)].join("~").replace(/~+$/, "");
  };

  function decodeChosen(text) {
    if (!/^\d{0,5}(~[0-9a-z.]*){0,2}$/.test(text)) return null;
    const [point, ...groups] = text.split("~");
    const [a, b] = [0, 1].map((k) => {
      let at = 0;
      return (groups[k] || "").split(".").filter(Boolean).map((gap) => (at += parseInt(gap, 36)));
    });
    return { point: point ? Number(point) : null, a, b };
  }

  pvs.latents.state = (view) => {
    const listeners = new Set();
    const query = new URLSearchParams(location.search);
    view.state = { model: null, ...decode(query.get("l")) };
    view.wanted = query.get("tab") === "latents" ? query.get("model") : null;
    view.linked = query.get("tab") === "latents" ? decodeChosen(query.get("g") || "") : null;
    view.listen = (listener) => listeners.add(listener);
    // Selections that wait for their points are what is selected.
    view.chosen = () => view.linked ?? { point: view.kept(), a: [...view.groups.a], b: [...view.groups.b] };
    // A person's change is a step of undo; what the page settles itself is none.
    view.change = (change) => view.doing(() => {
      if (POINTS.some((key) => key in change && change[key] !== view.state[key])) view.linked = null;
      view.settle(change);
    });
    view.settle = (change) => {
      const keys = new Set(Object.keys(change).filter((key) => String(view.state[key]) !== String(change[key])));
      if (!keys.size) return;
      Object.assign(view.state, change);
      for (const listener of listeners) listener(keys);
      view.follow();
    };
    view.follow = pvs.addressFollows(() => view.state.model && view.shown &&
      pvs.address({ tab: "latents", model: view.state.model, l: encode(view.state), g: encodeChosen(view.chosen()) }));
  };
})();
