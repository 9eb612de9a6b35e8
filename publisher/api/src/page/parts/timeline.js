// A job by worker over time: utilization and failures.

import { h, s } from "../core/dom.js";
import { clockTime, count, measure, number, percent } from "../core/format.js";
import { readable } from "./reading.js";
import { textTable } from "./chart.js";

const ROW = 24;
const FOOT = 24;
const LONGEST_NAME = 18;

/** Number of workers that are drawn. */
const MOST_WORKERS = 100;

/** The timeline as the API gives it, `width` pixels wide. */
export function timeline(data, width) {
  const { from, bucket, sampled } = data;
  const workers = data.workers.slice(0, MOST_WORKERS);
  const columns = data.throughput.length;
  const names = width < 600 ? 74 : 150;
  const size = { width, height: workers.length * ROW + FOOT };
  const area = { left: names, right: width - 8, top: 0, bottom: workers.length * ROW };
  const start = new Date(from).getTime();
  const when = (at) => clockTime(start + 1000 * bucket * at);
  const say = (at, row) => reading(workers[row], at, `${when(at)}–${when(at + 1)}`);

  return h("div", {},
    h("p", { class: "note" }, "Height: the share of the time that a worker was busy. ",
      h("span", { class: "bad-text" }, "▼"), " a datum failed.",
      sampled < 1 && ` Estimated from ${percent(sampled, 1)} of the datums.`,
      data.workers.length > MOST_WORKERS && ` ${number(data.workers.length - MOST_WORKERS)} more workers are in the table.`),
    h("div", { class: "timeline-box", tabindex: -1 },
      readable({ label: "Timeline by worker", size, area, columns, rows: workers.length, say },
        workers.map((worker, row) => line(worker, row, area, columns)),
        [0, 0.5, 1].map((share) => s("text", {
          class: "mark", x: area.left + (area.right - area.left) * share, y: size.height - 7,
          "text-anchor": ["start", "middle", "end"][share * 2],
        }, when(Math.round(columns * share)))))),
    h("details", { on: { toggle: (event) => fill(event.currentTarget, data.workers) } },
      h("summary", {}, "As a table"), h("div", { class: "table-box low", "data-own": true, tabindex: 0 })));
}

function line(worker, row, area, columns) {
  const cell = (area.right - area.left) / columns;
  const bottom = (row + 1) * ROW - 4;
  const x = (at) => (area.left + at * cell).toFixed(1);
  const height = (share) => (share * (ROW - 8)).toFixed(1);
  const block = (share, at) => `M${x(at)},${bottom}v-${height(share)}h${cell.toFixed(2)}v${height(share)}Z`;
  const busy = worker.busy.map((share, at) => (share > 0 ? block(share, at) : ""));
  const failed = worker.failed.map((failures, at) => (failures > 0 ? `M${x(at + 0.5)},${bottom - 12}l-4,-7h8Z` : ""));
  return s("g", { key: worker.worker },
    s("text", { class: "mark", x: 0, y: bottom - 3 }, shortened(worker.worker, area.left)),
    s("path", { class: "grid", d: `M${area.left},${bottom}H${area.right}` }),
    s("path", { class: "busy", d: busy.join("") }),
    s("path", { class: "fell", d: failed.join("") }));
}

function shortened(name, room) {
  const longest = room < 100 ? 10 : LONGEST_NAME;
  return name.length > longest ? `…${name.slice(1 - longest)}` : name;
}

function reading(worker, at, span) {
  return [
    worker.worker, span,
    `${percent(worker.busy[at], 1)} busy`,
    `${count(Math.round(worker.ended[at]), "datum")} ended`,
    worker.failed[at] > 0 && `${number(worker.failed[at])} failed`,
  ].filter(Boolean).join(" · ");
}

function fill(details, workers) {
  if (!details.open) return;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  details.lastElementChild.replaceChildren(textTable(
    ["Worker", "Busy", "Ended", "Failed"],
    workers.map(({ worker, busy, ended, failed }) =>
      [worker, percent(sum(busy), busy.length), measure(sum(ended)), number(sum(failed))])));
}
