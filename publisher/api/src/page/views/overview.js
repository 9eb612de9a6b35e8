// The overview: pipelines with their graph, and the newest jobs.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, time } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { connectionState } from "../core/events.js";
import { JobList } from "../core/jobs.js";
import { graphOf } from "../core/pipelines.js";
import { hello, mayAct, session, startCommand } from "../core/session.js";
import { attentionPanel } from "../parts/attention.js";
import { slimBar } from "../parts/bar.js";
import { graph } from "../parts/graph.js";
import { jobsTable } from "../parts/jobs.js";
import { asking, code, dim, head, link, note, panel, pipelineLink, strong } from "../parts/pieces.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

const NEWEST = 12;

/** Opens the overview. */
export function overview(view) {
  let pipelines = null;
  let attention = [];
  let drawing = null;
  const list = new JobList();

  view.shows("Overview", () => (pipelines === null ? asking() : [
    head([h("h1", {}, "Overview"), h("p", { class: "facts" }, facts(pipelines))]),
    brokerTrouble(),
    attentionPanel(attention),
    panel("pipelines", ["Pipelines ", mayAct() && link("/pipelines", "New pipeline")], drawing.nodes.length > 0 && graph(drawing), pipelinesTable(pipelines, list)),
    panel("newest", ["Newest jobs ", link("/jobs", "All jobs")], jobsTable(list.jobs, { now: list.now, empty: noJobs() })),
  ]));

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const [all, troubles, newest] = await Promise.all([
      get("/pipelines", {}, view.signal),
      get("/attention", {}, view.signal),
      get("/jobs", { limit: NEWEST }, view.signal),
      // The live connection tells changes of the session by itself.
      connectionState() === "not connected" && hello(),
    ]);
    pipelines = all.pipelines;
    attention = troubles.items;
    drawing = graphOf(pipelines);
    list.take(newest.jobs);
  });
  view.on("job", (event) => {
    const ended = !isOpen(event);
    if (list.update(event)) view.drawSoon();
    if (ended || list.misses(event)) reload();
  });
  view.on("pipeline", reload);
}

function facts(pipelines) {
  const inState = (state) => pipelines.filter((pipeline) => pipeline.state === state).length;
  const states = ["failed", "running", "waiting", "paused"].filter(inState).map((state) => `${inState(state)} ${state}`);
  return [
    [count(pipelines.length, "pipeline"), ...states].join(" · "),
    session() && [" · store ", code(session().store)],
  ];
}

function brokerTrouble() {
  const { broker, broker_why: because } = session() ?? {};
  if (broker !== "down" && broker !== "blocked") return null;
  return h("p", { class: "why", key: "broker", role: "alert" },
    strong(`The broker is ${broker}. `), because, " Nothing is lost; work goes on when it is back.");
}

const pipelinesTable = (pipelines, list) => table({
  caption: "Pipelines",
  rows: pipelines,
  keyOf: ({ pipeline }) => pipeline,
  columns: [
    { head: "Pipeline", cell: ({ pipeline, description }) => [pipelineLink(pipeline), description && note(description)] },
    { head: "State", cell: ({ state, why }) => [badge(state), why && note(why)] },
    { head: "Reads", class: "reads", cell: ({ inputs }) => inputs.map(reads) },
    { head: "Last job", class: "wide", cell: (pipeline) => lastJob(pipeline, list) },
  ],
  empty: [
    h("p", {}, strong("No pipelines yet.")),
    h("p", {}, "A registered pipeline waits for data. Register the first one: ", code("drover create pipeline -f SPEC")),
  ],
});

/** An input in a few words: `in/*.txt`, `@every 1m`. */
const reads = ({ kind, repo, glob, schedule }) =>
  h("div", { class: "path" }, kind === "cron" ? [dim("◷ "), schedule] : [dim(repo), glob]);

function lastJob({ last_job: last, open_jobs: open }, list) {
  const record = open[0] ?? last;
  if (!record) return dim("has not run yet");
  const newest = list.jobs.find(({ job }) => job === record.job) ?? record;
  return [
    slimBar(newest, list.now(record.job)),
    note(link(`/jobs/${record.job}`, newest.state), " · ", time(newest.created)),
  ];
}

const noJobs = () => h("p", {}, "No jobs yet. Put a file into an input folder, or start one: ", code(startCommand()));
