// Questions and answers: one modal at a time, by <dialog>, which keeps the focus inside and gives it back.

import { h } from "../core/dom.js";

/**
 * Asks, and resolves to whether the answer was yes. `must` leaves no way to say no;
 * `danger` colours the button of what can't be undone.
 */
export function modal({ title, body, verb, danger = false, must = false, no = "Cancel" }) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("div", { class: "dialog-body" }, body),
      h("div", { class: "dialog-buttons" },
        !must && h("button", { type: "button", on: { click: () => dialog.close("no") } }, no),
        verb && h("button", { type: "submit", value: "yes", class: danger ? "danger" : "primary" }, verb)));
    const dialog = h("dialog", {
      "aria-labelledby": "dialog-title",
      on: {
        close: () => { dialog.remove(); resolve(dialog.returnValue === "yes"); },
        cancel: (event) => { if (must) event.preventDefault(); },
      },
    }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}

const TOAST_MS = 8000;

/** Says what was done, for a while; `link` is where to look at it. */
export function toast(text, { bad = false, link = null } = {}) {
  const node = h("div", { class: bad ? "toast bad" : "toast" },
    h("span", {}, text),
    link && h("a", { href: link.href }, link.text),
    h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", on: { click: () => node.remove() } }, "×"));
  document.getElementById("toasts").append(node);
  if (!bad) setTimeout(() => node.remove(), TOAST_MS);
}
