// Keyframes: points kept in an order, each with its picture. The walk (explore_walk.js) goes from one to the next.
(() => {
  "use strict";
  const pvs = window.pvs;
  pvs.explorer = pvs.explorer || {};
  const MOST = 16;
  const THUMB = 64;

  pvs.explorer.keyframes = (view) => {
    const { ref, store, state, attempt } = view;
    const { make, copyPoint } = pvs.explorer;
    const pictures = new Map(); // JSON of [model, point] -> canvas
    const keyOf = (point) => JSON.stringify([state.model, copyPoint(point)]);
    let dragged = null;

    view.addKeyframe = attempt(async () => {
      if (state.keyframes.length >= MOST) throw new Error(`A walk has ${MOST} keyframes at most: remove one first.`);
      view.unfold("k");
      if (view.drawn === view.asked && view.player.sheet) takePicture(keyOf(state), view.player.sheet, 0);
      store.change({ keyframes: [...state.keyframes, store.point()] });
    });

    function moveTo(from, to) {
      if (to < 0 || to >= state.keyframes.length || from === to) return;
      const keyframes = [...state.keyframes];
      keyframes.splice(to, 0, ...keyframes.splice(from, 1));
      store.change({ keyframes });
    }

    function remove(at) {
      store.change({ keyframes: state.keyframes.filter((_, i) => i !== at) });
      focus(Math.min(at, state.keyframes.length - 1));
    }

    const focus = (at) => (ref.keys.children[at]?.querySelector(".pe-key-go") || ref.addKey).focus();

    // ---- the row of pictures --------------------------------------------------------------------------------
    function draw() {
      ref.keys.replaceChildren(...state.keyframes.map(item));
      ref.addKey.disabled = state.keyframes.length >= MOST;
      ref.ownDirection.disabled = state.keyframes.length < 2;
      for (const [i, point] of state.keyframes.entries()) paint(ref.keys.children[i], point);
      if (state.keyframes.some((point) => !pictures.has(keyOf(point)))) store.later("keyframes", fetchPictures);
    }

    function item(point, i) {
      const node = make("li", "pe-key", { draggable: "true" });
      const go = make("button", "pe-key-go", { type: "button", "aria-label": `Go to keyframe ${i + 1}` });
      go.title = `${point.latent ? "Fitted latent" : `Seed ${point.seed}`}. Click goes there; Alt and an arrow reorder; Delete removes.`;
      const canvas = make("canvas", "");
      canvas.width = canvas.height = THUMB;
      go.append(canvas);
      const gone = make("button", "pe-key-gone", { type: "button", "aria-label": `Remove keyframe ${i + 1}`, title: "Remove" });
      gone.textContent = "×";
      go.addEventListener("click", () => store.change(copyPoint(point)));
      gone.addEventListener("click", () => remove(i));
      go.addEventListener("keydown", (event) => keys(event, i));
      node.addEventListener("dragstart", (event) => {
        dragged = i;
        event.dataTransfer.setData("text/plain", String(i)); // Firefox starts no drag without
        event.dataTransfer.effectAllowed = "move";
      });
      node.addEventListener("dragover", (event) => dragged !== null && event.preventDefault());
      node.addEventListener("drop", (event) => {
        event.preventDefault();
        const from = dragged;
        dragged = null;
        if (from !== null) moveTo(from, i);
      });
      // A finger drags nothing in HTML's way; its events come to where it went down.
      go.addEventListener("pointerup", (event) => {
        if (event.pointerType === "mouse") return;
        const under = document.elementFromPoint(event.clientX, event.clientY)?.closest(".pe-key");
        const to = [...ref.keys.children].indexOf(under);
        if (to >= 0) moveTo(i, to);
      });
      node.append(go, gone);
      return node;
    }
    ref.keys.addEventListener("dragend", () => (dragged = null));

    function keys(event, i) {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by === undefined && event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      event.stopPropagation();
      if (by === undefined) return remove(i);
      if (event.altKey) moveTo(i, i + by);
      focus(Math.max(0, Math.min(i + by, state.keyframes.length - 1)));
    }

    function paint(node, point) {
      const picture = pictures.get(keyOf(point));
      node.dataset.drawn = picture ? "yes" : "no";
      if (!picture) return;
      const context = node.querySelector("canvas").getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(picture, 0, 0, THUMB, THUMB);
    }

    // The middle frame of a clip in a sheet.
    function takePicture(key, { image, frames, width, height }, row) {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [width, height];
      const middle = Math.floor(frames / 2) * width;
      canvas.getContext("2d").drawImage(image, middle, row * height, width, height, 0, 0, width, height);
      pictures.set(key, canvas);
    }

    async function fetchPictures(signal) {
      const points = state.keyframes.filter((point) => !pictures.has(keyOf(point)));
      if (!points.length) return;
      const keys = points.map(keyOf);
      const { blob, rows, frames } = await pvs.explorer.rows(state.model, points.map(copyPoint), signal);
      const image = await createImageBitmap(blob);
      const [width, height] = [image.width / frames, image.height / rows];
      for (const [i, key] of keys.entries()) takePicture(key, { image, frames, width, height }, i);
      image.close();
      while (pictures.size > 100) pictures.delete(pictures.keys().next().value);
      for (const [i, point] of state.keyframes.entries()) paint(ref.keys.children[i], point);
    }

    store.listen((changed) => {
      if (changed.has("keyframes") || changed.has("model")) draw();
    });
    ref.addKey.addEventListener("click", view.addKeyframe);

    // A slider of one's own, that leads from the first keyframe to the last.
    ref.ownDirection.addEventListener("click", attempt(async () => {
      const points = state.keyframes.map(copyPoint);
      const name = `Keyframe 1 to ${points.length}`;
      const body = { model: state.model, name, vector_from: [points[0]], vector_to: [points[points.length - 1]] };
      const { id } = await pvs.json("api/directions/own", body);
      await view.loadDirections();
      await view.showDirection(id);
    }));
    draw();
  };
})();
