// Small charts over time, and bars: with axes, units, a reading under the pointer or the arrow keys, and the same as a table.

import { h, s } from "../core/dom.js";
import { clockTime, measure } from "../core/format.js";
import { scale, ticks } from "./axes.js";
import { readable } from "./reading.js";

const SIZE = { width: 420, height: 170 };
const EDGE = { left: 46, right: 12, top: 12, bottom: 24 };
const AREA = { left: EDGE.left, right: SIZE.width - EDGE.right, top: EDGE.top, bottom: SIZE.height - EDGE.bottom };

/**
 * A value per bucket of time, `null` where there is none, which is a gap. `unit` follows each value; `from` and `bucket` give the times of the buckets.
 */
export function series({ title, unit, from, bucket, values }) {
  const marks = ticks(Math.max(0, ...values.map((value) => value ?? 0)));
  const y = scale(marks.at(-1), AREA.bottom, AREA.top);
  const x = scale(values.length, AREA.left, AREA.right);
  const start = new Date(from).getTime();
  const when = (at) => clockTime(start + 1000 * bucket * at);
  const say = (value) => (value === null ? "nothing" : measure(value));
  const reading = (at) => `${when(at)} · ${say(values[at])} ${values[at] === null ? "began" : unit}`;
  const foot = (at) => `${round(x(at + 0.5))},${AREA.bottom}`;
  const point = (at) => `${round(x(at + 0.5))},${round(y(values[at]))}`;
  return figure(title, unit, readable({ label: title, size: SIZE, area: AREA, columns: values.length, say: reading }, [
    grid(marks, y),
    runsOf(values).map((run) => [
      s("polygon", { class: "area", points: [foot(run[0]), ...run.map(point), foot(run.at(-1))].join(" ") }),
      run.length === 1 ? s("circle", { class: "dot", cx: x(run[0] + 0.5), cy: y(values[run[0]]), r: 2 })
        : s("polyline", { class: "line", points: run.map(point).join(" ") }),
    ]),
    timeMarks(when, values.length, x),
  ]), () => textTable(["Time", unit], values.map((value, at) => [when(at), say(value)])));
}

/** A few named values as horizontal bars. `rows` are `[name, value]`; `say` formats a value. */
export function bars({ title, unit, rows, say }) {
  const marks = ticks(Math.max(0, ...rows.map(([, value]) => value)), 3);
  const x = scale(marks.at(-1), AREA.left, AREA.right - 56);
  const band = (AREA.bottom - AREA.top) / rows.length;
  const frame = { class: "chart", viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": title };
  return figure(title, unit, s("svg", frame,
    marks.map((mark) => s("g", {},
      s("path", { class: "grid", d: `M${x(mark)},${AREA.top}V${AREA.bottom}` }),
      s("text", { class: "mark", x: x(mark), y: SIZE.height - 8, "text-anchor": "middle" }, say(mark)))),
    rows.map(([name, value], at) => {
      const middle = AREA.top + band * (at + 0.5);
      const long = Math.max(1, x(value) - AREA.left);
      return s("g", {},
        s("rect", { class: "lying", x: AREA.left, y: middle - 11, width: long, height: 22, rx: 3 }),
        s("text", { class: "mark", x: AREA.left - 8, y: middle + 4, "text-anchor": "end" }, name),
        s("text", { class: "value", x: x(value) + 7, y: middle + 4 }, say(value)));
    })),
  () => textTable(["", unit], rows.map(([name, value]) => [name, say(value)])));
}

/** The frame of all charts: a title, the picture, and a table with the same values, rendered on demand. */
function figure(title, unit, picture, makeTable) {
  return h("figure", { class: "panel chart-box", key: title },
    h("figcaption", {}, h("h3", {}, title), h("span", { class: "unit" }, unit)),
    picture,
    h("details", { on: { toggle: (event) => fillTable(event.currentTarget, makeTable) } },
      h("summary", {}, "As a table"), h("div", { class: "table-box low", "data-own": true, tabindex: 0 })));
}

function fillTable(details, makeTable) {
  if (details.open) details.lastElementChild.replaceChildren(makeTable());
}

/** A plain table of text. */
export const textTable = (heads, rows) => h("table", { class: "plain" },
  h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
  h("tbody", {}, rows.map(([name, ...cells]) =>
    h("tr", {}, h("th", { scope: "row" }, name), cells.map((cell) => h("td", {}, cell))))));

const grid = (marks, y) => marks.map((mark) => s("g", {},
  s("path", { class: "grid", d: `M${AREA.left},${y(mark)}H${AREA.right}` }),
  s("text", { class: "mark", x: AREA.left - 6, y: y(mark) + 4, "text-anchor": "end" }, measure(mark))));

/** Times at the start, in the middle and at the end. */
function timeMarks(when, count, x) {
  const rows = [[0, "start"], [count / 2, "middle"], [count, "end"]];
  return rows.map(([at, anchor]) =>
    s("text", { class: "mark", x: x(at), y: SIZE.height - 7, "text-anchor": anchor }, when(at)));
}

/** Runs of neighbouring buckets that have a value. */
function runsOf(values) {
  const runs = [];
  values.forEach((value, at) => {
    if (value === null) return;
    if (at > 0 && values[at - 1] !== null) runs.at(-1).push(at);
    else runs.push([at]);
  });
  return runs;
}

const round = (value) => Math.round(value * 10) / 10;
