// A job's bar: its datums by state, with a colour, a pattern, a word and a number each.

import { h } from "../core/dom.js";
import { count, duration, measure, number, percent } from "../core/format.js";
import { progressOf, segmentsOf } from "../core/progress.js";

/** The bar with its legend; `now` as in `progressOf`. */
export function bar(record, now) {
  const progress = progressOf(record, now);
  return h("div", { class: "progress" }, strip(progress), legend(progress));
}

/** The bar with one line below it, for lists. */
export function slimBar(record, now) {
  const progress = progressOf(record, now);
  return h("div", { class: "progress slim" }, strip(progress), h("ul", { class: "sum" }, summary(progress)));
}

function strip(progress) {
  const segments = segmentsOf(progress).filter((segment) => segment.count > 0);
  const ended = progress.total - progress.queued - progress.running;
  return h("div", {
    class: progress.open ? "bar open" : "bar",
    role: "progressbar",
    "aria-valuemin": 0,
    "aria-valuemax": progress.total,
    "aria-valuenow": ended,
    "aria-valuetext": words(progress),
    "aria-label": "Datums by state",
  }, segments.map(({ state, word, count }) => h("i", {
    key: state,
    class: `seg ${state}`,
    title: `${number(count)} ${word}`,
    style: { "flex-grow": count / progress.total },
  })));
}

// The five states always show a number, even 0; recovered is a mark on the finished part.
function legend(progress) {
  const items = segmentsOf(progress).filter(({ state, count }) => state !== "recovered" || count > 0);
  return h("ul", { class: "legend" },
    items.map(({ state, word, count }) => h("li", { key: state, class: count ? "" : "none" },
      h("i", { class: `swatch ${state}`, "aria-hidden": "true" }),
      h("b", {}, number(count)), ` ${word}`)),
    h("li", { key: "pace", class: "pace" }, pace(progress)));
}

/** `12.5 datums/s · about 1 min 4 s left`. */
function pace({ rate, eta, total, growing }) {
  return [
    `of ${count(total, "datum")}${growing ? " so far" : ""}`,
    rate > 0 && `${measure(rate)} datums/s`,
    eta !== null && `about ${duration(Math.ceil(eta))} left`,
  ].filter(Boolean).join(" · ");
}

function summary(progress) {
  const { total, queued, running, growing, rate, eta, open } = progress;
  if (total === 0) return h("li", {}, open ? "its datums are being listed" : "no datums");
  const states = segmentsOf(progress).filter(({ count }) => count > 0);
  const facts = [
    `of ${number(total)}${growing ? " so far" : ""}`,
    open && percent(total - queued - running, total),
    rate > 0 && `${measure(rate)}/s`,
    eta !== null && `about ${duration(Math.ceil(eta))} left`,
  ];
  return [
    states.map(({ state, word, count }) => h("li", { class: `sum-${state}` }, `${number(count)} ${word}`)),
    facts.filter(Boolean).map((fact) => h("li", {}, fact)),
  ];
}

function words(progress) {
  const told = segmentsOf(progress).filter(({ count }) => count > 0).map(({ word, count }) => `${number(count)} ${word}`);
  return `${told.join(", ") || "no datums"}, of ${number(progress.total)}`;
}
