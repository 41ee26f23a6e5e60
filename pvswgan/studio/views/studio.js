// What all views of the studio share: mounting, requests, tabs. Everything lives in window.pvs.
//
//   pvs.view(name, mount)      a view's script registers itself; mount({element, props, ...}) runs once per component
//   pvs.json(url, body?)       GET, or POST with a JSON body; the answer parsed; throws Error(a sentence for people), its
//                              status: of the answer, where there was one
//   pvs.request(url, body?)    the same, but gives the Response
//   pvs.latest(send)           "latest wins": see below
//   pvs.job()                  -> ask(url, body, onProgress): asks again until the job on the server (jobs.py) is done;
//                              latest wins: an answer that a newer call, or ask.drop(), has overtaken is null
//   pvs.waiting(box, text, bar)  -> show(answer of a job that runs | null)
//   pvs.plotly()               loads plotly.js on first use; a promise of window.Plotly
//   pvs.page(element)          {element, ref, fail, fine, attempt} of a page: its [data-ref] nodes and its line for errors
//   pvs.sheetOf(response)      a sprite sheet: {blob, rows, frames, resolution}
//   pvs.cells(blob, resolution)   the same of a PNG with frames of that size, told by its header: {blob, rows, frames}
//   pvs.family(id)             what all checkpoints of a run share: "run:NAME"; an asset or a file is its own
//   pvs.node(tag, className, text), pvs.make(tag, text, properties)   an element
//   pvs.written(value)         a setting's value, to be read
//   pvs.once(known, key, ask)  the promise that ask() gave for this key of a Map; one that failed is asked for again
//   pvs.saveFile(response, name)  an answer as a file, under the name that the server gave or else this one; the name
//   pvs.isDark()               whether the page is dark now
//   pvs.kimg(clips), pvs.sizeName({frames, resolution})   as they are told
//   pvs.duration(seconds), pvs.wait(seconds)   how long a training takes, to the minute; what is waited for, to the second
//   pvs.option(value, text), pvs.optionGroup(label, ...options)   for lists
//   pvs.modelOptions(models, text)  option groups by kind: a model each, text(model)
//   pvs.checkpointOptions(models)   option groups: every checkpoint of every model
//   pvs.random(seed)           -> next(): numbers in 0..1 (1 left out), the same ones for the same seed
//   pvs.models()               the list of api/models; pvs.readOnly() from then on: may nothing be written here?
//   pvs.address(values, others)     this page's address with {name: value or values} in it, falsy ones left out; others:
//                              what it says of other tabs, which stays ("" for a link that is copied)
//   pvs.addressFollows(address)   -> follow(): the address bar shows address() once the hand rests
//   pvs.copiesLink(button, address, onError)   a button that copies what address() returns
//   pvs.history(view, {now, go, same?})   undo and redo of what a view shows; .did(before, name?, gesture?)
//   new pvs.UndoNote(parts)    .say("It is in the trash.", () => ..., word?): what Undo does; left out: nothing to undo
//   pvs.copyText(text)         onto the clipboard; throws a sentence where the browser refuses
//   pvs.openTab(name, detail)  goes to a tab; its view gets the detail by pvs.onOpen(name, handler)
//   pvs.whenShown(element, f)  f(true) when the element comes on the screen (its tab opened), f(false) when it goes
//
// URLs are relative ("api/models"), so that the studio works behind a proxy's sub-path too.
(() => {
  "use strict";
  if (window.pvs?.view) return;
  const pvs = (window.pvs = window.pvs || {});
  const views = new Map();
  let plotlyUrl = null;
  const ASK_MS = 250, ADDRESS_MS = 250;
  const STEPS = 60; // of a history
  const GESTURE_MS = 800; // a slider that moves on within it is still the same gesture

  pvs.family = (id) => id.split("@")[0];
  pvs.view = (name, mount) => views.set(name, mount);

  // Called by Gradio through js_on_load. A mistake in a view must be seen, not swallowed by a console.
  pvs.mount = (name, context) => {
    plotlyUrl = context.plotly || plotlyUrl;
    try {
      if (!views.has(name)) throw new Error("its scripts did not come from the studio. Reload the page, and log in again if it asks.");
      views.get(name)(context);
    } catch (error) {
      console.error(error);
      const note = document.createElement("p");
      note.className = "pvs-error";
      note.textContent = `This part of the page could not start: ${error.message}`;
      context.element.prepend(note);
    }
  };

  pvs.request = async (url, body, options = {}) => {
    const init = { credentials: "same-origin", ...options };
    if (body !== undefined) {
      Object.assign(init, { method: "POST", body: JSON.stringify(body) });
      init.headers = { "Content-Type": "application/json" };
    }
    let response;
    try {
      response = await fetch(url, init);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The studio does not answer. Is it still running?");
    }
    if (!response.ok) throw Object.assign(new Error(await sentence(response)), { status: response.status });
    return response;
  };

  pvs.json = async (url, body, options) => (await pvs.request(url, body, options)).json();

  async function sentence(response) {
    if (response.status === 401) return "You are logged out. Reload the page to log in again.";
    try {
      const detail = (await response.json()).detail;
      if (typeof detail === "string") return detail;
      if (Array.isArray(detail)) return detail.map((d) => `${(d.loc || []).slice(1).join(".")}: ${d.msg}`).join("; ");
    } catch {
      // Not JSON: the status line below has to do.
    }
    return `The studio could not do that (${response.status} ${response.statusText}).`;
  }

  // latest(send) -> ask(request). One request in flight; while it is, only the newest waits; so answers come in
  // order, nothing piles up behind a fast hand, and the last value is always sent. send(request) is an async
  // function; ask(...) resolves when the queue is empty again, or rejects with what send throws.
  pvs.latest = (send) => {
    let waiting = null;
    let running = null;
    const drain = async () => {
      try {
        while (waiting !== null) {
          const [request] = waiting;
          waiting = null;
          try {
            await send(request);
          } catch (error) {
            if (waiting === null) throw error; // a newer request is sent all the same
          }
        }
      } finally {
        running = null;
      }
    };
    const ask = (request) => {
      waiting = [request];
      running = running || drain();
      return running;
    };
    return ask;
  };

  pvs.job = () => {
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
        await new Promise((resolve) => setTimeout(resolve, ASK_MS));
        if (mine !== newest) return null;
      }
    };
    ask.drop = () => newest++;
    ask.who = who;
    return ask;
  };

  // A bar that says what is being done, how far it is and, after a while, how long it will take; null hides it.
  pvs.waiting = (box, text, bar) => {
    let began = null; // {share, at} of the first answer with a share
    return (told) => {
      box.hidden = told === null;
      if (told === null) return void (began = null);
      const share = told.of ? told.done / told.of : 0, now = performance.now();
      if (!began || share < began.share) began = share ? { share, at: now } : null;
      const gone = began ? share - began.share : 0;
      const left = gone > 0.02 ? `, about ${pvs.wait(((now - began.at) / 1000) * ((1 - share) / gone))} left` : "";
      text.textContent = told.of ? `${told.sentence}: ${told.done} of ${told.of}${left}` : `${told.sentence} …`;
      if (told.of) bar.value = share;
      else bar.removeAttribute("value");
    };
  };

  let plotly = null;
  pvs.plotly = () => {
    plotly =
      plotly ||
      new Promise((resolve, reject) => {
        if (!plotlyUrl) return reject(new Error("plotly is not installed on the studio's machine."));
        const script = document.createElement("script");
        script.src = plotlyUrl;
        script.onload = () => resolve(window.Plotly);
        script.onerror = () => {
          plotly = null;
          reject(new Error("The drawing library (plotly.js) could not be loaded from the studio."));
        };
        document.head.append(script);
      });
    return plotly;
  };

  pvs.isDark = () => document.body.classList.contains("dark") || document.documentElement.classList.contains("dark");
  const KINDS = { run: "Trainings", file: "Files", asset: "Came with the studio" };
  pvs.kimg = (clips) => `${(clips / 1000).toLocaleString("en", { maximumFractionDigits: 1 })} kimg`;
  pvs.sizeName = ({ frames, resolution }) => `${frames}×${resolution}×${resolution}`;
  pvs.duration = (seconds) => {
    if (typeof seconds !== "number") return "–";
    const minutes = Math.round(seconds / 60);
    if (minutes < 1) return "under a minute";
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return `${Math.round(minutes / 1440)} days`;
  };
  pvs.wait = (seconds) => {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return `${whole} s`;
    return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : pvs.duration(whole);
  };
  pvs.option = (value, text) => new Option(text, value); // Option sets text, never HTML
  pvs.optionGroup = (label, ...options) => {
    const node = Object.assign(document.createElement("optgroup"), { label });
    node.append(...options);
    return node;
  };
  pvs.modelOptions = (models, text) => Object.entries(KINDS).map(([kind, label]) => pvs.optionGroup(label,
    ...models.filter((model) => model.kind === kind).map((model) => pvs.option(model.group, text(model))))).filter((group) => group.children.length);
  // Every checkpoint of every model that /api/models has, newest first.
  pvs.checkpointOptions = (models) => models.map(({ name, checkpoints }) => pvs.optionGroup(name, ...checkpoints.map(({ id, clips }, i) =>
    pvs.option(id, `${name}${clips === null ? "" : ` · ${pvs.kimg(clips)}`}${i === 0 && clips !== null ? " (newest)" : ""}`))));

  // A line over the page: a click on it, or Escape, puts it away. Its words can still be marked and copied.
  document.addEventListener("click", ({ target }) => {
    const line = target.closest?.(".pvs-over");
    if (line && getSelection().isCollapsed) line.hidden = true;
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") for (const line of document.querySelectorAll(".pvs-over")) line.hidden = true;
  });

  // An error is a sentence on the page until the next thing goes well: fine().
  pvs.page = (element) => {
    const ref = {};
    for (const node of element.querySelectorAll("[data-ref]")) ref[node.dataset.ref] = node;
    const fail = (error) => {
      if (error.name === "AbortError") return;
      ref.error.textContent = error.message;
      ref.error.hidden = false;
    };
    const fine = () => (ref.error.hidden = true);
    const attempt = (work) => async (...given) => {
      try {
        await work(...given);
      } catch (error) {
        fail(error);
      }
    };
    return { element, ref, fail, fine, attempt };
  };

  pvs.node = (tag, className = "", text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  pvs.make = (tag, text = "", properties = {}) => Object.assign(document.createElement(tag), { textContent: text }, properties);

  // Whether this studio may be looked at only: what writes (class pvs-writes) is hidden, or not offered.
  pvs.readOnly = () => document.body.hasAttribute("data-read-only");
  pvs.models = async () => {
    const { models, read_only } = await pvs.json("api/models");
    document.body.toggleAttribute("data-read-only", read_only);
    return models;
  };

  // A name of somebody's on a plot: plotly takes what looks like HTML for HTML.
  pvs.plotText = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  pvs.written = (value) => (value === null || value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

  pvs.once = (known, key, ask) => {
    if (!known.has(key)) known.set(key, ask());
    known.get(key).catch(() => known.delete(key)); // to be tried again
    return known.get(key);
  };

  // mulberry32, a public-domain generator.
  pvs.random = (seed) => {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let x = Math.imul(state ^ (state >>> 15), 1 | state);
      x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
      return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
    };
  };

  pvs.sheetOf = async (response) => ({
    blob: await response.blob(),
    rows: Number(response.headers.get("X-Rows") || 1),
    frames: Number(response.headers.get("X-Frames")),
    resolution: Number(response.headers.get("X-Resolution")),
  });

  pvs.cells = async (blob, resolution) => {
    const bytes = new DataView(await blob.slice(0, 24).arrayBuffer()); // a PNG's header; no decoding
    const along = (at) => Math.max(1, Math.round(bytes.getUint32(at) / resolution));
    return { blob, frames: along(16), rows: along(20) };
  };

  pvs.saveFile = async (response, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition"))?.[1] || name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    return link.download;
  };

  // Browsers give the clipboard to pages on this machine or over https only; the older way works elsewhere too.
  pvs.copyText = async (text) => {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      const field = Object.assign(document.createElement("textarea"), { value: text });
      const focused = document.activeElement;
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      focused?.focus();
      if (!done) throw new Error("The browser does not let this page use the clipboard.");
    }
  };

  pvs.copiesLink = (button, address, onError) => {
    const words = button.textContent;
    button.addEventListener("click", async () => {
      try {
        await pvs.copyText(address().href);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = words), 1500);
      } catch (error) {
        onError(error);
      }
    });
  };

  pvs.address = (values, others = location.search) => {
    const url = new URL(location.href);
    url.search = others;
    for (const [name, value] of Object.entries(values)) {
      url.searchParams.delete(name);
      for (const one of [value].flat()) if (one) url.searchParams.append(name, one);
    }
    url.search = url.search.replace(/%(3A|40|2C|7E)/g, decodeURIComponent); // : @ , ~ may stand as they are
    return url;
  };

  // follow(): once the hand rests (a slider moves faster than a browser lets the address change), the address bar has
  // address(); nothing where that gives none: out of sight, or nothing is shown yet.
  pvs.addressFollows = (address) => {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const url = address();
        if (url) history.replaceState(history.state, "", url);
      }, ADDRESS_MS);
    };
  };

  // Undo and redo, by the view's buttons (ref.undo, ref.redo) and by Ctrl+Z, and Ctrl+Shift+Z or Ctrl+Y, while it is shown.
  // now(): what it shows, for JSON; go(it): show that again; same(one, other): no step lies between them.
  //   history.did(before, name, gesture)   after a change by a person; name: of what was changed; gesture: what goes on in
  //                                        the same gesture is the same step. What changes nothing is none.
  pvs.history = (view, { now, go, same = (one, other) => JSON.stringify(one) === JSON.stringify(other) }) => {
    const { ref, element } = view, past = [], future = []; // {at, name: of what was changed after or before it}
    let last = null, when = 0;

    function step(from, to) {
      if (!from.length) return;
      const { at, name } = from.pop();
      to.push({ at: now(), name });
      last = null;
      go(at);
      show();
    }
    const undo = () => step(past, future), redo = () => step(future, past);

    function show() {
      for (const [button, steps, word, keys] of [[ref.undo, past, "Undo", "Ctrl+Z"], [ref.redo, future, "Redo", "Ctrl+Shift+Z"]]) {
        button.disabled = !steps.length;
        const { name = "" } = steps[steps.length - 1] ?? {}, what = name && `: ${name}`;
        button.setAttribute("aria-label", `${word}${what}`);
        button.title = `${word}${what} (${keys})`;
      }
    }

    ref.undo.addEventListener("click", undo);
    ref.redo.addEventListener("click", redo);
    element.addEventListener("pointerdown", () => (last = null), true); // the next gesture begins
    document.addEventListener("keydown", (event) => {
      const ours = event.target === document.body || element.contains(event.target);
      if (!view.shown || !ours || !(event.ctrlKey || event.metaKey) || event.altKey) return;
      const key = event.key.toLowerCase();
      const act = key === "y" || (key === "z" && event.shiftKey) ? redo : key === "z" ? undo : null;
      if (!act || event.target.matches?.('input[type="text"]')) return;
      event.preventDefault();
      act();
    });

    return {
      did(before, name = "", gesture = null) {
        if (same(before, now())) return;
        const on = gesture !== null && gesture === last && Date.now() - when < GESTURE_MS;
        [last, when] = [gesture, Date.now()];
        if (!on) past.push({ at: before, name });
        if (past.length > STEPS) past.shift();
        future.length = 0;
        show();
      },
    };
  };

  // A sentence about what was done, with a button that undoes it. parts: undo-panel, undo-text, undo, undo-close.
  pvs.UndoNote = class UndoNote {
    constructor(parts) {
      this.parts = parts;
      parts.undo.addEventListener("click", async () => {
        const undo = this.undo;
        this.say("");
        try {
          await undo();
        } catch (error) {
          this.say(error.message);
        }
      });
      parts["undo-close"].addEventListener("click", () => this.say(""));
    }

    say(text, undo = null, word = "Undo") {
      const { parts } = this;
      this.undo = undo;
      parts["undo-text"].textContent = text;
      parts["undo-panel"].hidden = !text;
      parts.undo.hidden = !undo;
      parts.undo.textContent = word;
      if (undo) parts["undo-panel"].scrollIntoView({ block: "nearest" });
    }
  };

  // ---- tabs -------------------------------------------------------------------------------------------------
  const openers = new Map(); // tab -> handler of a detail
  const details = new Map(); // tab -> a detail that waits for its view to be there

  // On a narrow screen Gradio moves the tabs that have no room into a menu, whose buttons are there even while it is shut.
  const TABS = '#pvs-tabs > .tab-wrapper :is(button[role="tab"], .overflow-dropdown button)';
  const nameOf = (button) => button.textContent.trim().toLowerCase();
  const tabButton = (name) => [...document.querySelectorAll(TABS)].find((button) => nameOf(button) === name);

  pvs.openTab = (name, detail) => {
    if (detail !== undefined) {
      if (openers.has(name)) openers.get(name)(detail);
      else details.set(name, detail);
    }
    tabButton(name)?.click();
  };

  // True if a detail was waiting, and has been handed over.
  pvs.onOpen = (name, handler) => {
    openers.set(name, handler);
    if (!details.has(name)) return false;
    handler(details.get(name));
    return details.delete(name);
  };

  // ?tab=train opens that tab, and the address follows the tab that is open.
  const wanted = new URLSearchParams(location.search).get("tab");
  if (wanted) requestAnimationFrame(() => tabButton(wanted.toLowerCase())?.click());
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(TABS);
    if (!button) return;
    const url = new URL(location.href);
    url.searchParams.set("tab", nameOf(button));
    history.replaceState(history.state, "", url);
  });

  // A file that falls beside a place for files is nobody's: the browser would leave the studio to show it.
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.defaultPrevented || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
    });
  }

  pvs.whenShown = (element, f) => {
    const observer = new IntersectionObserver((entries) => f(entries[entries.length - 1].isIntersecting));
    observer.observe(element);
    return () => observer.disconnect();
  };

  // A loop for what goes on meanwhile: look(), which gives the milliseconds until the next look and handles its own errors,
  // again and again while somebody sees the element, and at once when somebody does; onShown(shown) is told of that. Returns
  // what wakes it: it looks now, or, where a look is on its way, which may be old already, once more after that.
  pvs.looking = (element, look, onShown = () => {}) => {
    let shown = false, busy = false, stale = false, timer = 0;
    const seen = () => shown && !document.hidden;
    const wake = () => {
      clearTimeout(timer);
      stale = busy;
      if (!busy && seen()) round();
    };
    async function round() {
      busy = true;
      const pause = await look();
      busy = false;
      clearTimeout(timer);
      if (seen()) timer = setTimeout(round, stale ? 0 : pause);
      stale = false;
    }
    document.addEventListener("visibilitychange", wake);
    pvs.whenShown(element, (now) => {
      shown = now;
      onShown(now);
      if (now) wake();
    });
    return wake;
  };
})();
