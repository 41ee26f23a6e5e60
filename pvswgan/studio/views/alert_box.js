// What the monitor (alerts.py) says, as a box: a sentence, the numbers behind it, and the way to where they show.
//
//   list.append(pvs.alertBox(alert, (place) => ...));   place: as alerts.py describes `shown`
(() => {
  "use strict";
  const pvs = (window.pvs = window.pvs || {});
  const make = pvs.node;

  pvs.alertBox = ({ kind, sentence, numbers, shown }, onShow) => {
    const box = make("li", "pvs-alert"), facts = make("dl"), row = make("div", "pvs-row");
    box.dataset.alert = kind;
    for (const [name, value] of numbers) {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd", "", value));
      facts.append(pair);
    }
    for (const place of shown) {
      const button = Object.assign(make("button", "pvs-button", place.label), { type: "button" });
      button.addEventListener("click", () => onShow(place));
      row.append(button);
    }
    box.append(make("p", "", sentence), facts, row);
    return box;
  };
})();
