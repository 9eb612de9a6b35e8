// Sets dark or light before the first paint. A module would load too late, so that this script is not one.
(() => {
  const CHOICES = ["auto", "light", "dark"];
  const KEY = "drover.theme";
  const root = document.documentElement;

  const chosen = () => {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : "auto";
  };
  const apply = (choice) => {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
  };

  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = `Theme: ${chosen()}`; };
    button.addEventListener("click", () => {
      const next = CHOICES[(CHOICES.indexOf(chosen()) + 1) % CHOICES.length];
      localStorage.setItem(KEY, next);
      apply(next);
      label();
    });
    label();
  });
})();
