// Jobs as a table, with one bar each.

import { ticking } from "../core/clock.js";
import { between, duration, time } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { slimBar } from "./bar.js";
import { jobLink, pipelineLink, reason, shortId } from "./pieces.js";
import { badge } from "./state.js";
import { table } from "./table.js";

/** The table; `now(id)` returns live figures (see `progressOf`), if known. */
export function jobsTable(jobs, { now, empty, caption = "Jobs, newest first", pipeline = true }) {
  const columns = [
    { head: "Job", class: "id", cell: ({ job }) => jobLink(job, shortId(job)) },
    pipeline && { head: "Pipeline", cell: (record) => pipelineLink(record.pipeline) },
    { head: "State", cell: (record) => badge(record.state) },
    { head: "Datums", class: "wide", cell: (record) => [slimBar(record, now(record.job)), reason(record.reason)] },
    { head: "Created", cell: ({ created }) => time(created) },
    { head: "Took", class: "number", cell: took },
  ];
  return table({ caption, columns: columns.filter(Boolean), rows: jobs, keyOf: ({ job }) => job, empty });
}

/** Duration of a job so far. */
export function took(record) {
  if (isOpen(record)) return ticking(record.started ?? record.created);
  return record.started ? duration(between(record.started, record.finished)) : "–";
}
