// What there is and how it goes: pipelines with their graph, and the newest jobs.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, time } from "../core/format.js";
import { JobList } from "../core/jobs.js";
import { hello, session } from "../core/session.js";
import { graph } from "../parts/graph.js";
import { jobsTable } from "../parts/jobs.js";
import { slimBar } from "../parts/bar.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

const NEWEST = 12;

/** Opens the overview. */
export function overview(view) {
  let pipelines = null;
  let edges = null;
  const list = new JobList();

  view.shows("Overview", () => pipelines === null ? h("p", { class: "empty" }, "Asking …") : [
    h("div", { class: "head" }, h("h1", {}, "Overview"), h("p", { class: "facts" }, facts(pipelines))),
    brokerTrouble(),
    pipelinesPanel(pipelines, edges, list),
    jobsPanel(list),
  ]);

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const [all, drawn, newest] = await Promise.all([
      get("/pipelines", {}, view.signal), get("/graph", {}, view.signal), get("/jobs", { limit: NEWEST }, view.signal),
      hello(),
    ]);
    pipelines = all.pipelines;
    edges = drawn;
    list.take(newest.jobs);
  });
  view.on("job", (event) => {
    if (list.update(event)) view.draw();
    else if (list.misses(event)) reload();
  });
  view.on("pipeline", reload);
}

function facts(pipelines) {
  const inState = (state) => pipelines.filter((pipeline) => pipeline.state === state).length;
  const states = ["running", "waiting", "paused"].filter(inState).map((state) => `${inState(state)} ${state}`);
  return [
    [count(pipelines.length, "pipeline"), ...states].join(" · "),
    session() && [" · store ", h("code", {}, session().store)],
  ];
}

function brokerTrouble() {
  const { broker, broker_why: why } = session() ?? {};
  if (broker !== "down" && broker !== "blocked") return null;
  return h("p", { class: "why", key: "broker", role: "alert" },
    h("b", {}, `The broker is ${broker}. `), why ?? "", " Nothing is lost; work goes on when it is back.");
}

function pipelinesPanel(pipelines, edges, list) {
  return h("section", { class: "panel", key: "pipelines", "aria-labelledby": "pipelines-title" },
    h("h2", { id: "pipelines-title" }, "Pipelines"),
    edges.nodes.length > 0 && graph(edges),
    table({
      caption: "Pipelines",
      rows: pipelines,
      keyOf: ({ pipeline }) => pipeline,
      columns: columns(list),
      empty: [
        h("p", {}, h("b", {}, "No pipelines yet.")),
        h("p", {}, "A pipeline stands and waits for data. Make the first one: ", h("code", {}, "drover create pipeline -f SPEC")),
      ],
    }));
}

const columns = (list) => [
  { head: "Pipeline", cell: ({ pipeline, description }) => [
    h("a", { href: `/pipelines/${pipeline}` }, pipeline), description && h("p", { class: "note" }, description)] },
  { head: "State", cell: ({ state, why }) => [badge(state), why && h("p", { class: "note" }, why)] },
  { head: "Reads", class: "reads", cell: ({ inputs }) => reads(inputs) },
  { head: "Last job", class: "wide", cell: (pipeline) => lastJob(pipeline, list) },
];

/** Inputs in a few words: `in/*.txt`, `@every 1m`. */
const reads = (inputs) => inputs.map((input) => h("div", { class: "path" },
  input.kind === "cron" ? [h("span", { class: "dim" }, "◷ "), input.schedule] : [h("span", { class: "dim" }, input.repo), input.glob]));

function lastJob({ last_job: last, open_jobs: open }, list) {
  const record = open[0] ?? last;
  if (!record) return h("span", { class: "dim" }, "has not run yet");
  const newest = list.jobs.find(({ job }) => job === record.job) ?? record;
  return [
    slimBar(newest, list.now(record.job)),
    h("p", { class: "note" }, h("a", { href: `/jobs/${record.job}` }, newest.state), " · ", time(newest.created)),
  ];
}

function jobsPanel(list) {
  return h("section", { class: "panel", key: "jobs", "aria-labelledby": "jobs-title" },
    h("div", { class: "head" }, h("h2", { id: "jobs-title" }, "Newest jobs"), h("a", { href: "/jobs" }, "All jobs")),
    jobsTable(list.jobs, {
      now: list.now,
      empty: h("p", {}, "No jobs yet. Put a file into an input folder, or start one: ", h("code", {}, "drover publish SPEC")),
    }));
}
