// One pipeline: what it reads, whether it stands ready, its jobs and its spec.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { number, time } from "../core/format.js";
import { JobList } from "../core/jobs.js";
import { actionButton, deletePipeline, pausePipeline, resumePipeline, runPipeline } from "../parts/actions.js";
import { graph } from "../parts/graph.js";
import { jobsTable } from "../parts/jobs.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

/** Opens the page of the pipeline `name`. */
export function pipeline(view, name) {
  let it = null;
  let edges = null;
  const list = new JobList();

  view.shows(name, () => it === null ? h("p", { class: "empty" }, "Asking …") : [
    head(it),
    it.why && h("p", { class: "why", key: "why" }, h("b", {}, "Why is nothing running? "), it.why),
    h("section", { class: "panel", key: "inputs", "aria-labelledby": "inputs-title" },
      h("h2", { id: "inputs-title" }, "Reads and feeds"),
      graph(edges, name),
      inputsTable(it)),
    h("section", { class: "panel", key: "jobs", "aria-labelledby": "jobs-title" },
      h("div", { class: "head" }, h("h2", { id: "jobs-title" }, "Jobs"), h("a", { href: `/jobs?pipeline=${name}` }, "All its jobs")),
      jobsTable(list.jobs, { now: list.now, pipeline: false, empty: noJobs(it) })),
    spec(it),
  ]);

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const [asked, drawn, newest] = await Promise.all([
      get(`/pipelines/${name}`, {}, view.signal), get("/graph", {}, view.signal),
      get("/jobs", { pipeline: name, limit: 15 }, view.signal),
    ]);
    it = asked;
    edges = drawn;
    list.take(newest.jobs);
  });
  view.on("job", (event) => {
    if (event.pipeline !== name) return;
    if (list.update(event)) view.draw();
    else if (list.misses(event)) reload();
  });
  view.on("pipeline", (event) => event.pipeline === name && reload());
}

function head(it) {
  const act = (text, action, options) => actionButton(text, () => action(it), options);
  return h("div", { class: "head", key: "head" },
    h("div", {},
      h("p", { class: "crumbs" }, h("a", { href: "/" }, "Pipelines"), " /"),
      h("h1", {}, it.pipeline, " ", badge(it.state)),
      it.description && h("p", {}, it.description),
      h("p", { class: "facts" }, `revision ${number(it.revision)} · created `, time(it.created), " · updated ", time(it.updated))),
    h("div", { class: "actions" },
      act("Run now", runPipeline),
      it.paused ? act("Resume", resumePipeline) : act("Pause", pausePipeline),
      act("Delete", deletePipeline, { danger: true })));
}

const inputsTable = ({ inputs, outputs_to: readers }) => [
  table({
    caption: "Inputs",
    rows: inputs,
    keyOf: ({ name }) => name,
    empty: "It has no inputs.",
    columns: [
      { head: "Input", cell: ({ name }) => name },
      { head: "From", cell: ({ from, repo, kind }) =>
        from ? ["pipeline ", h("a", { href: `/pipelines/${from}` }, from)] : kind === "cron" ? "schedule" : ["folder ", h("code", {}, repo)] },
      { head: "Pattern", class: "path", cell: ({ kind, glob, schedule }) => (kind === "cron" ? schedule : glob) },
    ],
  }),
  h("p", { class: "note" }, readers.length
    ? ["Its output is read by ", readers.flatMap((name, at) => [at > 0 && ", ", h("a", { href: `/pipelines/${name}` }, name)]), "."]
    : ["No pipeline reads its output."]),
];

const noJobs = ({ inputs }) => h("p", {}, "It has not run yet. ",
  inputs[0]?.kind === "cron" ? "Its schedule starts the first job." : ["Put a file into the folder ", h("code", {}, inputs[0]?.repo ?? ""), " of the store."]);

const spec = ({ spec: normal }) => h("details", { class: "panel", key: "spec" },
  h("summary", {}, h("h2", {}, "Spec")),
  h("pre", { tabindex: 0 }, JSON.stringify(normal, null, 2)));
