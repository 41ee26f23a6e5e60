// Every part of Explore by a key, and the sheet that says which. Keys are free while nothing that types has the focus.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};

  const HELP = [
    ["Space", "play or pause"],
    ["← →", "a frame back or on; Home and End: first and last"],
    ["N, B", "next seed, the one before"],
    ["R", "a random seed"],
    ["W", "walk through the keyframes, or stop"],
    ["K", "add this point as a keyframe"],
    ["1 … 8", "go to a direction's slider; then ← → move it, Backspace resets it, F2 renames, * keeps"],
    ["T", "truncation"],
    ["C", "training time: the run's checkpoints"],
    ["M", "the list of models"],
    ["G", "the wall of seeds; arrows go from one to the next"],
    ["S", "the sheet; arrows point, Enter takes the step"],
    ["X", "the slice's line; up and down move it"],
    ["U", "fit a clip of your own"],
    ["E", "export"],
    ["Y", "copy the link"],
    ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
    ["Alt+← →", "on a keyframe: reorder; Delete removes it"],
    ["Esc", "stop the walk, leave what is only looked at"],
    ["?", "this sheet"],
  ];

  pvs.explorer.keyboard = (view) => {
    const { ref, store, state, timeline, element } = view;

    for (const [keys, text] of HELP) {
      const key = pvs.explorer.make("dt", ""), meaning = pvs.explorer.make("dd", "");
      key.textContent = keys;
      meaning.textContent = text;
      ref.helpKeys.append(key, meaning);
    }
    const help = () => ref.helpSheet.showModal();
    ref.help.addEventListener("click", help);
    ref.helpClose.addEventListener("click", () => ref.helpSheet.close());

    const into = (section, node) => {
      const go = () => requestAnimationFrame(() => {
        const found = typeof node === "function" ? node() : node;
        found?.scrollIntoView({ block: "nearest" });
        found?.focus();
      });
      const folded = section && !view.sections[section].open;
      // What a section shows when it opens is there after it has told so.
      if (folded) view.sections[section].addEventListener("toggle", go, { once: true });
      if (section) view.unfold(section);
      if (!folded) go();
    };
    const slider = (n) =>
      [...ref.directions.querySelectorAll('.pe-direction:not([hidden]) input[type="range"]')][n];

    const acts = {
      " ": () => timeline.toggle(),
      ArrowLeft: () => timeline.step(-1),
      ArrowRight: () => timeline.step(1),
      Home: () => seek(0),
      End: () => seek(timeline.frames - 1),
      n: () => view.setSeed(state.seed + 1),
      b: () => view.setSeed(state.seed - 1),
      r: () => view.randomSeed(),
      w: () => view.toggleWalk(),
      k: () => view.addKeyframe(),
      t: () => into(null, ref.truncation),
      c: () => into(null, ref.training.hidden ? ref.checkpoint : ref.trained),
      m: () => into(null, ref.model),
      g: () => into("w", () => ref.wall.querySelector('[aria-current="true"]') || ref.wall.querySelector("button")),
      s: () => into("s", ref.sheetCells),
      x: () => into("x", ref.line),
      u: () => view.chooseClip(),
      e: () => {
        ref.exportMenu.open = true;
        into(null, ref.exportButton);
      },
      y: () => ref.copyLink.click(),
      "?": help,
      Escape: () => view.stopWalk(),
    };
    for (let n = 0; n < 8; n++) acts[n + 1] = () => into("d", () => slider(n));

    function seek(frame) {
      timeline.pause();
      timeline.seek(frame);
    }

    // A control that has the focus keeps the keys that are its own.
    const OWN = {
      range: ["ArrowLeft", "ArrowRight", "Home", "End"],
      select: true,
      text: true,
      press: [" ", "Enter"],
    };
    function ownedBy(node, key) {
      if (node.matches('input[type="range"]')) return OWN.range.includes(key);
      if (node.matches("input, textarea")) return OWN.text;
      if (node.matches("select")) return OWN.select;
      return node.matches("button, summary") && OWN.press.includes(key);
    }

    function onSlider(event, node) {
      const id = node.closest(".pe-direction")?.dataset.id;
      if (!id || !node.matches('input[type="range"]')) return false;
      if (event.key === "Backspace" || event.key === "Delete") view.move(id, 0);
      else if (event.key === "F2") node.closest(".pe-direction").querySelector(".pe-name").click();
      else if (event.key === "*") node.closest(".pe-direction").querySelector(".pe-star").click();
      else return false;
      return true;
    }

    document.addEventListener("keydown", (event) => {
      const node = event.target;
      const here = node === document.body || element.contains(node);
      if (!here || !view.shown() || event.defaultPrevented || ref.helpSheet.open) return;
      if (event.ctrlKey || event.metaKey) {
        const key = event.key.toLowerCase();
        const typing = node.matches?.('input[type="text"], textarea');
        const act = key === "y" || (key === "z" && event.shiftKey) ? view.redo : key === "z" ? view.undo : null;
        if (!act || typing || event.altKey) return;
        event.preventDefault();
        return act();
      }
      if (event.altKey) return;
      if (onSlider(event, node)) return event.preventDefault();
      const act = acts[event.key] || acts[event.key.toLowerCase()];
      if (!act || !state.model || ownedBy(node, event.key)) return;
      event.preventDefault(); // space would scroll the page
      act();
    });
    element.addEventListener("keydown", () => store.busy(), true);
  };
})();
