// One job: how far it is, why it stands still, what failed, its datums, and where the time went.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { bytes, count, duration, number, time } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { query, setQuery } from "../core/router.js";
import { DatumSearch } from "../core/search.js";
import { actionButton, retryButton, stopJob } from "../parts/actions.js";
import { bar } from "../parts/bar.js";
import { bars, series } from "../parts/chart.js";
import { datumsPanel } from "../parts/datums.js";
import { failuresPanel } from "../parts/failures.js";
import { took } from "../parts/jobs.js";
import { badge } from "../parts/state.js";
import { timeline } from "../parts/timeline.js";

const MOST_RUNNING = 12;
const LEAST_WIDTH = 280;

/** Opens the page of a job. */
export function job(view, id) {
  const it = { detail: null, failures: { groups: [], others: 0 }, timeline: null };
  const search = new DatumSearch(id, () => view.draw(), view.signal);
  const find = (filter) => {
    setQuery(filter);
    search.find(filter);
    view.draw();
  };
  const showGroup = (group) => {
    find({ group });
    document.getElementById("datums").scrollIntoView();
  };

  view.shows(`Job ${id}`, () => it.detail === null ? h("p", { class: "empty" }, "Asking …") : page(it, search, { find, showGroup, width: view.width }));

  const open = () => it.detail === null || isOpen(it.detail.record);
  const reload = view.every((live) => (open() ? (live ? 4 : 2) : 30), async () => {
    const was = it.detail?.record.state;
    it.detail = await get(`/jobs/${id}`, {}, view.signal);
    if (was && was !== it.detail.record.state) reloadRest();
  });
  const reloadRest = view.every(() => (open() ? 5 : 60), async () => {
    [it.failures, it.timeline] = await Promise.all([
      get(`/jobs/${id}/failures`, {}, view.signal), get(`/jobs/${id}/timeline`, { buckets: 120 }, view.signal),
    ]);
    if (open()) search.refresh();
  });
  view.on("job", (event) => {
    if (event.job !== id || it.detail === null) return;
    const ended = isOpen(it.detail.record) && !isOpen(event);
    const { queued, running, rate, eta, ...record } = event;
    it.detail = { ...it.detail, record, queued, running, live: it.detail.live && { ...it.detail.live, rate, eta } };
    if (ended) reload();
    view.draw();
  });
  window.addEventListener("resize", () => view.draw(), { signal: view.signal });
  search.find(query());
}

function page({ detail, failures, timeline: times }, search, { find, showGroup, width }) {
  const { record, why } = detail;
  const workers = times?.workers.map(({ worker }) => worker) ?? [];
  return [
    head(detail),
    why && h("p", { class: "why", key: "why" }, h("b", {}, "Why is nothing running? "), why),
    h("section", { class: "panel", key: "progress", "aria-label": "Progress" }, bar(record, now(detail)), facts(detail)),
    runningPanel(detail),
    failuresPanel(failures, { record, show: showGroup }),
    datumsPanel(search, { job: record.job, total: record.datums.total, workers, groups: failures.groups, find }),
    times && times.workers.length > 0 && times.throughput.length > 0 && timePanels(times, width),
  ];
}

/** What the bar needs beside the record. */
const now = ({ queued, running, live }) => ({ queued, running, rate: live?.rate, eta: live?.eta, expanded: live?.expanded });

function head({ record, stop_requested: stopping, parent }) {
  return h("div", { class: "head", key: "head" },
    h("div", {},
      h("p", { class: "crumbs" }, h("a", { href: "/jobs" }, "Jobs"), " / ", h("a", { href: `/pipelines/${record.pipeline}` }, record.pipeline), " /"),
      h("h1", {}, h("span", { class: "id" }, record.job), " ", badge(record.state)),
      record.reason && h("p", { class: "reason" }, record.reason),
      parent && h("p", { class: "facts" }, "retries ", h("a", { href: `/jobs/${parent}` }, parent))),
    h("div", { class: "actions" },
      isOpen(record) && (stopping ? h("span", { class: "badge warn" }, "being stopped") : actionButton("Stop", () => stopJob(record.job), { danger: true })),
      retryButton(record)));
}

function facts({ record, live }) {
  const { stats } = record;
  const rows = [
    ["Created", time(record.created)],
    ["Started", time(record.started)],
    isOpen(record) ? ["Running for", took(record)] : ["Took", took(record)],
    ["In commands", duration(stats.process_time_s)],
    ["Staging", `${duration(stats.download_time_s)}, ${bytes(stats.download_bytes)}`],
    ["Storing", `${duration(stats.upload_time_s)}, ${bytes(stats.upload_bytes)}`],
    record.redelivered > 0 && ["Delivered again", number(record.redelivered)],
    record.duplicates > 0 && ["Told twice", number(record.duplicates)],
    live?.files && ["Files published", `${number(live.files.done)} of ${number(live.files.total)}`],
  ];
  return h("dl", { class: "facts-list" }, rows.filter(Boolean).map(([name, value]) =>
    h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

function runningPanel({ record, live }) {
  if (!isOpen(record) || !live || live.running.length === 0) return null;
  const { running } = live;
  return h("section", { class: "panel", key: "running", "aria-labelledby": "running-title" },
    h("h2", { id: "running-title" }, "Running now ", h("span", { class: "dim" }, count(running.length, "datum"))),
    h("ul", { class: "running-list" },
      running.slice(0, MOST_RUNNING).map(({ index, attempt, worker, since }) => h("li", { key: `r${index}` },
        h("a", { href: `/jobs/${record.job}/datums/${index}` }, `Datum ${number(index)}`),
        ` on ${worker} `, attempt > 1 && h("span", { class: "badge warn" }, `attempt ${attempt}`), " ",
        h("b", {}, ticking(since))))),
    running.length > MOST_RUNNING && h("p", { class: "note" }, `and ${number(running.length - MOST_RUNNING)} more`));
}

function timePanels(times, width) {
  const { from, bucket, throughput, latency, queue_age: ages } = times;
  return h("section", { key: "times", "aria-labelledby": "times-title" },
    h("section", { class: "panel" }, h("h2", { id: "times-title" }, "Timeline by worker"), timeline(times, Math.max(LEAST_WIDTH, width - 82))),
    h("div", { class: "charts" },
      series({ title: "Throughput", unit: "datums/s", from, bucket, values: throughput.map((ended) => ended / bucket) }),
      bars({ title: "Latency of a datum", unit: "seconds from start to end", say: duration,
        rows: ["p50", "p90", "p99"].map((name) => [name, latency?.[name] ?? 0]) }),
      series({ title: "Age in the queue", unit: "s", from, bucket, values: ages })));
}
