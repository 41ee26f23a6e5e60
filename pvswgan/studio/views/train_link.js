// What is looked at of a run, in the address: ?tab=train&run=NAME&v=CLIPS,LATENT,SMOOTHING,FROM~TO,PANEL~PANEL
//
//   pvs.trainLink.encode({at, clip, smoothing, zoom, panels})   "" where all is as it begins
//   pvs.trainLink.decode(text)                                  the same; what cannot be read is as it begins
//
// at: clips of the snapshot, null for the newest; clip: which latent is shown at every stage; zoom: [from, to] in kimg,
// null for all; panels: ids of the curves, null for the usual ones.
(() => {
  "use strict";
  const pvs = window.pvs;
  const SMOOTHING = 0.9;
  const short = (number) => String(Number(number.toFixed(3)));
  const known = (ids) => (ids.every((id) => pvs.TrainCurves.IDS.includes(id)) ? ids : null);

  pvs.trainLink = {
    encode: ({ at, clip, smoothing, zoom, panels }) => [at ?? "", clip || "", smoothing === SMOOTHING ? "" : smoothing,
      zoom ? zoom.map(short).join("~") : "", panels ? panels.join("~") || "none" : ""].join(",").replace(/,+$/, ""),

    decode(text) {
      const [at, clip, smoothing, zoom, panels] = text.split(",");
      const number = (word, most) => (/^\d+(\.\d+)?$/.test(word ?? "") && Number(word) <= most ? Number(word) : null);
      const ends = (zoom || "").split("~").map((word) => (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(word) ? Number(word) : NaN));
      return { at: number(at, 1e12), clip: Math.floor(number(clip, 1000) ?? 0), smoothing: number(smoothing, 0.99) ?? SMOOTHING,
        zoom: ends.length === 2 && ends[0] < ends[1] ? ends : null,
        panels: panels === "none" ? [] : panels ? known(panels.split("~")) : null };
    },
  };
})();
