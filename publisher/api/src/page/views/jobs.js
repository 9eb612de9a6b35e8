// All jobs, newest first, by pipeline and state.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { number } from "../core/format.js";
import { JobList } from "../core/jobs.js";
import { query, setQuery } from "../core/router.js";
import { startCommand } from "../core/session.js";
import { actionButton, retryAll } from "../parts/actions.js";
import { jobsTable } from "../parts/jobs.js";
import { asking, button, code, head } from "../parts/pieces.js";
import { JOB_STATES } from "../parts/state.js";

const PAGE = 50;

/** Opens the list of jobs. */
export function jobs(view) {
  const filter = { pipeline: "", state: "", ...query() };
  const pages = [null];
  let next = null;
  let names = [];
  const list = new JobList();

  const turn = (change) => {
    change();
    setQuery(filter);
    reload();
  };
  const narrow = (field) => (event) => turn(() => {
    filter[field] = event.target.value;
    pages.length = 1;
  });

  view.shows("Jobs", () => [
    head(h("h1", {}, "Jobs"), (filter.state === "failure" || filter.state === "killed") && list.jobs.length > 0
      && actionButton("Retry all listed", () => retryAll(list.jobs))),
    h("section", { class: "panel", key: "jobs", "aria-label": "Jobs" },
      filters(filter, names, narrow),
      view.isLoaded ? jobsTable(list.jobs, { now: list.now, empty: noJobs(filter) }) : asking(),
      (next !== null || pages.length > 1) && h("nav", { class: "pager", "aria-label": "Pages of jobs" },
        button("Newer", () => turn(() => pages.pop()), { disabled: pages.length === 1, "data-step": "p" }),
        h("span", {}, `Page ${number(pages.length)}`),
        button("Older", () => turn(() => pages.push(next)), { disabled: next === null, "data-step": "n" }))),
  ]);

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const answer = await get("/jobs", { ...filter, limit: PAGE, before: pages.at(-1) }, view.signal);
    list.take(answer.jobs);
    next = answer.next;
  });
  view.every(() => 60, async () => {
    const { pipelines } = await get("/pipelines", {}, view.signal);
    names = pipelines.map(({ pipeline }) => pipeline);
  });
  view.on("job", (event) => {
    if (list.update(event)) view.drawSoon();
    else if (pages.length === 1 && passes(event, filter) && list.misses(event)) reload();
  });
}

const passes = (record, { pipeline, state }) =>
  (pipeline === "" || pipeline === record.pipeline) && (state === "" || state === record.state);

function filters(filter, names, narrow) {
  const search = {
    type: "search", value: filter.pipeline, list: "names", placeholder: "all; press / to choose", autocomplete: "off",
    "data-search": true, on: { change: narrow("pipeline") },
  };
  const option = (state) => h("option", { value: state, selected: state === filter.state }, state || "all");
  return h("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
    h("label", { class: "field grow" }, "Pipeline",
      h("input", search),
      h("datalist", { id: "names" }, names.map((name) => h("option", { value: name })))),
    h("label", { class: "field" }, "State",
      h("select", { on: { change: narrow("state") } }, ["", ...JOB_STATES].map(option))));
}

const noJobs = ({ pipeline, state }) => (pipeline || state
  ? h("p", {}, "No job matches. Choose another pipeline or state.")
  : h("p", {}, "No jobs yet. Start one: ", code(startCommand())));
