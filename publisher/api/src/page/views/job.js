// One job: progress, obstacles, failures, datums, and timeline.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { count, duration, number, time } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { query, setQuery } from "../core/router.js";
import { DatumSearch } from "../core/search.js";
import { actionButton, redoMatching, retryButton, stopJob } from "../parts/actions.js";
import { bar } from "../parts/bar.js";
import { bars, series } from "../parts/chart.js";
import { datumsPanel } from "../parts/datums.js";
import { failuresPanel } from "../parts/failures.js";
import { took } from "../parts/jobs.js";
import {
  asking, costs, crumbs, datumLink, dim, factsList, head, jobLink, jobUsage, link, note, panel, pipelineLink, reason, strong, why,
} from "../parts/pieces.js";
import { badge } from "../parts/state.js";
import { timeline } from "../parts/timeline.js";

/** Number of running datums that are listed. */
const MOST_RUNNING = 12;
const BUCKETS = 120;
/** Ends that the API reads of a large job at most; then it reads no more. */
const MOST_SAMPLED = 20_000;
/** Ends that a bucket of the throughput has on average at least, since a rate of less is noise. */
const LEAST_ENDS = 5;
const LEAST_BUCKETS = 10;
/** Padding of the view and of its panel, in pixels. */
const AROUND_TIMELINE = 82;
const LEAST_WIDTH = 280;

/** Opens the page of a job. */
export function job(view, id) {
  const it = { detail: null, failures: { groups: [], others: 0 }, times: null };
  const search = new DatumSearch(id, () => view.draw(), view.signal);
  const find = (filter) => {
    if (view.signal.aborted) return;
    setQuery(filter);
    search.find(filter);
  };

  view.shows(`Job ${id}`, () => (it.detail === null ? asking() : page(it, search, find, view.width)));

  const open = () => it.detail === null || isOpen(it.detail.record);
  const reload = view.every((live) => (open() ? (live ? 4 : 2) : 30), async () => {
    const was = it.detail?.record.state;
    it.detail = await get(`/jobs/${id}`, {}, view.signal);
    if (was && was !== it.detail.record.state) reloadRest();
  });
  // A large job is read bit by bit, each request further than the one before.
  const isWhole = () => it.times === null || it.times.sampled * it.detail.record.datums.total > MOST_SAMPLED || it.times.sampled === 1;
  const reloadRest = view.every(() => (open() ? 5 : isWhole() ? 60 : 2), async () => {
    [it.failures, it.times] = await Promise.all([
      get(`/jobs/${id}/failures`, {}, view.signal),
      get(`/jobs/${id}/timeline`, { buckets: BUCKETS }, view.signal),
    ]);
    if (open()) search.refresh();
  });
  view.on("job", (event) => {
    if (event.job !== id || it.detail === null) return;
    if (isOpen(it.detail.record) && !isOpen(event)) reload();
    it.detail = withEvent(it.detail, event);
    view.drawSoon();
  });
  window.addEventListener("resize", () => view.draw(), { signal: view.signal });
  search.find(query());
}

/** Merges a live event into the details of the job. */
function withEvent(detail, { queued, running, rate, eta, ...record }) {
  return { ...detail, record, queued, running, live: detail.live && { ...detail.live, rate, eta } };
}

function page({ detail, failures, times }, search, find, width) {
  const { record } = detail;
  const workers = times?.workers.map(({ worker }) => worker) ?? [];
  const show = (group) => {
    find({ group });
    document.getElementById("datums").scrollIntoView();
  };
  return [
    title(detail),
    why(detail.why),
    h("section", { class: "panel", key: "progress", "aria-label": "Progress" }, bar(record, now(detail)), facts(detail)),
    runningPanel(detail),
    failuresPanel(failures, { record, show }),
    datumsPanel(search, {
      job: record.job, total: record.datums.total, workers, groups: failures.groups, find,
      redo: !isOpen(record) && ((filter) => redoMatching(record, filter)),
    }),
    workers.length > 0 && times.throughput.length > 0 && timePanels(times, Math.max(LEAST_WIDTH, width - AROUND_TIMELINE)),
  ];
}

/** Live figures for the bar. */
const now = ({ queued, running, live }) => ({ queued, running, rate: live?.rate, eta: live?.eta, expanded: live?.expanded });

function title({ record, stop_requested: stopping, parent, group }) {
  const stop = () => actionButton("Stop", () => stopJob(record.job), { danger: true });
  return head([
    crumbs(link("/jobs", "Jobs"), pipelineLink(record.pipeline)),
    h("h1", {}, h("span", { class: "id" }, record.job), " ", badge(record.state)),
    reason(record.reason),
    parent && h("p", { class: "facts" }, group ? "retries one group of failures of " : "retries ", jobLink(parent)),
  ],
  isOpen(record) && (stopping ? h("span", { class: "badge warn" }, "being stopped") : stop()),
  h("a", { class: "button", href: `/jobs/${record.job}/changes`, key: "changes" }, "What changed"),
  retryButton(record));
}

function facts({ record, live }) {
  return factsList([
    ["Created", time(record.created)],
    ["Started", time(record.started)],
    [isOpen(record) ? "Running for" : "Took", took(record)],
    ...costs(record.stats),
    ...jobUsage(record.usage),
    record.redelivered > 0 && ["Delivered again", number(record.redelivered)],
    record.duplicates > 0 && ["Told twice", number(record.duplicates)],
    live?.files && ["Files published", `${number(live.files.done)} of ${number(live.files.total)}`],
  ]);
}

function runningPanel({ record, live }) {
  if (!isOpen(record) || !live || live.running.length === 0) return null;
  const { running } = live;
  const item = ({ index, attempt, worker, since }) => h("li", { key: `r${index}` },
    datumLink(record.job, index, `Datum ${number(index)}`), ` on ${worker} `,
    attempt > 1 && [h("span", { class: "badge warn" }, `try ${attempt}`), " "],
    strong(ticking(since)));
  return panel("running", ["Running now ", dim(count(running.length, "datum"))],
    h("ul", { class: "running-list" }, running.slice(0, MOST_RUNNING).map(item)),
    running.length > MOST_RUNNING && note(`and ${number(running.length - MOST_RUNNING)} more`));
}

function timePanels(times, width) {
  const { from, bucket, throughput, latency, queue_age: ages } = times;
  const quantiles = ["p50", "p90", "p99"].map((name) => [name, latency?.[name] ?? 0]);
  return h("div", { key: "times" },
    panel("timeline", "Timeline by worker", timeline(times, width)),
    h("div", { class: "charts" },
      series({ title: "Throughput", unit: "datums/s", from, ...rates(throughput, bucket) }),
      bars({ title: "Latency of a datum", unit: "staging, command, storing", rows: quantiles, say: duration }),
      series({ title: "Wait until the start", unit: "s", from, bucket, values: ages })));
}

/** Rates over buckets so long that each has some ends. */
function rates(ends, bucket) {
  const total = ends.reduce((sum, each) => sum + each, 0);
  const wanted = Math.max(LEAST_BUCKETS, total / LEAST_ENDS);
  const joined = [1, 2, 3, 4, 6, 12].find((each) => ends.length / each <= wanted) ?? 12;
  const sums = Array.from({ length: Math.ceil(ends.length / joined) }, (_, at) =>
    ends.slice(at * joined, (at + 1) * joined).reduce((sum, each) => sum + each, 0));
  return { bucket: bucket * joined, values: sums.map((sum) => sum / (bucket * joined)) };
}
