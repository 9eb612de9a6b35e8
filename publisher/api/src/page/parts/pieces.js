// Small components that all views share.

import { h } from "../core/dom.js";
import { bytes, duration, number } from "../core/format.js";

export const link = (href, ...text) => h("a", { href }, text);
export const pipelineLink = (name) => link(`/pipelines/${name}`, name);
export const datumLink = (job, index, text = number(index)) => link(`/jobs/${job}/datums/${index}`, text);
/** A link to a job, with the whole id or the end of the id, which distinguishes jobs of a day. */
export const jobLink = (id, text = id) => h("a", { class: "id", href: `/jobs/${id}`, title: id }, text);
export const shortId = (id) => id.slice(-8);

export const strong = (...text) => h("b", {}, text);
export const code = (text) => h("code", {}, text);
export const dim = (...text) => h("span", { class: "dim" }, text);
export const note = (...content) => h("p", { class: "note" }, content);
export const empty = (...content) => h("p", { class: "empty" }, content);
export const asking = () => empty("Asking …");
export const reason = (text) => text && h("p", { class: "reason" }, text);

/** An obstacle in a frame; absent without a text. */
export const why = (text) => text && h("p", { class: "why", key: "why" }, strong("Why is nothing running? "), text);

export const button = (text, press, props = {}) => h("button", { type: "button", on: { click: press }, ...props }, text);

/** Nodes with commas between. */
export const commas = (nodes) => nodes.flatMap((node, at) => (at > 0 ? [", ", node] : [node]));

/** Breadcrumbs. */
export const crumbs = (...links) => h("p", { class: "crumbs" }, links.flatMap((each) => [each, " / "]));

/** A section of a view with a title. */
export const panel = (id, title, ...content) =>
  h("section", { class: "panel", key: id, id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), content);

/** The head of a view: title and actions. */
export const head = (about, ...actions) =>
  h("div", { class: "head", key: "head" }, h("div", {}, about), h("div", { class: "actions" }, actions));

/** A list of names and values; rows that are false are left out. */
export const factsList = (rows) => h("dl", { class: "facts-list" },
  rows.filter(Boolean).map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))));

/** The memory and the CPU time of a datum's commands; nothing if no command was measured. */
export const datumUsage = (usage) => usage ? [
  ["Memory", bytes(usage.memory_bytes)],
  usage.cpu_time_s !== undefined && ["CPU time", duration(usage.cpu_time_s)],
] : [];

/** The memory and the CPU time of a job's commands; nothing if no command was measured. */
export const jobUsage = (usage) => usage ? [
  ["Memory", `median ${bytes(usage.memory_median_bytes)}, 95 % ${bytes(usage.memory_p95_bytes)}`],
  ["Most memory", `${bytes(usage.memory_max_bytes)}, datum ${number(usage.memory_max_datum)}`],
  ["CPU time", duration(usage.cpu_time_s)],
] : [];

/** Durations and sizes of a datum or a job. */
export const costs = (stats) => [
  ["In commands", duration(stats.process_time_s)],
  ["Staging", `${duration(stats.download_time_s)}, ${bytes(stats.download_bytes)}`],
  ["Storing", `${duration(stats.upload_time_s)}, ${bytes(stats.upload_bytes)}`],
];
