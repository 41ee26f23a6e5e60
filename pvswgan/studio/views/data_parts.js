// Small things that the scripts of the Data page share, in window.pvs.data.
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  if (pvs.data) return;

  const { node } = pvs;

  function write(place, text) {
    if (place.textContent !== text) place.textContent = text;
  }

  const count = (number) => number.toLocaleString("en");
  const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

  // 1500000 -> "1.4 MiB"
  function bytes(number) {
    for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
      if (number < 1024) return unit === "bytes" ? `${Math.round(number)} bytes` : `${number.toFixed(1)} ${unit}`;
      number /= 1024;
    }
    return `${number.toFixed(2)} TiB`;
  }

  // {name: text} as a list of facts; what has no text is left out.
  function facts(place, pairs) {
    place.replaceChildren(...Object.entries(pairs).filter(([, text]) => text).map(([name, text]) => {
      const pair = node("div"), value = node("dd", "", text);
      value.dataset.fact = name;
      pair.append(node("dt", "", name), value);
      return pair;
    }));
  }

  // choices: [[value, text], ...]
  function fill(select, choices, value) {
    select.replaceChildren(...choices.map(([own, text]) => Object.assign(node("option", "", text), { value: own })));
    if (value !== undefined) select.value = value;
  }

  // "Pause" while a timeline plays, "Play" while it rests.
  function playButton(button, timeline, what) {
    const show = () => write(button, `${timeline.playing ? "Pause" : "Play"}${what}`);
    button.addEventListener("click", () => timeline.toggle());
    timeline.listen(show);
    show();
  }

  // A timeline rests while nobody sees what it moves.
  function restUnseen(element, timeline) {
    let resting = false;
    pvs.whenShown(element, (shown) => {
      if (!shown && timeline.playing) {
        resting = true;
        timeline.pause();
      } else if (shown && resting) {
        resting = false;
        timeline.play();
      }
    });
  }

  // Asks once, in `place`, and does it on yes; where that is refused, the reason is told there. `back` has the focus after.
  function ask(place, { question, yes, act, back }) {
    const box = node("div", "pd-ask"), text = node("p", "", question), row = node("div", "pvs-row");
    const go = node("button", "pvs-button pd-danger", yes), keep = node("button", "pvs-button", "Keep");
    const close = () => {
      box.remove();
      back.focus();
    };
    go.type = keep.type = "button";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", question);
    row.append(go, keep);
    box.append(text, row);
    keep.addEventListener("click", close);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
    });
    go.addEventListener("click", async () => {
      go.disabled = true;
      try {
        await act();
        box.remove();
      } catch (error) {
        go.remove();
        Object.assign(text, { className: "pt-problem", role: "alert", textContent: error.message });
        write(keep, "OK");
        keep.focus();
      }
    });
    place.replaceChildren(box);
    keep.focus();
    box.scrollIntoView({ block: "nearest" });
  }

  const query = (url, wishes) => `${url}?${new URLSearchParams(Object.entries(wishes).filter(([, value]) => value !== null))}`;

  pvs.data = { node, write, count, many, bytes, facts, fill, playButton, restUnseen, ask, query };
})();
