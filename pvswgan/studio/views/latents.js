(() => {
  "use strict";
  window.pvs.view("latents", () => {});
})();
