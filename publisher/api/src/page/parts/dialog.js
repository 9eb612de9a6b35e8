// Dialogs: one modal at a time, by <dialog>, which traps and restores the focus.

import { h } from "../core/dom.js";

/**
 * Asks a question and resolves to true for yes. `must` removes the way to say no;
 * `danger` colours the button of an irreversible action.
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

/** Shows a message for a while; `link` leads to the result. */
export function toast(text, { bad = false, link = null } = {}) {
  const node = h("div", { class: bad ? "toast bad" : "toast" },
    h("span", {}, text),
    link && h("a", { href: link.href }, link.text),
    h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", on: { click: () => node.remove() } }, "×"));
  document.getElementById("toasts").append(node);
  if (!bad) setTimeout(() => node.remove(), TOAST_MS);
}
