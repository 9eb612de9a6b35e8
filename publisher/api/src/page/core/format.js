// Numbers, sizes, durations and times as people read them.

import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

/** `1,234,567`. */
export const number = (value) => whole.format(value);

/** A count with its noun: `1 datum`, `2 datums`. */
export const count = (value, noun, plural = `${noun}s`) => `${number(value)} ${value === 1 ? noun : plural}`;

/** Three significant digits: `12.5`, `0.0031`, `1,230`. */
export const measure = (value) => short.format(value);

/** A share of a total: `37 %`; never `0 %` or `100 %` unless it is exactly that. */
export function percent(part, total) {
  if (!total) return "0 %";
  const share = (100 * part) / total;
  if (share > 0 && share < 1) return "< 1 %";
  if (share > 99 && share < 100) return "> 99 %";
  return `${Math.round(share)} %`;
}

/** Bytes in powers of 1024: `20.5 KiB`. */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${measure(value / 1024 ** step)} ${units[step]}`;
}

/** Seconds: `320 ms`, `4.2 s`, `12 min 5 s`, `3 h 4 min`, `2 d 5 h`. */
export function duration(seconds) {
  if (seconds > 0 && seconds < 0.001) return "< 1 ms";
  if (seconds < 1) return seconds === 0 ? "0 s" : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${measure(seconds)} s`;
  return coarse(Math.round(seconds));
}

/** Whole seconds, for running durations. */
export const ticked = (seconds) => (seconds < 60 ? `${Math.floor(seconds)} s` : coarse(Math.floor(seconds)));

function coarse(seconds) {
  const parts = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  const shown = parts.slice(first, first + 2).map(([size, unit], place) => {
    const within = place === 0 ? seconds : seconds % parts[first][0];
    return [Math.floor(within / size), unit];
  });
  return shown.filter(([value]) => value > 0).map((part) => part.join(" ")).join(" ");
}

/** A moment, local; its title says it in UTC. */
export function time(iso) {
  if (!iso) return "–";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  const text = today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
  return h("time", { datetime: iso, title: `${at.toISOString().replace("T", " ").replace("Z", "")} UTC` }, text);
}

/** The clock time of a moment in milliseconds, for axes. */
export const clockTime = (ms) => clock.format(ms);

/** Seconds between two moments. */
export const between = (from, to) => (new Date(to) - new Date(from)) / 1000;
