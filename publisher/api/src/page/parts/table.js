// Tables that become cards on a narrow screen, and can be walked with the arrow keys.

import { h } from "../core/dom.js";

/**
 * A table. `columns` are `{head, cell(row), class?}`; the first cell is the row's header and should hold its link.
 * `keyOf(row)` identifies a row when the table changes.
 */
export function table({ caption, columns, rows, keyOf, empty }) {
  if (rows.length === 0) return h("div", { class: "empty" }, empty);
  return h("div", { class: "table-box", role: "group", "aria-label": caption, tabindex: -1 },
    h("table", { on: { keydown: walk } },
      h("caption", { class: "sr" }, caption),
      h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.class }, column.head)))),
      h("tbody", {}, rows.map((row) => h("tr", { key: keyOf(row) }, columns.map((column, place) => {
        const props = { class: column.class, "data-label": column.head, scope: place === 0 && "row" };
        return h(place === 0 ? "th" : "td", props, h("div", {}, column.cell(row)));
      }))))));
}

// Up, Down, Home and End go from row to row, as the focus stands on the rows' links.
function walk(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  const step = steps[event.key];
  if (!step || !event.target.matches("a")) return;
  const links = [...event.currentTarget.querySelectorAll("tbody th a")];
  const row = event.target.closest("tr");
  const at = links.findIndex((link) => row.contains(link));
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, at + step))]?.focus();
}
