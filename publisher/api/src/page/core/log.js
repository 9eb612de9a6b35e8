// The log of a datum: the end first, then backwards, or the lines that contain a text. Only what was asked for is kept.

import { get, getBlob } from "./api.js";

/** Lines of one request. */
const PAGE = 500;

export class LogReader {
  /** Lines with their places, in order; `null` before the first answer. */
  lines = null;
  /** True if there are lines before these. */
  hasEarlier = false;
  /** True if there are lines after these, which happens in a search only. */
  hasLater = false;
  /** Text that is searched for. */
  text = "";
  error = null;

  #path;
  #changed;
  #signal;
  #asked = 0;

  /** `path` is that of the datum; `changed` is called after every change. */
  constructor(path, changed, signal) {
    this.#path = path;
    this.#changed = changed;
    this.#signal = signal;
  }

  /** The last lines, or with a text the first lines that contain it. */
  find(text) {
    this.text = text;
    return text === "" ? this.end() : this.#ask({ contains: text, limit: PAGE }, ({ lines, truncated }) => {
      this.#take(lines, false, truncated);
    });
  }

  /** The last lines; does nothing during a search. */
  end() {
    if (this.text !== "") return undefined;
    return this.#ask({ tail: PAGE }, ({ lines, truncated }) => this.#take(lines, truncated, false));
  }

  /** Adds the lines before. */
  earlier() {
    const first = this.lines[0].line;
    const offset = Math.max(0, first - PAGE);
    return this.#ask({ offset, limit: first - offset }, ({ lines }) => {
      this.#take([...lines, ...this.lines], offset > 0, false);
    });
  }

  /** Adds further lines that contain the text. */
  later() {
    const query = { contains: this.text, offset: this.lines.at(-1).line + 1, limit: PAGE };
    return this.#ask(query, ({ lines, truncated }) => this.#take([...this.lines, ...lines], false, truncated));
  }

  /** The whole log as a file. */
  file = () => getBlob(`${this.#path}/log`, {}, this.#signal);

  async #ask(query, take) {
    this.#asked += 1;
    const mine = this.#asked;
    try {
      const answer = await get(`${this.#path}/logs`, query, this.#signal);
      if (mine !== this.#asked) return;
      this.error = null;
      take(answer);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.error = error.message;
    }
    this.#changed();
  }

  #take(lines, hasEarlier, hasLater) {
    Object.assign(this, { lines, hasEarlier, hasLater });
  }
}
