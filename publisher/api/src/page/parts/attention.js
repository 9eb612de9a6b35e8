// What needs a person, on top of the overview: failures, jobs that stand still, pipelines that wait.

import { h } from "../core/dom.js";
import { count, time } from "../core/format.js";
import { dim, jobLink, panel, pipelineLink, shortId } from "./pieces.js";
import { lookOf } from "./state.js";

const MOST = 8;
const KINDS = {
  failed: ["failed", "failed"],
  stalled: ["waiting", "stands still"],
  waiting: ["waiting", "waits"],
};

/** The panel; absent if nothing needs anybody. */
export function attentionPanel(items) {
  if (items.length === 0) return null;
  const more = items.length - MOST;
  return panel("attention", ["Needs you ", dim(count(items.length, "thing"))],
    h("ul", { class: "attention" }, items.slice(0, MOST).map(one)),
    more > 0 && dim(`and ${count(more, "more")} in the lists below`));
}

function one({ kind, pipeline, job, why, since }) {
  const [state, word] = KINDS[kind];
  const [sign, tone] = lookOf(state);
  return h("li", { key: `${pipeline} ${job}` },
    h("span", { class: `badge ${tone}` }, h("i", { "aria-hidden": "true" }, sign), word),
    h("div", {},
      h("div", {}, pipelineLink(pipeline), job && [" · job ", jobLink(job, shortId(job))], since && [" · ", dim(time(since))]),
      why && h("div", { class: "attention-why" }, why)));
}
