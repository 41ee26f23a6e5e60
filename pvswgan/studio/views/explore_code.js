// The state of Explore as a short text for an address, and back.
//
// The parts of a latent that are of other seeds: *Pcontent.5; directions of a part alone: *qcontent-3.-2s.
//
//   pvs.explorer.encode({point, keyframes, view})    -> "7*tm8*p0.yq_f5_k8*p1.-2s"
//   pvs.explorer.decode(text)                        -> {point, keyframes, view, damaged}; reads what it can
//
// Parts are joined by "_". The first is the point; then each has a letter: f the frame, v the open sections, m smooth,
// r frames a second, l repeat, x the slice, c the sheet's direction, g the walk's pace, k a keyframe. A point is
// SEED*t(truncation)*L(latent)*W(checkpoint that the directions are of)*direction.steps; numbers are in thousandths, in base 36; p is pca, s sefa, o one's own.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const KINDS = { pca: "p", sefa: "s", own: "o" };
  const LETTERS = Object.fromEntries(Object.entries(KINDS).map(([kind, letter]) => [letter, kind]));
  const LARGEST_SEED = 2 ** 31 - 1;

  const escape = (id) => encodeURIComponent(id).replace(/[._*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  const number = (value) => Math.round(value * 1000).toString(36);
  const direction = (id) => {
    const [kind, rest] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
    return kind.startsWith("pca-") ? `q${kind.slice(4)}-${rest}` : KINDS[kind] + escape(rest);
  };

  function readNumber(text, least, most) {
    if (!/^-?[0-9a-z]+$/.test(text)) throw new Error(text);
    const value = parseInt(text, 36) / 1000;
    if (!(value >= least && value <= most)) throw new Error(text);
    return value;
  }

  function readDirection(text) {
    const part = /^q([a-z]{1,20})-(\d{1,4})$/.exec(text);
    if (part) return `pca-${part[1]}:${part[2]}`;
    const kind = LETTERS[text[0]];
    const rest = decodeURIComponent(text.slice(1));
    if (!kind || !rest || (kind !== "own" && !/^\d+$/.test(rest))) throw new Error(text);
    return `${kind}:${rest}`;
  }

  function encodePoint({ seed, parts, latent, truncation, moves, of }) {
    const fields = [String(seed)];
    if (truncation !== 1) fields.push(`t${number(truncation)}`);
    if (latent !== null) fields.push(`L${escape(latent)}`);
    for (const [name, own] of Object.entries(parts)) fields.push(`P${name}.${own}`);
    if (of) fields.push(`W${of.split("@")[1]}`); // a checkpoint of the same run
    for (const [id, value] of Object.entries(moves)) if (value) fields.push(`${direction(id)}.${number(value)}`);
    return fields.join("*");
  }

  // Each field by itself: one that cannot be read costs no other.
  function decodePoint(text, damage) {
    const point = { seed: 0, parts: {}, latent: null, truncation: 1, moves: {}, of: null };
    for (const [i, field] of text.split("*").entries()) {
      try {
        if (i === 0) {
          if (!/^\d+$/.test(field) || Number(field) > LARGEST_SEED) throw new Error(field);
          point.seed = Number(field);
        } else if (field[0] === "t") point.truncation = readNumber(field.slice(1), 0, 1);
        else if (field[0] === "L" && field.length > 1) point.latent = decodeURIComponent(field.slice(1));
        else if (field[0] === "P") {
          const [, name, seed] = /^P([a-z]{1,20})\.(\d+)$/.exec(field);
          if (Number(seed) > LARGEST_SEED) throw new Error(field);
          point.parts[name] = Number(seed);
        } else if (/^W\d+$/.test(field)) point.of = `@${field.slice(1)}`;
        else {
          const [id, value] = field.split(".");
          point.moves[readDirection(id)] = readNumber(value, -6, 6);
        }
      } catch {
        damage();
      }
    }
    return point;
  }

  pvs.explorer.encode = ({ point, keyframes, view }) => {
    const parts = [encodePoint(point)];
    const put = (letter, value) => value !== undefined && value !== null && value !== "" && parts.push(letter + value);
    put("f", view.frame);
    put("v", view.sections);
    put("m", view.smooth ? 1 : null);
    put("r", view.fps);
    put("l", view.loop);
    put("x", view.slice === null || view.slice === undefined ? null : number(view.slice));
    put("c", view.sheet ? direction(view.sheet) : null);
    put("g", view.pace ? number(view.pace) : null);
    for (const keyframe of keyframes) put("k", encodePoint(keyframe));
    return parts.join("_");
  };

  pvs.explorer.decode = (text) => {
    const found = { keyframes: [], view: {}, damaged: false };
    const damage = () => (found.damaged = true);
    const whole = (value, most) => {
      if (!/^\d+$/.test(value) || Number(value) > most) throw new Error(value);
      return Number(value);
    };
    const oneOf = (value, allowed) => {
      if (!allowed.includes(value)) throw new Error(value);
      return value;
    };
    const [first, ...rest] = text.split("_");
    found.point = decodePoint(first, damage);
    const readers = {
      f: (value) => (found.view.frame = whole(value, 1e6)),
      v: (value) => (found.view.sections = value),
      m: () => (found.view.smooth = true),
      r: (value) => (found.view.fps = Math.max(1, whole(value, 30))),
      l: (value) => (found.view.loop = oneOf(value, ["bounce", "once"])),
      x: (value) => (found.view.slice = readNumber(value, 0, 1)),
      c: (value) => (found.view.sheet = readDirection(value)),
      g: (value) => (found.view.pace = readNumber(value, 0.5, 8)),
      k: (value) => (found.keyframes.length < 16 ? found.keyframes.push(decodePoint(value, damage)) : damage()),
    };
    for (const part of rest) {
      try {
        readers[part[0]](part.slice(1));
      } catch {
        damage();
      }
    }
    return found;
  };
})();
