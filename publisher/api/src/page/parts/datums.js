// The datums of a job, searched and paged by the server.

import { h } from "../core/dom.js";
import { bytes, count, number } from "../core/format.js";
import { actionButton, describe } from "./actions.js";
import { button, datumLink, dim, panel, reason } from "./pieces.js";
import { badge, DATUM_STATES } from "./state.js";
import { table } from "./table.js";

const MOST_PATHS = 2;
const TYPING_MS = 300;
let typing = null;

/**
 * The panel. `find(filter)` is called with a new filter, `redo(filter)`, if given, to do all that match again; `workers` and
 * `groups` are those to choose from.
 */
export function datumsPanel(search, { job, total, workers, groups, find, redo }) {
  const rows = { rows: search.rows, columns: columns(job), keyOf: ({ index }) => `d${index}`, empty: emptyText(search) };
  return panel("datums", "Datums",
    filters(search.filter, { workers, groups, find }),
    h("p", { class: "note", "aria-live": "polite", key: "status" }, status(search, total),
      search.busy && [" ", button("Stop looking", () => search.stop(), { class: "quiet" })]),
    redo && search.isFiltered && search.rows.length > 0 && actionButton("Do all that match again", () => redo(search.filter)),
    search.error && h("p", { class: "bad-text", role: "alert" }, search.error),
    table({ caption: "Datums", ...rows }),
    pager(search));
}

function filters(filter, { workers, groups, find }) {
  const change = (name) => (event) => find({ ...filter, [name]: event.target.value });
  const typed = (name) => (event) => {
    const { value } = event.target;
    clearTimeout(typing);
    typing = setTimeout(() => find({ ...filter, [name]: value }), TYPING_MS);
  };
  const search = {
    type: "search", value: filter.path, placeholder: "Press / to search", autocomplete: "off", "data-search": true,
    on: { input: typed("path") },
  };
  const causes = groups.map((group) => [group.key, `${describe(group)} (${number(group.count)})`]);
  const form = { class: "filters", role: "search", key: "filters", on: { submit: (event) => event.preventDefault() } };
  return h("form", form,
    h("label", { class: "field grow" }, "Path contains", h("input", search)),
    select("State", filter.state, DATUM_STATES.map((state) => [state, state]), change("state")),
    workers.length > 0 && select("Worker", filter.worker, workers.map((name) => [name, name]), change("worker")),
    groups.length > 0 && select("Failure", filter.group, causes, change("group")),
    button("Clear", () => find({}), { disabled: !Object.values(filter).some(Boolean) }));
}

function select(label, value, options, onChange) {
  const missing = value && !options.some(([each]) => each === value);
  const all = [["", "all"], ...options, ...(missing ? [[value, value]] : [])];
  return h("label", { class: "field" }, label,
    h("select", { on: { change: onChange } },
      all.map(([each, text]) => h("option", { value: each, selected: each === value }, text))));
}

function status({ rows, looked, busy, isFiltered, page }, total) {
  const found = isFiltered ? `${number(rows.length)} found` : `${number(rows.length)} shown`;
  const where = rows.length ? `, from ${number(rows[0].index)} to ${number(rows.at(-1).index)}` : "";
  if (busy) return `Looking … ${number(looked)} of ${count(total, "datum")} looked at, ${number(rows.length)} found`;
  if (isFiltered) return `Page ${page}: ${found}${where}; ${number(looked)} of ${count(total, "datum")} looked at for it`;
  return `Page ${page}: ${found}${where}, of ${number(total)}`;
}

function emptyText({ busy, isFiltered }) {
  if (busy) return "Looking …";
  return isFiltered ? "No datum matches. Widen the filter, or clear it." : "No datums yet.";
}

const columns = (job) => [
  { head: "Datum", class: "number", cell: ({ index }) => datumLink(job, index) },
  { head: "State", cell: ({ state }) => badge(state) },
  { head: "Inputs", class: "wide path", cell: ({ inputs }) => paths(inputs) },
  { head: "Attempts", class: "number", cell: ({ attempts }) => number(attempts) },
  { head: "Worker", class: "name", cell: ({ worker }) => worker ?? "–" },
  { head: "Came to", class: "wide", cell: outcome },
];

/** The first few paths, and the number of further ones. */
function paths(inputs) {
  const shown = inputs.slice(0, MOST_PATHS).map(({ repo, path }) => h("div", {}, dim(repo), path));
  const more = inputs.length - MOST_PATHS;
  return more > 0 ? [shown, dim(`and ${number(more)} more`)] : shown;
}

function outcome({ reason: because, outputs }) {
  if (because) return reason(because);
  if (outputs.length === 0) return "–";
  const size = outputs.reduce((sum, output) => sum + output.size, 0);
  return `${count(outputs.length, "file")}, ${bytes(size)}`;
}

function pager(search) {
  if (!search.hasNext && !search.hasPrevious) return null;
  const step = (text, able, go, key) => button(text, go, { key: text, disabled: !able || search.busy, "data-step": key });
  return h("nav", { class: "pager", "aria-label": "Pages of datums", key: "pager" },
    step("First", search.hasPrevious, () => search.first()),
    step("Previous", search.hasPrevious, () => search.previous(), "p"),
    h("span", {}, `Page ${number(search.page)}`),
    step("Next", search.hasNext, () => search.next(), "n"));
}
