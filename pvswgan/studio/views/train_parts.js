// Small things that the scripts of the Train page share, in window.pvs.train.
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.train) return;

  function write(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function hint(node, text) {
    if (node.title !== text) node.title = text;
  }

  function attribute(node, name, value) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }

  function badge(node, state) {
    write(node, state);
    if (node.dataset.state !== state) node.dataset.state = state;
  }

  const number = (value) => (typeof value === "number" ? String(+value.toPrecision(4)) : "–");

  function ago(time) {
    if (typeof time !== "number") return "";
    const seconds = Date.now() / 1000 - time;
    if (seconds < 90) return "just now";
    if (seconds < 86400) return `${pvs.duration(seconds)} ago`;
    return new Date(time * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
  }

  const url = (run, what) => `api/runs/${encodeURIComponent(run)}/${what}`;

  pvs.train = { write, hint, attribute, badge, number, ago, url };
})();
