// Live updates: server-sent events read through `fetch`, as EventSource can't send the token.
// The connection is closed while the page is hidden, reconnects automatically, and reports its state.

import { open } from "./api.js";

/** Silence for this long means that the connection is dead; the server sends a comment every 15 s. */
const SILENCE_MS = 40_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Number of consecutive tries after which the state is no longer "reconnecting". */
const TRIES_OF_HOPE = 4;

const listeners = new EventTarget();
let state = "connecting";
let failures = 0;
let connection = null;
let resting = null;

/** `connecting`, `live`, `reconnecting` or `not connected`. */
export const connectionState = () => state;

/** Calls `handler` with the data of each event of this type until `signal` is aborted. Type `state` is internal. */
export function on(type, handler, signal) {
  listeners.addEventListener(type, (event) => handler(event.detail), { signal });
}

/** Connects, and stays connected while the page is visible. */
export function start() {
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : connect()));
  connect();
}

function stop() {
  clearTimeout(resting);
  connection?.abort();
  connection = null;
}

async function connect() {
  stop();
  if (document.hidden) return;
  const mine = new AbortController();
  connection = mine;
  try {
    await listen(await open("/events", mine.signal), mine);
  } catch {
    // Every error is handled alike: wait, and try again.
  }
  if (connection === mine) retry();
}

function retry() {
  failures += 1;
  become(failures < TRIES_OF_HOPE ? "reconnecting" : "not connected");
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  resting = setTimeout(connect, pause * (0.5 + Math.random() / 2));
}

async function listen(answer, mine) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let silence;
  let text = "";
  try {
    for (;;) {
      silence = setTimeout(() => mine.abort(), SILENCE_MS);
      const { done, value } = await reader.read();
      clearTimeout(silence);
      if (done) return;
      failures = 0;
      become("live");
      text = take(text + value.replaceAll("\r", ""));
    }
  } finally {
    clearTimeout(silence);
  }
}

// Dispatches the complete events of the text, and returns the rest.
function take(text) {
  const blocks = text.split("\n\n");
  const rest = blocks.pop();
  for (const block of blocks) {
    const event = parse(block);
    if (event.data) listeners.dispatchEvent(new CustomEvent(event.type, { detail: JSON.parse(event.data) }));
  }
  return rest;
}

/** One block of an event stream. A line that begins with a colon is a comment. */
export function parse(block) {
  const event = { type: "message", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^([a-z]*): ?(.*)$/.exec(line) ?? [];
    if (name === "event") event.type = value;
    else if (name === "data") event.data += value;
  }
  return event;
}

function become(next) {
  if (next === state) return;
  state = next;
  listeners.dispatchEvent(new CustomEvent("state", { detail: state }));
}
