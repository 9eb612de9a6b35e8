// A look at a file: picture, sound, table or text, each bounded.

import { getBlob } from "../core/api.js";
import { h } from "../core/dom.js";
import { bytes, count } from "../core/format.js";
import { textTable } from "./chart.js";
import { note } from "./pieces.js";

const MOST_MEDIA_BYTES = 16 * 1024 * 1024;
const MOST_TEXT_BYTES = 64 * 1024;
const MOST_ROWS = 50;
const MOST_COLUMNS = 20;

const PICTURE = /\.(png|jpe?g|gif|webp|avif|bmp|svg)$/i;
const SOUND = /\.(wav|mp3|og[ga]|opus|flac|m4a)$/i;
const TABLE = /\.(csv|tsv)$/i;

/** The kind of look that a file gives by its name and size: `picture`, `sound`, `table`, `text`; `null` if it is too large. */
export function previewOf({ name, size }) {
  const isMedia = PICTURE.test(name) || SOUND.test(name);
  if (isMedia && size > MOST_MEDIA_BYTES) return null;
  if (isMedia) return PICTURE.test(name) ? "picture" : "sound";
  return TABLE.test(name) ? "table" : "text";
}

/** Fills an element with a look at the file, once. */
export async function fillPreview(place, file, signal) {
  if (place.hasChildNodes()) return;
  const kind = previewOf(file);
  if (kind === null) return place.replaceChildren(note(`With ${bytes(file.size)} it is too large to be shown here.`));
  place.replaceChildren(note("Asking …"));
  try {
    const isMedia = kind === "picture" || kind === "sound";
    const query = isMedia ? file.query : { ...file.query, limit: MOST_TEXT_BYTES };
    const blob = await getBlob(file.path, query, signal);
    place.replaceChildren(...(isMedia ? [media(kind, blob, file.name, signal)] : await written(kind, blob, file)));
  } catch (error) {
    if (error.name !== "AbortError") place.replaceChildren(h("p", { class: "bad-text" }, error.message));
  }
  return undefined;
}

function media(kind, blob, name, signal) {
  const src = URL.createObjectURL(blob);
  signal.addEventListener("abort", () => URL.revokeObjectURL(src));
  return kind === "picture" ? h("img", { src, alt: name }) : h("audio", { src, controls: true, "aria-label": name });
}

async function written(kind, blob, { name, size }) {
  const text = new TextDecoder().decode(await blob.arrayBuffer());
  if (text === "") return [note("It is empty.")];
  if (text.includes("\0")) return [note("It is no text. Save it to look at it with a program of its kind.")];
  const isCut = size > MOST_TEXT_BYTES;
  const shown = kind === "table" ? table(text, name, isCut) : h("pre", { tabindex: 0 }, text);
  return [shown, isCut && note(`The first ${bytes(MOST_TEXT_BYTES)} of ${bytes(size)}.`)].filter(Boolean);
}

function table(text, name, isCut) {
  const rows = parseRows(text, /\.tsv$/i.test(name) ? "\t" : ",");
  if (isCut) rows.pop();
  const [head = [], ...body] = rows.map((row) => row.slice(0, MOST_COLUMNS));
  const more = body.length - MOST_ROWS;
  return h("div", {},
    h("div", { class: "table-box low", tabindex: 0 }, textTable(head, body.slice(0, MOST_ROWS))),
    more > 0 && note(`and ${count(more, "more row")}${isCut ? " at least" : ""}`));
}

/** Rows of separated values, in which quotes protect separators and line breaks. Pure. */
export function parseRows(text, separator) {
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  const endCell = () => { row.push(cell); cell = ""; };
  const endRow = () => { endCell(); rows.push(row); row = []; };
  for (let at = 0; at < text.length; at += 1) {
    const each = text[at];
    if (quoted && each === "\"" && text[at + 1] === "\"") { cell += each; at += 1; }
    else if (each === "\"" && (quoted || cell === "")) quoted = !quoted;
    else if (quoted) cell += each;
    else if (each === separator) endCell();
    else if (each === "\n") endRow();
    else if (each !== "\r") cell += each;
  }
  if (cell !== "" || row.length) endRow();
  return rows;
}
