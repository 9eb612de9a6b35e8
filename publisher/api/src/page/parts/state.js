// States as words, each with a sign and a colour of its own.

import { h } from "../core/dom.js";

// word → sign, tone. One table for jobs, datums and pipelines: where they share a word, it means the same.
const STATES = {
  starting: ["◌", "busy"],
  running: ["▶", "busy"],
  retrying: ["↻", "busy"],
  publishing: ["▶", "busy"],
  egressing: ["▶", "busy"],
  success: ["✓", "good"],
  failure: ["✕", "bad"],
  failed: ["✕", "bad"],
  killed: ["■", "warn"],
  recovered: ["✓", "warn"],
  skipped: ["↷", "other"],
  queued: ["·", "calm"],
  idle: ["–", "calm"],
  waiting: ["◌", "warn"],
  paused: ["‖", "warn"],
};

/** Sign and tone of a state. */
export const lookOf = (state) => STATES[state] ?? ["?", "calm"];

/** The state as a badge. */
export function badge(state) {
  const [sign, tone] = lookOf(state);
  return h("span", { class: `badge ${tone}` }, h("i", { "aria-hidden": "true" }, sign), state);
}

/** All states that a datum may have, for filters. */
export const DATUM_STATES = ["queued", "running", "retrying", "success", "failed", "recovered", "skipped"];
/** All states that a job may have, for filters. */
export const JOB_STATES = ["starting", "running", "publishing", "egressing", "success", "failure", "killed"];
