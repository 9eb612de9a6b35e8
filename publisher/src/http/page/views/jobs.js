// All jobs, newest first, by pipeline and state.

import { get } from "../core/api.js";
import { h } from "../core/dom.js";
import { JobList } from "../core/jobs.js";
import { query, setQuery } from "../core/router.js";
import { jobsTable } from "../parts/jobs.js";
import { JOB_STATES } from "../parts/state.js";

const PAGE = 50;

/** Opens the list of jobs. */
export function jobs(view) {
  const filter = { pipeline: "", state: "", ...query() };
  const pages = [null];
  let next = null;
  let asked = false;
  let pipelines = [];
  const list = new JobList();

  const turn = (change) => {
    change();
    setQuery(filter);
    reload();
  };
  const narrow = (name) => (event) => turn(() => {
    filter[name] = event.target.value;
    pages.length = 1;
  });

  view.shows("Jobs", () => [
    h("h1", {}, "Jobs"),
    h("section", { class: "panel", key: "jobs" },
      h("form", { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
        h("label", { class: "field grow" }, "Pipeline",
          h("input", { type: "search", value: filter.pipeline, list: "names", placeholder: "all; press / to choose", autocomplete: "off", "data-search": true, on: { change: narrow("pipeline") } }),
          h("datalist", { id: "names" }, pipelines.map((name) => h("option", { value: name })))),
        h("label", { class: "field" }, "State", h("select", { on: { change: narrow("state") } },
          ["", ...JOB_STATES].map((state) => h("option", { value: state, selected: state === filter.state }, state || "all"))))),
      asked ? jobsTable(list.jobs, { now: list.now, empty: empty(filter) }) : h("p", { class: "empty" }, "Asking …"),
      (next !== null || pages.length > 1) && h("nav", { class: "pager", "aria-label": "Pages of jobs" },
        h("button", { type: "button", disabled: pages.length === 1, "data-step": "p", on: { click: () => turn(() => pages.pop()) } }, "Newer"),
        h("span", {}, `Page ${pages.length}`),
        h("button", { type: "button", disabled: next === null, "data-step": "n", on: { click: () => turn(() => pages.push(next)) } }, "Older"))),
  ]);

  const reload = view.every((live) => (live ? 20 : 4), async () => {
    const answer = await get("/jobs", { ...filter, limit: PAGE, before: pages.at(-1) }, view.signal);
    list.take(answer.jobs);
    next = answer.next;
    asked = true;
  });
  view.on("job", (event) => {
    if (list.update(event)) view.draw();
    else if (pages.length === 1 && passes(event, filter) && list.misses(event)) reload();
  });
  get("/pipelines", {}, view.signal).then((answer) => { pipelines = answer.pipelines.map((each) => each.pipeline); }).catch(() => {});
}

const passes = (record, { pipeline, state }) =>
  (pipeline === "" || pipeline === record.pipeline) && (state === "" || state === record.state);

const empty = ({ pipeline, state }) => (pipeline || state
  ? h("p", {}, "No job matches. Choose another pipeline or state.")
  : h("p", {}, "No jobs yet. Start one: ", h("code", {}, "drover publish SPEC")));
