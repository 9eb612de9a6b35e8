// A spec to be written or changed, with what is wrong with it at its lines.

import { get, sendText } from "../core/api.js";
import { h } from "../core/dom.js";
import { count } from "../core/format.js";
import { go } from "../core/router.js";
import { mayAct } from "../core/session.js";
import { toast } from "../parts/dialog.js";
import { asking, button, code, crumbs, empty, head, link, pipelineLink } from "../parts/pieces.js";

const TYPING_MS = 400;
const EXAMPLE = `pipeline:
  name: words
description: Counts the words of each text.
input:
  pfs:
    repo: texts
    glob: /*.txt
transform:
  cmd: [sh]
  stdin:
    - for f in /pfs/texts/*; do wc -w < "$f" > "/pfs/out/$(basename "$f")"; done
`;

/** Opens the editor of the pipeline `name`, or of a new one. */
export function editor(view, name = null) {
  const it = { text: null, findings: [], checked: null };
  let typing = null;

  const check = async () => {
    try {
      const { notes } = await sendText("POST", "/validate", it.text);
      it.checked = "good";
      it.findings = notes;
    } catch (error) {
      if (!error.status) throw error;
      it.checked = "bad";
      it.findings = error.findings.length ? error.findings : [{ line: 0, message: error.message, severity: "error", advice: "", path: "" }];
    }
    view.draw();
  };
  const typed = ({ target }) => {
    it.text = target.value;
    clearTimeout(typing);
    typing = setTimeout(check, TYPING_MS);
    view.draw();
  };
  const save = async () => {
    try {
      const to = name === null ? ["POST", "/pipelines"] : ["PUT", `/pipelines/${name}`];
      const { pipeline } = await sendText(...to, it.text);
      toast(name === null ? `${pipeline} is created` : `${pipeline} is changed`);
      go(`/pipelines/${pipeline}`);
    } catch (error) {
      toast(error.message, { bad: true });
      check();
    }
  };

  view.shows(name === null ? "New pipeline" : `Edit ${name}`, () => (it.text === null ? asking() : [
    head([
      crumbs(link("/", "Pipelines"), ...(name ? [pipelineLink(name)] : [])),
      h("h1", {}, name === null ? "New pipeline" : `Edit ${name}`),
    ], mayAct() && button(name === null ? "Create" : "Save", save, { class: "primary", disabled: it.checked !== "good", key: "save" })),
    h("section", { class: "panel", key: "spec", "aria-label": "Spec" }, field(it, typed), findingsList(it)),
  ]));

  view.every(() => 3600, async () => {
    if (it.text !== null) return;
    it.text = name === null ? EXAMPLE : `${JSON.stringify((await get(`/pipelines/${name}`, {}, view.signal)).spec, null, 2)}\n`;
    await check();
  });
}

function field({ text, findings }, typed) {
  const worst = new Map();
  for (const { line, severity } of findings) if (worst.get(line) !== "error") worst.set(line, severity);
  const lines = text.split("\n").length;
  const scrolled = ({ currentTarget }) => { currentTarget.previousElementSibling.scrollTop = currentTarget.scrollTop; };
  const area = h("textarea", {
    class: "spec-text", "aria-label": "Spec in YAML or JSON", "aria-describedby": "findings", wrap: "off", rows: 24, spellcheck: "false",
    "data-own": true, on: { input: typed, scroll: scrolled },
  });
  area.value = text;
  return h("div", { class: "editor", key: "editor" },
    h("ol", { class: "gutter", "aria-hidden": "true" }, Array.from({ length: lines }, (_, at) =>
      h("li", { class: worst.get(at + 1) ?? "", key: at }, at + 1))),
    area);
}

function findingsList({ findings, checked }) {
  const says = { null: "Checking …", good: "The spec is valid.", bad: `${count(findings.filter(({ severity }) => severity === "error").length, "error")}.` };
  return h("div", { id: "findings", "aria-live": "polite", key: "findings" },
    h("p", { class: checked === "bad" ? "bad-text" : "note" }, says[checked]),
    h("ul", { class: "findings" }, findings.map((finding, at) => h("li", { key: at, class: finding.severity },
      finding.line > 0 && [button(`Line ${finding.line}`, () => show(finding), { class: "link" }), " "],
      finding.path && [code(finding.path), ": "], finding.message,
      finding.advice && ` (${finding.advice})`))),
    findings.length === 0 && checked === "bad" && empty("The service refused the spec."));
}

/** Selects the line of a finding. */
function show({ line }) {
  const area = document.querySelector(".spec-text");
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + lines[line - 1].length);
}
