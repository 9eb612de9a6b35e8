// One datum: inputs, state, logs of the attempts, and outputs.

import { get } from "../core/api.js";
import { ticking } from "../core/clock.js";
import { h } from "../core/dom.js";
import { between, duration, number, time } from "../core/format.js";
import { LogReader } from "../core/log.js";
import { fileList } from "../parts/files.js";
import { logPanel } from "../parts/log.js";
import {
  asking, code, costs, crumbs, datumLink, datumUsage, dim, empty, factsList, head, jobLink, link, note, panel, pipelineLink, reason,
} from "../parts/pieces.js";
import { badge } from "../parts/state.js";

const FINAL = ["success", "failed", "recovered", "skipped"];

const isFinal = ({ state }) => FINAL.includes(state);

/** Opens the page of datum `index` of job `id`. */
export function datum(view, id, index) {
  const at = Number(index);
  const path = `/jobs/${id}/datums/${at}`;
  const log = new LogReader(path, () => view.draw(), view.signal);
  let logged = null;
  let it = null;
  let record = null;

  view.shows(`Datum ${number(at)}`, () => (it === null ? asking() : [
    title(it, record),
    h("section", { class: "panel", key: "facts", "aria-label": "What became of it" }, facts(it)),
    h("div", { class: "sides", key: "sides" }, inputs(it, view.signal), outputs(it, path, view.signal)),
    logPanel(log, `${id}-datum-${at}.log`),
  ]));

  view.every(() => (it !== null && isFinal(it) ? 60 : 2), async () => {
    const [asked, job] = await Promise.all([get(path, {}, view.signal), get(`/jobs/${id}`, {}, view.signal)]);
    [it, record] = [asked, job.record];
    const now = `${it.state} ${it.attempts_logged}`;
    // The log of a running attempt grows.
    if (now !== logged || !isFinal(it)) await log.end();
    logged = now;
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

const facts = ({ datum: identity, attempts: tries, worker, verdict, running, usage: used }) => factsList([
  ["Attempts", number(tries)],
  ["Worker", running?.worker ?? worker ?? "–"],
  running && ["Running for", ticking(running.since)],
  ...(verdict ? [
    ["Started", time(verdict.started)],
    ["Took", duration(between(verdict.started, verdict.finished))],
    ...costs(verdict.stats),
    ...datumUsage(used),
    verdict.taken_from && ["Not run again", ["it failed in ", jobLink(verdict.taken_from)]],
  ] : []),
  ["Identity", code(identity)],
]);

const inputs = ({ inputs: all }, signal) => panel("inputs", ["Inputs ", dim(number(all.length))],
  all.length ? fileList(all.map(inputFile), { signal, isOpen: true }) : empty("It has no inputs."));

function inputFile({ repo, path, kind, size }) {
  const name = `${repo}${path}`;
  if (/^\w+:\/\//.test(repo)) return { name, why: "outside the store" };
  if (kind === "dir") return { name: name.replace(/\/$/, ""), href: `/files?${new URLSearchParams({ path: name })}` };
  return { name, size, path: "/files/content", query: { path: name } };
}

const outputs = (it, path, signal) => panel("outputs", ["Outputs ", dim(number(it.outputs.length))],
  it.outputs.length ? fileList(it.outputs.map(outputFile(path)), { signal, isOpen: true }) : empty(noOutputs(it)),
  it.outputs.filter(({ from }) => from?.length > 1).map(({ path: file, from }) =>
    note(`${file} was written by datums ${from.map(number).join(", ")}.`)));

const outputFile = (datumPath) => ({ path: file, size }) =>
  ({ name: file, size, path: `${datumPath}/output`, query: { path: file } });

function noOutputs(it) {
  if (it.done) return ["An earlier job made its outputs: ", datumLink(it.done.job, it.done.index, "look at them there"), "."];
  if (it.state === "skipped") return "An earlier job made its outputs; they stand in the output folder.";
  if (it.state === "success") return "It wrote no files.";
  return isFinal(it) ? "None: it did not succeed." : "None yet.";
}
