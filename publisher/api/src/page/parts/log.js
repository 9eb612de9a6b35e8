// The log of a datum with its controls.

import { h } from "../core/dom.js";
import { count, number } from "../core/format.js";
import { save } from "./files.js";
import { button, empty, note, panel } from "./pieces.js";

const TYPING_MS = 300;
let typing = null;

/** The panel; `reader` is a `LogReader`. */
export function logPanel(reader, name) {
  return panel("logs", "What it printed", tools(reader, name), status(reader), lines(reader));
}

function tools(reader, name) {
  const typed = ({ target: { value } }) => {
    clearTimeout(typing);
    typing = setTimeout(() => reader.find(value), TYPING_MS);
  };
  return h("form", { class: "filters", role: "search", key: "tools", on: { submit: (event) => event.preventDefault() } },
    h("label", { class: "field grow" }, "Lines that contain",
      h("input", { type: "search", value: reader.text, autocomplete: "off", on: { input: typed } })),
    button("Save the whole log", () => save(reader.file(), name)));
}

function status({ lines: known, text, hasEarlier, hasLater, error }) {
  if (error) return h("p", { class: "bad-text", role: "alert", key: "error" }, error);
  if (known === null) return note("Asking …");
  if (text !== "") return note(`${count(known.length, "line")}${hasLater ? " so far" : ""} with this text.`);
  return hasEarlier && note(`The last ${count(known.length, "line")} of ${number(known.at(-1).line + 1)}.`);
}

function lines(reader) {
  const { lines: known, hasEarlier, hasLater, text } = reader;
  if (known === null) return null;
  if (known.length === 0) return empty(text ? "No line contains it." : "Nothing was logged.");
  return [
    hasEarlier && button("Earlier lines", () => reader.earlier(), { key: "earlier" }),
    h("div", { class: "log-box", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Log lines", key: "box" },
      known.map((line, at) => [
        known[at - 1]?.attempt !== line.attempt && attempt(line),
        logLine(line),
      ])),
    hasLater && button("More lines", () => reader.later(), { key: "later" }),
  ];
}

const attempt = ({ attempt: tried, line }) =>
  h("div", { class: "log-attempt", key: `a${line}` }, tried === null ? "err_cmd" : `Attempt ${tried}`);

const logLine = ({ line, time: at, stream, text }) => h("div", { class: `log-line ${stream}`, key: `l${line}` },
  h("span", { class: "log-time", title: at }, at?.slice(11, 23)),
  h("span", { class: "log-stream" }, stream === "stderr" ? "err" : "out"),
  h("span", { class: "log-text" }, text));
