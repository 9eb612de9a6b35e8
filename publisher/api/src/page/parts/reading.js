// Charts with a cursor: the pointer or the arrow keys move the cursor, and a text below describes the value.

import { h, s } from "../core/dom.js";

const STEPS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-Infinity, 0], End: [Infinity, 0],
};

/**
 * A picture of `columns` × `rows` cells in the `area` (`left`, `right`, `top`, `bottom`) of an SVG of `size`.
 * `say(column, row)` describes a cell.
 */
export function readable({ label, size, area, columns, rows = 1, say }, ...content) {
  const cell = { width: (area.right - area.left) / columns, height: (area.bottom - area.top) / rows };

  const put = (wrap, column, row) => {
    const at = { column: within(column, columns), row: within(row, rows) };
    wrap.at = at;
    const left = area.left + at.column * cell.width;
    const top = area.top + at.row * cell.height;
    wrap.querySelector(".cursor").setAttribute("d", `M${left},${top}h${cell.width}v${cell.height}h${-cell.width}Z`);
    wrap.querySelector("output").textContent = say(at.column, at.row);
  };
  const byPointer = ({ currentTarget, clientX, clientY }) => {
    const frame = currentTarget.firstElementChild.getBoundingClientRect();
    const x = ((clientX - frame.left) / frame.width) * size.width;
    const y = ((clientY - frame.top) / frame.height) * size.height;
    put(currentTarget, Math.floor((x - area.left) / cell.width), Math.floor((y - area.top) / cell.height));
  };
  const byKey = (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const { column, row } = event.currentTarget.at ?? { column: -1, row: 0 };
    put(event.currentTarget, column + step[0], row + step[1]);
  };

  return h("div", {
    class: "readable", tabindex: 0, role: "group", "aria-label": `${label}; the arrow keys read it`,
    on: { pointermove: byPointer, keydown: byKey },
  },
  s("svg", { class: "chart", viewBox: `0 0 ${size.width} ${size.height}`, "aria-hidden": "true" },
    content, s("path", { class: "cursor", "data-own": true })),
  h("output", { "data-own": true }));
}

const within = (value, count) => Math.max(0, Math.min(count - 1, value));
