// The workers with their running datums, and the pipelines without workers.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { count, number } from "../core/format.js";
import { asking, code, commas, datumLink, dim, head, jobLink, pipelineLink, shortId, strong } from "../parts/pieces.js";
import { table } from "../parts/table.js";

/** Opens the page of the workers. */
export function workers(view) {
  let it = null;
  let pipelines = [];

  view.shows("Workers", () => (it === null ? asking() : [
    head(h("h1", {}, "Workers"), h("p", { class: "facts" }, summary(it))),
    lonely(it, pipelines),
    h("section", { class: "panel", key: "workers", "aria-label": "Workers" }, workersTable(it)),
  ]));

  view.every(() => 3, async () => {
    const [all, standing] = await Promise.all([get("/workers", {}, view.signal), get("/pipelines", {}, view.signal)]);
    it = all;
    pipelines = standing.pipelines;
  });
}

function summary({ workers: all }) {
  const busy = all.filter(({ running }) => running.length > 0).length;
  const datums = all.reduce((sum, { running }) => sum + running.length, 0);
  return `${count(all.length, "worker")} · ${number(busy)} busy with ${count(datums, "datum")}`;
}

// Pipelines without workers come first, because they need attention.
function lonely({ consumers }, pipelines) {
  const alone = pipelines.filter(({ pipeline, paused }) => !paused && !consumers[pipeline]);
  if (alone.length === 0) return null;
  const names = alone.map(({ pipeline }) => pipeline);
  return h("p", { class: "why", key: "lonely" },
    strong(count(alone.length, "pipeline has", "pipelines have"), " no worker: "), commas(names.map(pipelineLink)),
    ". Their datums wait. Start one: ", code(`drover-worker --pipeline ${names.join(",")}`));
}

const workersTable = ({ workers: all, consumers }) => table({
  caption: "Workers",
  rows: all,
  keyOf: ({ worker, pipeline }) => `${worker} ${pipeline}`,
  columns: [
    { head: "Worker", cell: ({ worker }) => worker },
    { head: "Pipeline", cell: ({ pipeline }) => (pipeline ? pipelineLink(pipeline) : "–") },
    { head: "Runs", class: "wide", cell: ({ running }) => runs(running) },
    { head: "Last heard of", class: "number", cell: ({ last_seen: seen }) => ticking(seen, " ago") },
  ],
  empty: Object.values(consumers).some((connected) => connected > 0) ? h("p", {}, strong("Nothing runs at the moment.")) : [
    h("p", {}, strong("No worker is connected.")),
    h("p", {}, "Start one on any machine that sees the store and the broker: ", code("drover-worker --pipeline NAME")),
  ],
});

const runs = (running) => (running.length === 0 ? dim("nothing")
  : h("ul", { class: "running-list" }, running.map(({ job, index, attempt, since }) => h("li", { key: `${job}-${index}` },
    datumLink(job, index, `datum ${number(index)}`), " of ", jobLink(job, shortId(job)), " ",
    attempt > 1 && [h("span", { class: "badge warn" }, `try ${attempt}`), " "],
    strong(ticking(since))))));
