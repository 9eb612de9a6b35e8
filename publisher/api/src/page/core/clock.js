// What ticks: elements that say how long something has lasted, kept right once a second while the page is seen.

import { h } from "./dom.js";
import { ticked } from "./format.js";

// The server's clock less ours, so that durations are right on a computer whose clock is not.
let ahead = 0;

/** Takes the server's time as the truth. */
export function setServerTime(iso) {
  ahead = new Date(iso) - Date.now();
}

/** Seconds since a moment, by the server's clock. */
export const secondsSince = (iso) => Math.max(0, (Date.now() + ahead - new Date(iso)) / 1000);

/** An element that says how long ago `iso` was, and goes on doing so. */
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
