// Files as a list in which each can be looked at and saved.

import { getBlob } from "../core/api.js";
import { h } from "../core/dom.js";
import { bytes } from "../core/format.js";
import { toast } from "./dialog.js";
import { button, dim, link } from "./pieces.js";
import { fillPreview, previewOf } from "./preview.js";

/**
 * A list of files. Each is `{name, size, path, query}`: `path` and `query` of the API give its bytes; or `{name, href}`, a
 * folder. The first one is open if `isOpen`.
 */
export function fileList(files, { signal, isOpen = false }) {
  return h("ul", { class: "files" }, files.map((file, at) => h("li", { key: file.name },
    file.href ? folder(file) : one(file, signal, isOpen && at === 0))));
}

const folder = ({ name, href }) => h("div", { class: "file-name" }, h("span", { "aria-hidden": "true" }, "▸ "), link(href, name, "/"));

function one(file, signal, open) {
  const { name, size, path, query } = file;
  if (!path) return h("div", { class: "file-name" }, h("span", { class: "path" }, name), " ", dim(file.why));
  const look = (event) => event.currentTarget.open && fillPreview(event.currentTarget.lastElementChild, file, signal);
  return h("details", { class: "file", open: open && previewOf(file) !== null, on: { toggle: look } },
    h("summary", {}, h("span", { class: "path" }, name), " ", dim(size === null || size === undefined ? "" : bytes(size))),
    button("Save", () => save(getBlob(path, query, signal), name.split("/").at(-1)), { class: "link", "aria-label": `Save ${name}` }),
    h("div", { class: "preview", "data-own": true }));
}

/** Saves the bytes that a promise gives. */
export async function save(promised, name) {
  try {
    const url = URL.createObjectURL(await promised);
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { bad: true });
  }
}
