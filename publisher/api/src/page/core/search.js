// A search among the datums of a job, page by page. Only the rows of one page are kept in memory.

import { get } from "./api.js";

/** Rows of a page: fewer where each is a card. */
const PAGE = matchMedia("(max-width: 720px)").matches ? 25 : 100;

/** A filter that matches all datums. */
export const NO_FILTER = { path: "", state: "", worker: "", group: "" };

export class DatumSearch {
  filter = { ...NO_FILTER };
  rows = [];
  /** Number of datums examined for this page. */
  looked = 0;
  /** True while searching. */
  busy = false;
  /** The last error. */
  error = null;

  #job;
  #changed;
  #signal;
  #starts = [null];
  #next = null;
  #requests = 0;
  #looking = null;

  /** `changed` is called after every change; `signal` aborts the search. */
  constructor(job, changed, signal) {
    this.#job = job;
    this.#changed = changed;
    this.#signal = signal;
  }

  get hasNext() { return this.#next !== null; }
  get hasPrevious() { return this.#starts.length > 1; }
  get page() { return this.#starts.length; }
  get isFiltered() { return Object.values(this.filter).some(Boolean); }

  /** Searches from the start with the filter. */
  find(filter) {
    this.filter = { ...NO_FILTER, ...filter };
    this.#starts = [null];
    return this.#look();
  }

  next() {
    if (!this.hasNext) return undefined;
    this.#starts.push(this.#next);
    return this.#look();
  }

  previous() {
    if (!this.hasPrevious) return undefined;
    this.#starts.pop();
    return this.#look();
  }

  first() {
    this.#starts = [null];
    return this.#look();
  }

  /** Reloads the same page, unless that takes long. */
  refresh() {
    return this.busy || this.#requests > 1 ? undefined : this.#look(true);
  }

  /** Stops the search; the rows stay. */
  stop() { this.#looking?.abort(); }

  // The server searches for half a second at a time and returns where to continue.
  async #look(quietly = false) {
    this.stop();
    const mine = new AbortController();
    this.#looking = mine;
    const found = { rows: [], looked: 0, next: this.#starts.at(-1), requests: 0 };
    this.busy = !quietly;
    this.error = null;
    if (!quietly) this.#show(found);
    try {
      for (let complete = false; !complete;) complete = await this.#ask(found, mine, quietly);
      this.#show(found);
    } catch (error) {
      if (error.name !== "AbortError") this.error = error.message;
    }
    if (this.#looking !== mine) return;
    this.busy = false;
    this.#changed();
  }

  async #ask(found, mine, quietly) {
    const query = { ...this.filter, after: found.next, limit: PAGE - found.rows.length };
    const answer = await get(`/jobs/${this.#job}/datums`, query, AbortSignal.any([mine.signal, this.#signal]));
    found.rows.push(...answer.datums);
    found.looked += answer.looked_at;
    found.next = answer.next;
    found.requests += 1;
    if (!quietly) this.#show(found);
    return answer.complete || answer.next === null || found.rows.length >= PAGE;
  }

  #show({ rows, looked, next, requests }) {
    this.rows = rows;
    this.looked = looked;
    this.#next = next;
    this.#requests = requests;
    this.#changed();
  }
}
