// Files of the store, folder by folder.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, number } from "../core/format.js";
import { query } from "../core/router.js";
import { fileList } from "../parts/files.js";
import { asking, button, crumbs, head, link } from "../parts/pieces.js";

const address = (path) => `/files?${new URLSearchParams({ path })}`;

/** Opens a folder of the store. */
export function files(view) {
  const path = (query().path ?? "").replace(/^\/|\/$/g, "");
  let entries = null;
  let next = null;
  let total = 0;

  const more = async (after) => {
    const page = await get("/files", { path, after }, view.signal);
    entries = after === null ? page.entries : [...entries, ...page.entries];
    ({ next, total } = page);
    view.draw();
  };

  view.shows(path || "Files", () => (entries === null ? asking() : [
    head([
      path !== "" && crumbs(...above(path)),
      path ? h("h1", { class: "path" }, path.split("/").at(-1)) : h("h1", {}, "Files"),
      h("p", { class: "facts" }, count(total, "entry", "entries")),
    ]),
    h("section", { class: "panel", key: "files", "aria-label": "Files" },
      entries.length ? fileList(entries.map((entry) => row(path, entry)), view) : h("p", { class: "empty" }, "The folder is empty."),
      next !== null && button(`More, of ${number(total)}`, () => more(next))),
  ]));

  // A folder that is looked at stays as it is: a reload would close what is open.
  view.every(() => 3600, () => more(null));
}

function above(path) {
  const parts = path.split("/");
  return [link("/files", "Files"), ...parts.slice(0, -1).map((part, at) => link(address(parts.slice(0, at + 1).join("/")), part))];
}

function row(path, { name, folder, size }) {
  const whole = path ? `${path}/${name}` : name;
  return folder ? { name, href: address(whole) } : { name, size, path: "/files/content", query: { path: whole } };
}
