// Actions. Each button says what will happen, with the count. With a read-only token there are
// no buttons.

import { get, post, remove, sendText } from "../core/api.js";
import { h } from "../core/dom.js";
import { count, number } from "../core/format.js";
import { isOpen, progressOf } from "../core/progress.js";
import { go } from "../core/router.js";
import { mayAct } from "../core/session.js";
import { modal, toast } from "./dialog.js";
import { button, code, note, strong } from "./pieces.js";

/** A button for an action; absent without permission. `run` performs the action and returns a message. */
export function actionButton(text, run, { danger = false, label = null } = {}) {
  return mayAct() && button(text, (event) => guarded(event.currentTarget, run), {
    key: text, "data-action": true, class: danger ? "danger-quiet" : "", "aria-label": label,
  });
}

// Buttons with a pending action. They are not disabled, because disabling would drop the focus.
const acting = new WeakSet();

async function guarded(pressed, run) {
  if (acting.has(pressed)) return;
  acting.add(pressed);
  try {
    await run();
    document.dispatchEvent(new Event("drover:changed"));
  } catch (error) {
    toast(error.message, { bad: true });
  } finally {
    acting.delete(pressed);
  }
}

/** Stops a job. */
export async function stopJob(id) {
  const detail = await get(`/jobs/${id}`);
  if (!isOpen(detail.record)) return toast(`Job ${id} has ended already: ${detail.record.state}`);
  const { running, queued, done, skipped } = progressOf(detail.record, detail);
  const yes = await modal({
    title: `Stop job ${id}?`,
    body: [
      h("p", {}, strong(number(running)), ` running ${running === 1 ? "datum is" : "datums are"} killed, `,
        strong(number(queued)), ` queued ${queued === 1 ? "one is" : "ones are"} not run.`),
      note(`What ${count(done + skipped, "datum")} did stays done and is not repeated by the next job. `,
        "The output folder does not change."),
    ],
    verb: "Stop the job", danger: true, no: "Let it run",
  });
  if (!yes) return undefined;
  await post(`/jobs/${id}/stop`);
  return toast(`Job ${id} is being stopped`);
}

/** Number of datums that a retry of an ended job would run: neither successful nor skipped. */
const unfinished = ({ datums: { total, processed, skipped } }) => total - processed - skipped;

/** The retry button; absent for active jobs and for jobs without unsuccessful datums. */
export function retryButton(record) {
  if (isOpen(record) || unfinished(record) === 0) return null;
  const { failed, recovered } = record.datums;
  const text = unfinished(record) === failed + recovered ? "Retry all that failed" : "Run what is left";
  return actionButton(text, () => retryJob(record));
}

/** The retry button of one group of failures; absent if datums of the job never ran. */
export function retryGroupButton(record, group) {
  const { failed, recovered } = record.datums;
  if (isOpen(record) || unfinished(record) > failed + recovered) return null;
  return actionButton("Retry this group", () => retryGroup(record, group), { label: `Retry this group: ${describe(group)}` });
}

/** Retries one group of failures; opens the new job. */
async function retryGroup(record, group) {
  const { key, count: many } = group;
  const others = unfinished(record) - many;
  const yes = await modal({
    title: "Retry this group?",
    body: [
      h("p", {}, strong(count(many, "datum")), ` of ${record.pipeline} that failed with `, code(describe(group)),
        ` ${many === 1 ? "is" : "are"} run, as a new job.`),
      others > 0 && h("p", {}, strong(count(others, "other datum")), ` that did not succeed ${others === 1 ? "is" : "are"} `,
        "left as ", others === 1 ? "it is" : "they are", ", so no output is published yet."),
      note("What succeeded is taken over, not repeated."),
    ],
    verb: `Run ${count(many, "datum")}`,
  });
  if (!yes) return;
  const { job } = await post(`/jobs/${record.job}/retry`, { group: key });
  toast(`Job ${job} runs ${count(many, "datum")} again`);
  go(`/jobs/${job}`);
}

/** Retries a job; opens the new job. */
async function retryJob(record) {
  const { failed, recovered } = record.datums;
  const many = unfinished(record);
  const unrun = many - failed - recovered;
  const yes = await modal({
    title: `Retry job ${record.job}?`,
    body: [
      h("p", {}, strong(count(many, "datum")), ` of ${record.pipeline} ${many === 1 ? "is" : "are"} run, as a new job`,
        unrun > 0 && `: ${number(failed + recovered)} that failed, ${number(unrun)} that were not run`, "."),
      note("What succeeded is taken over, not repeated."),
    ],
    verb: `Run ${count(many, "datum")}`,
  });
  if (!yes) return;
  const { job } = await post(`/jobs/${record.job}/retry`, {});
  toast(`Job ${job} runs ${count(many, "datum")} again`);
  go(`/jobs/${job}`);
}

/** A failure group in one line. */
export const describe = ({ kind, example }) => (example ? `${kind}: ${example}` : kind);

/** Pauses a pipeline. */
export async function pausePipeline({ pipeline, open_jobs: open }) {
  const yes = await modal({
    title: `Pause ${pipeline}?`,
    body: h("p", {}, "New data starts ", strong("no new jobs"), " until it is resumed. ",
      open.length ? [strong(count(open.length, "open job")), " of it still run to the end."] : "No job of it is open."),
    verb: "Pause",
  });
  if (!yes) return;
  await post(`/pipelines/${pipeline}/pause`);
  toast(`${pipeline} is paused`);
}

/** Resumes a pipeline. */
export async function resumePipeline({ pipeline }) {
  const yes = await modal({
    title: `Resume ${pipeline}?`,
    body: h("p", {}, "What changed in its inputs meanwhile starts ", strong("1 job"), "; unchanged datums are skipped."),
    verb: "Resume",
  });
  if (!yes) return;
  await post(`/pipelines/${pipeline}/resume`);
  toast(`${pipeline} goes on`);
}

/** Starts a job now, even without changes. */
export async function runPipeline({ pipeline, open_jobs: open }) {
  const yes = await modal({
    title: `Run ${pipeline} now?`,
    body: h("p", {}, strong("1 job"), " is started over what its inputs hold now; datums done before are skipped. ",
      open.length > 0 && `It follows the ${count(open.length, "job")} open already.`),
    verb: "Run now",
  });
  if (!yes) return;
  const { job, why } = await post(`/pipelines/${pipeline}/run`);
  if (!job) {
    toast(why, { link: { href: `/pipelines/${pipeline}`, text: "Look at it" } });
    return;
  }
  toast(`Job ${job} was started`, { link: { href: `/jobs/${job}`, text: "Look at it" } });
}

/** Changes the number of datums that run at the same time. */
export async function scalePipeline({ pipeline, spec }) {
  const now = spec.parallelism_spec?.constant ?? "";
  const field = h("input", { type: "number", min: 1, max: 65535, value: now, required: true, autofocus: true });
  const yes = await modal({
    title: `Scale ${pipeline}?`,
    body: [
      h("label", { class: "field" }, "Workers", field),
      note("On Kubernetes the operator keeps so many workers; without a broker so many datums run at the same time. ",
        "Workers that were started by hand do not change. No job starts."),
    ],
    verb: "Scale",
  });
  if (!yes) return;
  const scaled = { ...spec, parallelism_spec: { constant: Number(field.value) } };
  await sendText("PUT", `/pipelines/${pipeline}`, JSON.stringify(scaled));
  toast(`${pipeline} has ${count(Number(field.value), "worker")} now`);
}

/** Does the work of all datums that match a filter again. */
export async function redoMatching(record, filter) {
  const told = Object.entries(filter).filter(([, value]) => value).map(([name, value]) => `${name} ${value}`).join(", ");
  const yes = await modal({
    title: "Do all that match again?",
    body: [
      h("p", {}, "All datums of job ", code(record.job), " with ", strong(told), " are run again, as a new job over what the inputs hold now. ",
        "What failed before runs, too."),
      note("Their present output stays until the new job has succeeded."),
    ],
    verb: "Do them again",
  });
  if (!yes) return;
  const { state, ...rest } = filter;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value));
  const { job, datums } = await post(`/jobs/${record.job}/redo`, { ...given, state: state ? [state] : [] });
  toast(`Job ${job} does ${count(datums, "datum")} again`);
  go(`/jobs/${job}`);
}

/** Retries the newest job of each pipeline among the given ones, where it failed. */
export async function retryAll(jobs) {
  const newest = new Map();
  for (const record of jobs) if (!newest.has(record.pipeline)) newest.set(record.pipeline, record);
  const failed = [...newest.values()].filter((record) => !isOpen(record) && unfinished(record) > 0);
  if (failed.length === 0) return toast("None of these pipelines has a newest job with datums to retry");
  const many = failed.reduce((sum, record) => sum + unfinished(record), 0);
  const yes = await modal({
    title: `Retry ${count(failed.length, "job")}?`,
    body: [
      h("p", {}, "The newest listed job of each pipeline is retried where it left something: ", strong(count(many, "datum")), "."),
      h("ul", {}, failed.map((record) => h("li", {}, `${record.pipeline}: ${count(unfinished(record), "datum")}`))),
    ],
    verb: `Retry ${count(failed.length, "job")}`,
  });
  if (!yes) return undefined;
  for (const record of failed) await post(`/jobs/${record.job}/retry`, {});
  return toast(`${count(failed.length, "job")} started`);
}

/** Deletes a pipeline, but not its output. */
export async function deletePipeline({ pipeline, open_jobs: open, outputs_to: readers }) {
  const yes = await modal({
    title: `Delete ${pipeline}?`,
    body: [
      h("p", {}, strong(count(open.length, "open job")), open.length === 1 ? " is stopped." : " are stopped.",
        " Its output folder is kept, and so are the records of its jobs."),
      readers.length > 0 && h("p", {}, strong(count(readers.length, "pipeline")),
        ` read${readers.length === 1 ? "s" : ""} its output and will see nothing new: ${readers.join(", ")}.`),
    ],
    verb: `Delete ${pipeline}`, danger: true,
  });
  if (!yes) return;
  await remove(`/pipelines/${pipeline}`);
  toast(`${pipeline} is deleted; its output is kept`);
  go("/");
}
