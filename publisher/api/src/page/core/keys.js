// Keyboard shortcuts outside text fields.

import { h } from "./dom.js";
import { go } from "./router.js";
import { modal } from "../parts/dialog.js";

const HELP = [
  ["/", "to the search of this page"],
  ["n, p", "next, previous: page or datum"],
  ["↑ ↓", "from row to row in a table, from worker to worker in a timeline"],
  ["← →", "along a chart, read aloud"],
  ["o, j, w", "overview, jobs, workers"],
  ["?", "this help"],
];

const PLACES = { o: "/", j: "/jobs", w: "/workers" };

/** Registers the listener. */
export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
}

const isWriting = (node) => node.matches("input, select, textarea, [contenteditable]");

// True if the key was handled.
function press(key) {
  if (key === "/") return focusSearch();
  if (key === "?") return help();
  if (key in PLACES) return go(PLACES[key]) ?? true;
  if (key === "n" || key === "p") return step(key);
  return false;
}

function focusSearch() {
  const search = document.querySelector("[data-search]");
  search?.focus();
  return search !== null;
}

function step(key) {
  const target = document.querySelector(`[data-step="${key}"]:not(:disabled)`);
  target?.click();
  return target !== null;
}

function help() {
  modal({
    title: "Keys",
    body: h("dl", { class: "keys" }, HELP.map(([keys, text]) =>
      h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, text)))),
    no: "Close",
  });
  return true;
}
