// One pipeline: inputs, state, jobs and spec.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { number, time } from "../core/format.js";
import { JobList } from "../core/jobs.js";
import { graphOf } from "../core/pipelines.js";
import { mayAct } from "../core/session.js";
import { actionButton, deletePipeline, pausePipeline, resumePipeline, runPipeline, scalePipeline } from "../parts/actions.js";
import { graph } from "../parts/graph.js";
import { jobsTable } from "../parts/jobs.js";
import { asking, code, commas, crumbs, head, link, note, panel, pipelineLink, reason, why } from "../parts/pieces.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

const NEWEST = 15;

/** Opens the page of the pipeline `name`. */
export function pipeline(view, name) {
  let it = null;
  let drawing = null;
  const list = new JobList();

  view.shows(name, () => (it === null ? asking() : [
    title(it),
    it.state === "failed" ? reason(it.why) : why(it.why),
    panel("inputs", ["Reads and feeds ", link(`/files?path=${name}`, "Its output folder")], graph(drawing, name), inputsTable(it), readers(it)),
    panel("jobs", ["Jobs ", link(`/jobs?pipeline=${name}`, "All its jobs")],
      jobsTable(list.jobs, { now: list.now, pipeline: false, empty: noJobs(it) })),
    spec(it),
  ]));

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const [asked, all, newest] = await Promise.all([
      get(`/pipelines/${name}`, {}, view.signal),
      get("/pipelines", {}, view.signal),
      get("/jobs", { pipeline: name, limit: NEWEST }, view.signal),
    ]);
    it = asked;
    drawing = graphOf(all.pipelines);
    list.take(newest.jobs);
  });
  view.on("job", (event) => {
    if (event.pipeline !== name) return;
    if (list.update(event)) view.drawSoon();
    else if (list.misses(event)) reload();
  });
  view.on("pipeline", (event) => event.pipeline === name && reload());
}

function title(it) {
  const act = (text, action, options) => actionButton(text, () => action(it), options);
  return head([
    crumbs(link("/", "Pipelines")),
    h("h1", {}, it.pipeline, " ", badge(it.state)),
    it.description && h("p", {}, it.description),
    h("p", { class: "facts" },
      `revision ${number(it.revision)} · created `, time(it.created), " · updated ", time(it.updated)),
  ],
  act("Run now", runPipeline),
  mayAct() && h("a", { class: "button", "data-action": true, href: `/pipelines/${it.pipeline}/edit` }, "Edit"),
  act("Scale", scalePipeline),
  it.paused ? act("Resume", resumePipeline) : act("Pause", pausePipeline),
  act("Delete", deletePipeline, { danger: true }));
}

const inputsTable = ({ inputs }) => table({
  caption: "Inputs",
  rows: inputs,
  keyOf: ({ name }) => name,
  empty: "It has no inputs.",
  columns: [
    { head: "Input", cell: ({ name }) => name },
    { head: "From", cell: source },
    { head: "Pattern", class: "path", cell: ({ kind, glob, schedule }) => (kind === "cron" ? schedule : glob) },
  ],
});

function source({ from, repo, kind }) {
  if (kind === "cron") return "schedule";
  return from ? ["pipeline ", pipelineLink(from)] : ["folder ", /^\w+:\/\//.test(repo) ? code(repo) : link(`/files?path=${repo}`, repo)];
}

const readers = ({ outputs_to: names }) => (names.length
  ? note("Its output is read by ", commas(names.map(pipelineLink)), ".")
  : note("No pipeline reads its output."));

function noJobs({ inputs: [first] }) {
  if (first?.kind === "cron") return "It has not run yet. Its schedule starts the first job.";
  return h("p", {}, "It has not run yet. Put a file into the folder ", code(first?.repo), " of the store.");
}

const spec = ({ spec: normal }) => h("details", { class: "panel", key: "spec" },
  h("summary", {}, h("h2", {}, "Spec")),
  h("pre", { tabindex: 0 }, JSON.stringify(normal, null, 2)));
