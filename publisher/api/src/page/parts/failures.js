// Failures grouped by cause.

import { h } from "../core/dom.js";
import { count, number, percent } from "../core/format.js";
import { retryGroupButton } from "./actions.js";
import { button, code, commas, datumLink, dim, note, panel, strong } from "./pieces.js";

/** The panel; absent without failures. `show(key)` lists the datums of a group. */
export function failuresPanel({ groups, others }, { record, show }) {
  const total = others + groups.reduce((sum, group) => sum + group.count, 0);
  if (total === 0) return null;
  return panel("failures", ["Failures by cause ", dim(`${count(total, "datum")}, ${count(groups.length, "cause")}`)],
    h("ol", { class: "causes" }, groups.map((group) => cause(group, { total, record, show }))),
    others > 0 && note(`${count(others, "more failure")} of further kinds are not told apart.`));
}

function cause(group, { total, record, show }) {
  const { key, kind, pattern, example, count: many, samples } = group;
  return h("li", { key: `g${key}` },
    h("div", { class: "cause-count" }, strong(number(many)), dim(percent(many, total)),
      h("i", { class: "share", "aria-hidden": "true", style: { width: `${(100 * many) / total}%` } })),
    h("div", { class: "cause-what" },
      h("div", {}, h("span", { class: "badge bad" }, kind), " ", example ? code(example) : dim("printed nothing")),
      many > 1 && example !== pattern && note("All like ", code(pattern)),
      note("Datums ", commas(samples.map((index) => datumLink(record.job, index))), " · ",
        button(`show all ${number(many)}`, () => show(key), { class: "link" })),
      retryGroupButton(record, group)));
}
