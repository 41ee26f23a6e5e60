// What is said of a store: its facts, what the face builder left out, what was skipped and why.
//
//   pvs.data.describe(parts, about);
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.data.describe) return;
  const { node, write, count, many, bytes, facts, query } = pvs.data;

  // Stores of the cache end in 16 digits that say what they were made from; people need them only to tell twins apart.
  // Those that lie elsewhere have their whole path as id.
  pvs.data.shortName = (id) => id.split("/").at(-1).replace(/-([0-9a-f]{16})$/, "");

  pvs.data.describe = (parts, about) => {
    const { least, most } = about.frames, total = about.sizes.reduce((sum, size) => sum + size.bytes, 0);
    write(parts.title, pvs.data.shortName(about.id));
    parts.title.title = about.id;
    facts(parts.facts, {
      Clips: count(about.clips), Pixels: `${about.resolution} × ${about.resolution}`,
      Frames: least === most ? String(least) : `${least} to ${most}`, Rate: `${+about.fps.toFixed(2)} frames/s`,
      Classes: about.classes.length > 1 ? count(about.classes.length) : "", Splits: splits(about.splits),
      "On the disk": bytes(total) + (about.compact.length ? ", compact" : ""),
    });
    write(parts.folder, about.folder);
    faces(parts, about);
    skipped(parts, about.skipped);
  };

  function splits(all) {
    if (all.length === 1 && !all[0].name) return "";
    return all.map((one) => `${one.name || "none"} ${count(one.clips)}`).join(", ");
  }

  function faces(parts, { id, faces: found }) {
    parts.faces.hidden = !found;
    if (!found) return;
    const dropped = found.dropped.reduce((sum, one) => sum + one.count, 0);
    write(parts["faces-note"], `${many(found.trailers, "film")}, ${many(dropped, "piece")} of them left out`);
    parts["sheet-link"].hidden = !found.sheet;
    if (found.sheet) parts["sheet-link"].href = parts.sheet.src = query("api/data/sheet", { id });
    parts.dropped.replaceChildren(...found.dropped.map(({ kind, count: held }) => {
      const line = node("div");
      line.append(node("span", "", kind), node("b", "", count(held)));
      return line;
    }));
    const head = node("tr");
    head.append(...["Film", "Clips", "Left out"].map((text) => Object.assign(node("th", "", text), { scope: "col" })));
    parts.trailers.replaceChildren(head, ...found.by_trailer.map((line) => {
      const row = node("tr");
      row.append(node("td", "", line.file), node("td", "", count(line.clips)),
        node("td", "", line.problem || count(line.dropped)));
      return row;
    }));
  }

  function skipped(parts, { files, parts: pieces, groups }) {
    const said = [files ? many(files, "file") : "", pieces ? many(pieces, "part of a file", "parts of files") : ""];
    write(parts["skipped-count"], said.filter(Boolean).join(", "));
    parts["none-skipped"].hidden = groups.length > 0;
    parts.skipped.replaceChildren(...groups.map(group));
    if (groups.length === 1) parts.skipped.firstChild.open = true;
  }

  function group({ count: held, reason, entries }) {
    const box = node("details"), summary = node("summary"), list = node("ul");
    summary.append(node("b", "", count(held)), node("span", "", reason));
    list.append(...entries.map((entry) => {
      const item = node("li"), range = "start" in entry ? ` frames ${entry.start} to ${entry.stop - 1}` : "";
      item.append(node("code", "", entry.file), node("span", "", `${range} ${entry.reason}`));
      return item;
    }));
    if (held > entries.length) list.append(node("li", "", `and ${count(held - entries.length)} more`));
    box.append(summary, list);
    return box;
  }
})();
