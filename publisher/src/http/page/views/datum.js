// One datum: its inputs, what became of it, what its attempts printed, and its outputs.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { between, bytes, count, duration, number, time } from "../core/format.js";
import { badge } from "../parts/state.js";
import { table } from "../parts/table.js";

const FINAL = ["success", "failed", "recovered", "skipped"];
const MOST_LINES = 1000;

/** Opens the page of datum `index` of job `id`. */
export function datum(view, id, index) {
  const at = Number(index);
  const path = `/jobs/${id}/datums/${at}`;
  const logs = new Map();
  let it = null;
  let job = null;

  view.shows(`Datum ${number(at)}`, () => it === null ? h("p", { class: "empty" }, "Asking …") : [
    head(it, job),
    h("section", { class: "panel", key: "facts", "aria-label": "What became of it" }, facts(it)),
    inputs(it),
    outputs(it, id),
    attempts(it, logs),
  ]);

  view.every(() => (it !== null && FINAL.includes(it.state) ? 60 : 2), async () => {
    [it, job] = await Promise.all([get(path, {}, view.signal), get(`/jobs/${id}`, {}, view.signal)]);
    await Promise.all(it.attempts_logged.map(async (attempt) => {
      if (logs.has(attempt) && FINAL.includes(it.state)) return;
      logs.set(attempt, await get(`${path}/logs`, { attempt, limit: MOST_LINES }, view.signal));
    }));
  });
}

function head(it, { record }) {
  const step = (text, index, key) => (index >= 0 && index < record.datums.total
    ? h("a", { class: "button", href: `/jobs/${record.job}/datums/${index}`, "data-step": key, rel: key === "n" ? "next" : "prev" }, text)
    : h("span", { class: "button off" }, text));
  return h("div", { class: "head", key: "head" },
    h("div", {},
      h("p", { class: "crumbs" }, h("a", { href: "/jobs" }, "Jobs"), " / ",
        h("a", { href: `/pipelines/${record.pipeline}` }, record.pipeline), " / ", h("a", { class: "id", href: `/jobs/${record.job}` }, record.job), " /"),
      h("h1", {}, `Datum ${number(it.index)} `, badge(it.state)),
      it.reason && h("p", { class: "reason" }, it.reason)),
    h("nav", { class: "actions", "aria-label": "Neighbours" }, step("← Previous", it.index - 1, "p"), step("Next →", it.index + 1, "n")));
}

function facts({ datum: identity, attempts: tries, worker, verdict, running }) {
  const rows = [
    ["Attempts", number(tries)],
    ["Worker", running?.worker ?? worker ?? "–"],
    running && ["Running for", ticking(running.since)],
    verdict && ["Started", time(verdict.started)],
    verdict && ["Took", duration(between(verdict.started, verdict.finished))],
    verdict && ["Command", duration(verdict.stats.process_time_s)],
    verdict && ["Staging", `${duration(verdict.stats.download_time_s)}, ${bytes(verdict.stats.download_bytes)}`],
    verdict && ["Storing", `${duration(verdict.stats.upload_time_s)}, ${bytes(verdict.stats.upload_bytes)}`],
    ["Identity", h("code", { class: "id" }, identity)],
  ];
  return h("dl", { class: "facts-list" }, rows.filter(Boolean).map(([name, value]) =>
    h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));
}

const inputs = ({ inputs: all }) => h("section", { class: "panel", key: "inputs", "aria-labelledby": "inputs-title" },
  h("h2", { id: "inputs-title" }, "Inputs ", h("span", { class: "dim" }, number(all.length))),
  table({
    caption: "Inputs",
    rows: all,
    keyOf: ({ name, repo, path }) => `${name} ${repo}${path}`,
    empty: "It has no inputs.",
    columns: [
      { head: "Path", class: "wide path", cell: ({ repo, path }) => [h("span", { class: "dim" }, repo), path] },
      { head: "Name", cell: ({ name }) => h("code", {}, name) },
      { head: "Kind", cell: ({ kind }) => (kind === "dir" ? "folder" : "file") },
      { head: "Size", class: "number", cell: ({ size }) => bytes(size) },
      { head: "Joined on", cell: ({ join_on: join, group_by: group }) => join ?? group ?? "–" },
    ],
  }));

function outputs({ outputs: all, state }, job) {
  const link = (index) => h("a", { href: `/jobs/${job}/datums/${index}` }, `datum ${number(index)}`);
  return h("section", { class: "panel", key: "outputs", "aria-labelledby": "outputs-title" },
    h("h2", { id: "outputs-title" }, "Outputs ", h("span", { class: "dim" }, number(all.length))),
    table({
      caption: "Outputs",
      rows: all,
      keyOf: ({ path }) => path,
      empty: noOutputs(state),
      columns: [
        { head: "Path", class: "wide path", cell: ({ path }) => path },
        { head: "Size", class: "number", cell: ({ size }) => bytes(size) },
        { head: "Made from", cell: ({ from }) => (from && from.length > 1
          ? from.flatMap((index, at) => [at > 0 && ", ", link(index)])
          : "the inputs above") },
      ],
    }));
}

function noOutputs(state) {
  if (state === "skipped") return "An earlier job made its outputs; they stand in the output folder.";
  if (state === "success") return "It wrote no files.";
  return FINAL.includes(state) ? "None: it did not succeed." : "None yet.";
}

const attempts = ({ attempts_logged: logged }, logs) => h("section", { class: "panel", key: "logs", "aria-labelledby": "logs-title" },
  h("h2", { id: "logs-title" }, "What it printed"),
  logged.length === 0 && h("p", { class: "empty" }, "Nothing was logged."),
  logged.map((attempt, at) => h("details", { class: "log", key: `a${attempt}`, open: at === logged.length - 1 },
    h("summary", {}, attempt === null ? "err_cmd" : `Attempt ${attempt}`, " ",
      h("span", { class: "dim" }, logs.has(attempt) ? count(logs.get(attempt).lines.length, "line") : "asking …")),
    logs.has(attempt) && log(logs.get(attempt)))));

function log({ lines, truncated }) {
  return [
    truncated && h("p", { class: "note" }, `Long: only ${count(lines.length, "line")} are shown here. All of it: `, h("code", {}, "drover logs")),
    h("div", { class: "log-box", tabindex: 0, role: "log", "aria-live": "off" },
      lines.map(({ time: at, stream, text }) => h("div", { class: `log-line ${stream}` },
        h("span", { class: "log-time", title: at }, at ? at.slice(11, 23) : ""),
        h("span", { class: "log-stream" }, stream === "stderr" ? "err" : "out"),
        h("span", { class: "log-text" }, text)))),
  ];
}
