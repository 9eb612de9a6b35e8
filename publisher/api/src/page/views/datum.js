// One datum: inputs, state, logs of the attempts, and outputs.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { between, bytes, count, duration, number, time } from "../core/format.js";
import {
  asking, code, commas, costs, crumbs, datumLink, dim, empty, factsList, head, jobLink, link, note, panel, pipelineLink, reason,
} from "../parts/pieces.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

const FINAL = ["success", "failed", "recovered", "skipped"];
const MOST_LINES = 1000;

const isFinal = ({ state }) => FINAL.includes(state);

/** Opens the page of datum `index` of job `id`. */
export function datum(view, id, index) {
  const at = Number(index);
  const path = `/jobs/${id}/datums/${at}`;
  const logs = new Map();
  let it = null;
  let record = null;

  view.shows(`Datum ${number(at)}`, () => (it === null ? asking() : [
    title(it, record),
    h("section", { class: "panel", key: "facts", "aria-label": "What became of it" }, facts(it)),
    inputs(it),
    outputs(it, id),
    attempts(it, logs),
  ]));

  view.every(() => (it !== null && isFinal(it) ? 60 : 2), async () => {
    const [asked, job] = await Promise.all([get(path, {}, view.signal), get(`/jobs/${id}`, {}, view.signal)]);
    [it, record] = [asked, job.record];
    await Promise.all(it.attempts_logged.map(async (attempt) => {
      if (logs.has(attempt) && isFinal(it)) return;
      logs.set(attempt, await get(`${path}/logs`, { attempt, tail: MOST_LINES }, view.signal));
    }));
  });
}

function title(it, { job, pipeline, datums }) {
  const step = (text, index, key) => (index >= 0 && index < datums.total
    ? h("a", { class: "button", href: `/jobs/${job}/datums/${index}`, "data-step": key }, text)
    : h("span", { class: "button off" }, text));
  return head([
    crumbs(link("/jobs", "Jobs"), pipelineLink(pipeline), jobLink(job)),
    h("h1", {}, `Datum ${number(it.index)} `, badge(it.state)),
    reason(it.reason),
  ],
  step("← Previous", it.index - 1, "p"),
  step("Next →", it.index + 1, "n"));
}

const facts = ({ datum: identity, attempts: tries, worker, verdict, running }) => factsList([
  ["Attempts", number(tries)],
  ["Worker", running?.worker ?? worker ?? "–"],
  running && ["Running for", ticking(running.since)],
  ...(verdict ? [
    ["Started", time(verdict.started)],
    ["Took", duration(between(verdict.started, verdict.finished))],
    ...costs(verdict.stats),
    verdict.taken_from && ["Not run again", ["it failed in ", jobLink(verdict.taken_from)]],
  ] : []),
  ["Identity", code(identity)],
]);

const inputs = ({ inputs: all }) => panel("inputs", ["Inputs ", dim(number(all.length))], table({
  caption: "Inputs",
  rows: all,
  keyOf: ({ name, repo, path }) => `${name} ${repo}${path}`,
  empty: "It has no inputs.",
  columns: [
    { head: "Path", class: "wide path", cell: ({ repo, path }) => [dim(repo), path] },
    { head: "Name", cell: ({ name }) => code(name) },
    { head: "Kind", cell: ({ kind }) => (kind === "dir" ? "folder" : "file") },
    { head: "Size", class: "number", cell: ({ size }) => bytes(size) },
    { head: "Joined on", cell: ({ join_on: join, group_by: group }) => join ?? group ?? "–" },
  ],
}));

const outputs = (it, job) => panel("outputs", ["Outputs ", dim(number(it.outputs.length))], table({
  caption: "Outputs",
  rows: it.outputs,
  keyOf: ({ path }) => path,
  empty: noOutputs(it),
  columns: [
    { head: "Path", class: "wide path", cell: ({ path }) => path },
    { head: "Size", class: "number", cell: ({ size }) => bytes(size) },
    { head: "Made from", cell: ({ from }) => madeFrom(from ?? [], job) },
  ],
}));

/** Other datums may have written the same file. */
const madeFrom = (indexes, job) => (indexes.length > 1
  ? ["the inputs of datums ", commas(indexes.map((index) => datumLink(job, index)))]
  : "the inputs above");

function noOutputs(it) {
  if (it.state === "skipped") return "An earlier job made its outputs; they stand in the output folder.";
  if (it.state === "success") return "It wrote no files.";
  return isFinal(it) ? "None: it did not succeed." : "None yet.";
}

const attempts = ({ attempts_logged: logged }, logs) => panel("logs", "What it printed",
  logged.length === 0 && empty("Nothing was logged."),
  logged.map((attempt, at) => h("details", { class: "log", key: `a${attempt}`, open: at === logged.length - 1 },
    h("summary", {}, attempt === null ? "err_cmd " : `Attempt ${attempt} `,
      dim(logs.has(attempt) ? count(logs.get(attempt).lines.length, "line") : "asking …")),
    logs.has(attempt) && log(logs.get(attempt)))));

const log = ({ lines, truncated }) => [
  truncated && note(`It is long: only the last ${count(lines.length, "line")} are shown here. All of it: `, code("drover logs")),
  h("div", { class: "log-box", tabindex: 0, role: "log", "aria-live": "off" }, lines.map(logLine)),
];

const logLine = ({ time: at, stream, text }) => h("div", { class: `log-line ${stream}` },
  h("span", { class: "log-time", title: at }, at?.slice(11, 23)),
  h("span", { class: "log-stream" }, stream === "stderr" ? "err" : "out"),
  h("span", { class: "log-text" }, text));
