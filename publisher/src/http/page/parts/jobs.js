// Jobs as a table, with one bar each.

import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { between, duration, time } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { slimBar } from "./bar.js";
import { badge } from "./state.js";
import { table } from "./table.js";

/** The table; `now(id)` gives what the records don't hold (see `progressOf`), if it is known. */
export function jobsTable(jobs, { now, empty, caption = "Jobs, newest first", pipeline = true }) {
  const columns = [
    { head: "Job", class: "id", cell: ({ job }) => h("a", { href: `/jobs/${job}`, title: job }, tail(job)) },
    pipeline && { head: "Pipeline", cell: (record) => h("a", { href: `/pipelines/${record.pipeline}` }, record.pipeline) },
    { head: "State", cell: (record) => badge(record.state) },
    { head: "Datums", class: "wide", cell: (record) => [slimBar(record, now(record.job)), record.reason && h("p", { class: "reason" }, record.reason)] },
    { head: "Created", cell: ({ created }) => time(created) },
    { head: "Took", class: "number", cell: took },
  ];
  return table({ caption, columns: columns.filter(Boolean), rows: jobs, keyOf: ({ job }) => job, empty });
}

/** How long a job ran, or has been running. */
export function took(record) {
  if (isOpen(record)) return ticking(record.started ?? record.created);
  return record.started ? duration(between(record.started, record.finished)) : "–";
}

// An id's end tells jobs apart; its beginning is the time.
const tail = (id) => [h("span", { class: "id-head" }, id.slice(0, -8)), id.slice(-8)];
