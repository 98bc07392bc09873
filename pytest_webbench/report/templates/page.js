"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  const stored = (change) => {
    try {
      return change(localStorage);
    } catch {
      return null; // a page opened from a file may have no storage
    }
  };
  const chosen = stored((storage) => storage.getItem("webbench-theme"));
  if (chosen === "dark" || chosen === "light") {
    root.dataset.theme = chosen;
  }
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored((storage) => storage.setItem("webbench-theme", root.dataset.theme));
    show();
  });
  system.addEventListener("change", show);
  show();

  // Nobody can open a folded part on paper.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((each) => (each.open = true));
  });
  addEventListener("afterprint", () => opened.forEach((each) => (each.open = false)));

  // Colours are variables of the style sheet, so one drawing serves dark, light and print.
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, id: "tooltip" },
    logLevel: 1,
  };
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const draw = async () => {
    for (const [number, place] of document.querySelectorAll("[data-chart]").entries()) {
      try {
        await window.webbenchEmbed(place, specs[number], options);
        place.dataset.drawn = "yes";
      } catch (error) {
        place.textContent = "This chart could not be drawn; its table is below.";
        console.error(error);
      }
    }
    root.dataset.drawn = "yes";
  };
  draw();
})();
