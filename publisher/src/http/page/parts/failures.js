// Failures grouped by cause: what people read when many datums failed.

import { h } from "../core/dom.js";
import { count, number, percent } from "../core/format.js";
import { isOpen } from "../core/progress.js";
import { actionButton, retryJob } from "./actions.js";

/** The panel; nothing when nothing failed. `show(key)` lists a group's datums. */
export function failuresPanel({ groups, others }, { record, show }) {
  const total = others + groups.reduce((sum, group) => sum + group.count, 0);
  if (total === 0) return null;
  return h("section", { class: "panel", key: "failures", "aria-labelledby": "failures-title" },
    h("h2", { id: "failures-title" }, "Failures by cause ",
      h("span", { class: "dim" }, `${count(total, "datum")}, ${count(groups.length, "cause")}`)),
    h("ol", { class: "causes" }, groups.map((group) => cause(group, { total, record, show }))),
    others > 0 && h("p", { class: "note" }, `${count(others, "more failure")} of further kinds are not told apart.`));
}

function cause(group, { total, record, show }) {
  return h("li", { key: `g${group.key}` },
    h("div", { class: "cause-count" }, h("b", {}, number(group.count)), h("span", { class: "dim" }, percent(group.count, total)),
      h("i", { class: "share", "aria-hidden": "true", style: { width: `${(100 * group.count) / total}%` } })),
    h("div", { class: "cause-what" },
      h("div", {}, h("span", { class: "badge bad" }, group.kind), " ", group.pattern ? h("code", {}, group.pattern) : h("span", { class: "dim" }, "printed nothing")),
      group.example && group.example !== group.pattern && h("p", { class: "note" }, "for example ", h("code", {}, group.example)),
      h("p", { class: "note" }, samples(group, record), " · ",
        h("button", { type: "button", class: "link", on: { click: () => show(group.key) } }, `show all ${number(group.count)}`))),
    !isOpen(record) && actionButton("Retry this group", () => retryJob(record, group), { label: `Retry this group: ${group.kind}` }));
}

const samples = ({ samples: indexes }, { job }) => ["datums ", indexes.flatMap((index, at) => [
  at > 0 && ", ", h("a", { href: `/jobs/${job}/datums/${index}` }, number(index))])];
