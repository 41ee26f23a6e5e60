(() => {
  "use strict";
  window.pvs.view("compare", () => {});
})();
