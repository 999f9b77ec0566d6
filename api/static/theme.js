// Runs before anything is painted: the theme a person chose, else the system's.
(() => {
  "use strict";
  try {
    const stored = localStorage.getItem("pas-theme");
    if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
  } catch {
    // A browser that stores nothing follows the system.
  }
})();
