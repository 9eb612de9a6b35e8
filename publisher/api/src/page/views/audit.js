// Who did what: the actions of clients, newest first.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { time } from "../core/format.js";
import { asking, button, code, head, jobLink, note, pipelineLink, shortId } from "../parts/pieces.js";
import { table } from "../parts/table.js";

const VERBS = { stop: "stop", retry: "retry", redo: "do again", pause: "pause", resume: "resume", run: "run", validate: "check" };

/** Opens the list of actions. */
export function audit(view) {
  let actions = null;
  let next = null;
  const pages = [null];

  view.shows("Actions", () => (actions === null ? asking() : [
    head([h("h1", {}, "Actions"), note("What clients did through this page and the API. The command line works on the store itself and is not listed.")]),
    h("section", { class: "panel", key: "actions", "aria-label": "Actions" },
      actionsTable(actions),
      (next !== null || pages.length > 1) && h("nav", { class: "pager", "aria-label": "Pages of actions" },
        button("Newer", () => { pages.pop(); reload(); }, { disabled: pages.length === 1, "data-step": "p" }),
        button("Older", () => { pages.push(next); reload(); }, { disabled: next === null, "data-step": "n" }))),
  ]));

  const reload = view.every(() => 20, async () => {
    ({ actions, next } = await get("/audit", { before: pages.at(-1) }, view.signal));
  });
}

const actionsTable = (actions) => table({
  caption: "Actions, newest first",
  rows: actions.filter(({ path }) => !path.endsWith("/validate")),
  keyOf: ({ id }) => id,
  empty: "Nobody has changed anything yet.",
  columns: [
    { head: "When", cell: ({ time: at }) => time(at) },
    { head: "Token", cell: ({ who }) => code(who) },
    { head: "Action", cell: verb },
    { head: "On", class: "wide", cell: subject },
    { head: "Came to", cell: ({ status }) => (status < 400 ? "done" : h("span", { class: "bad-text" }, `refused: ${status}`)) },
  ],
});

function verb({ method, path }) {
  const last = path.split("/").at(-1);
  if (last in VERBS) return VERBS[last];
  return { POST: "create", PUT: "change", DELETE: "delete" }[method] ?? method;
}

function subject({ path }) {
  const [kind, name] = path.split("/").slice(3);
  if (kind === "jobs" && name) return ["job ", jobLink(name, shortId(name))];
  if (kind === "pipelines" && name) return ["pipeline ", pipelineLink(name)];
  return kind ?? path;
}
