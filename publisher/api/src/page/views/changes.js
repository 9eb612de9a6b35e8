// What changed between a job and an earlier one of its pipeline.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { between, count, duration, number, time } from "../core/format.js";
import { query } from "../core/router.js";
import { asking, code, crumbs, datumLink, dim, empty, head, jobLink, link, note, panel, pipelineLink, shortId } from "../parts/pieces.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

/** Opens the comparison of job `id`, with the job before or the one that the address names. */
export function changes(view, id) {
  let it = null;
  let record = null;

  view.shows(`Changes of job ${shortId(id)}`, () => (it === null ? asking() : [
    head([
      crumbs(link("/jobs", "Jobs"), pipelineLink(record.pipeline), jobLink(id)),
      h("h1", {}, "What changed"),
    ]),
    it.with === null ? empty("There is no earlier job of this pipeline.") : [
      panel("jobs", "Both jobs", jobsTable([it.with, record])),
      panel("spec", ["Spec ", dim(count(it.spec.length, "difference"))], specTable(it.spec)),
      panel("datums", "Datums",
        h("p", {}, `${number(it.same)} are the same.`),
        group("Changed: their content, command or code differs", it.changed, id),
        group("New", it.added, id),
        group("Gone", it.removed, it.with.job)),
    ],
  ]));

  view.every(() => 3600, async () => {
    const [changed, job] = await Promise.all([
      get(`/jobs/${id}/changes`, { with: query().with }, view.signal), get(`/jobs/${id}`, {}, view.signal)]);
    it = changed;
    record = job.record;
  });
}

const jobsTable = (jobs) => table({
  caption: "Both jobs",
  rows: jobs,
  keyOf: ({ job }) => job,
  columns: [
    { head: "Job", cell: ({ job }) => jobLink(job, shortId(job)) },
    { head: "State", cell: ({ state }) => badge(state) },
    { head: "Created", cell: ({ created }) => time(created) },
    { head: "Took", class: "number", cell: ({ started, finished }) => (started && finished ? duration(between(started, finished)) : "–") },
    { head: "Datums", class: "number", cell: ({ datums }) => number(datums.total) },
    { head: "Run", class: "number", cell: ({ datums }) => number(datums.processed + datums.failed + datums.recovered) },
    { head: "Failed", class: "number", cell: ({ datums }) => number(datums.failed) },
  ],
});

const specTable = (fields) => table({
  caption: "Differences of the spec",
  rows: fields,
  keyOf: ({ path }) => path,
  empty: "The specs are the same.",
  columns: [
    { head: "Field", cell: ({ path }) => code(path) },
    { head: "Before", class: "wide", cell: ({ before }) => value(before) },
    { head: "After", class: "wide", cell: ({ after }) => value(after) },
  ],
});

const value = (text) => (text === null ? dim("absent") : code(text));

function group(title, { count: many, first }, job) {
  if (many === 0) return null;
  return h("details", { class: "file", key: title, open: many <= 10 },
    h("summary", {}, title, " ", dim(number(many))),
    h("ul", { class: "plain-list" }, first.map(({ index, inputs }) => h("li", { key: index },
      datumLink(job, index, `Datum ${number(index)}`), " ", h("span", { class: "path" }, inputs.join(" · "))))),
    many > first.length && note(`and ${number(many - first.length)} more`));
}
