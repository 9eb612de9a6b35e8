// Running durations: elements that are updated once a second while the page is visible.

import { h } from "./dom.js";
import { ticked } from "./format.js";

// Offset of the server's clock, so that durations are right on a computer with a wrong clock.
let ahead = 0;

/** Synchronises with the server's time. */
export function setServerTime(iso) {
  ahead = new Date(iso) - Date.now();
}

/** Seconds since a moment, by the server's clock. */
export const secondsSince = (iso) => Math.max(0, (Date.now() + ahead - new Date(iso)) / 1000);

/** An element with the running time since `iso`. */
export function ticking(iso, suffix = "") {
  if (!iso) return "–";
  const text = ticked(secondsSince(iso)) + suffix;
  return h("span", { class: "ticking", "data-since": iso, "data-suffix": suffix, title: `since ${iso}` }, text);
}

function tick() {
  if (document.hidden) return;
  for (const node of document.querySelectorAll("[data-since]")) {
    const text = ticked(secondsSince(node.dataset.since)) + node.dataset.suffix;
    if (node.textContent !== text) node.textContent = text;
  }
}

setInterval(tick, 1000);
