// The workers: what each runs and for how long, and which pipelines have none.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { count, number } from "../core/format.js";
import { table } from "../parts/table.js";

/** Opens the page of the workers. */
export function workers(view) {
  let it = null;
  let pipelines = [];

  view.shows("Workers", () => it === null ? h("p", { class: "empty" }, "Asking …") : [
    h("div", { class: "head" }, h("h1", {}, "Workers"), h("p", { class: "facts" }, summary(it))),
    lonely(it, pipelines),
    h("section", { class: "panel", key: "workers" }, workersTable(it.workers)),
  ]);

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

// Work that nobody would take: said first, for it is what people look for here.
function lonely({ consumers }, pipelines) {
  const alone = pipelines.filter(({ pipeline, paused }) => !paused && !consumers[pipeline]);
  if (alone.length === 0) return null;
  return h("div", { class: "why", key: "lonely", role: "note" },
    h("b", {}, `${count(alone.length, "pipeline has", "pipelines have")} no worker: `),
    alone.flatMap(({ pipeline }, at) => [at > 0 && ", ", h("a", { href: `/pipelines/${pipeline}` }, pipeline)]),
    ". Their datums wait. Start one: ", h("code", {}, `drover-worker --pipeline ${alone[0].pipeline}`));
}

const workersTable = (all) => table({
  caption: "Workers",
  rows: all,
  keyOf: ({ worker }) => worker,
  empty: [
    h("p", {}, h("b", {}, "No worker is connected.")),
    h("p", {}, "Start one on any machine that sees the store and the broker: ", h("code", {}, "drover-worker")),
  ],
  columns: [
    { head: "Worker", cell: ({ worker }) => worker },
    { head: "Pipeline", cell: ({ pipeline }) => (pipeline ? h("a", { href: `/pipelines/${pipeline}` }, pipeline) : "–") },
    { head: "Runs", class: "wide", cell: ({ running }) => (running.length ? h("ul", { class: "running-list" }, running.map(task)) : h("span", { class: "dim" }, "nothing")) },
    { head: "Last heard of", class: "number", cell: ({ last_seen: seen }) => ticking(seen, " ago") },
  ],
});

const task = ({ job, index, attempt, since }) => h("li", { key: `${job}-${index}` },
  h("a", { href: `/jobs/${job}/datums/${index}` }, `datum ${number(index)}`), " of ",
  h("a", { class: "id", href: `/jobs/${job}`, title: job }, job.slice(-8)), " ",
  attempt > 1 && h("span", { class: "badge warn" }, `attempt ${attempt}`), " ", h("b", {}, ticking(since)));
