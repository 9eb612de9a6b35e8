// What a view gets to work with: a place to show things, ways to stay up to date, and an end.

import { ApiError } from "./api.js";
import { h, morph } from "./dom.js";
import { connectionState, on } from "./events.js";

/** The shortest time between two loads that events ask for. */
const LEAST_PAUSE_MS = 1000;
/** The shortest time between two drawings that events ask for. */
const EVENT_PAUSE_MS = 200;

export class View {
  #place = document.getElementById("main");
  #end = new AbortController();
  #render = () => [];
  #drawing = 0;
  #soon = null;
  #loaded = false;

  /** Aborted when the view is left. */
  get signal() { return this.#end.signal; }

  /** Whether there was an answer yet. */
  get isLoaded() { return this.#loaded; }

  /** Leaves the view: nothing of it goes on. */
  close() { this.#end.abort(); }

  /** Says what the view looks like; called again by every `draw`. */
  shows(title, render) {
    document.title = `${title} · Drover`;
    this.#render = render;
  }

  /** Draws the view anew, at most once a frame. */
  draw() {
    if (this.#drawing || this.signal.aborted) return;
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0;
      if (!this.signal.aborted) morph(this.#place, this.#render());
    });
  }

  /** Draws the view soon: for what may come many times a second. */
  drawSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.draw();
    }, EVENT_PAUSE_MS);
  }

  /** Width of the place in pixels, for what must know it. */
  get width() { return this.#place.clientWidth; }

  /** Handles live events of a type for as long as the view is open. */
  on(type, handler) { on(type, handler, this.signal); }

  /**
   * Calls `load` now and then again every `seconds()`: the slower, the better the live connection is.
   * Stops while the page is hidden. Returns a function that asks for a load soon.
   */
  every(seconds, load) {
    let timer = null;
    let last = 0;
    let busy = false;
    const turn = async () => {
      clearTimeout(timer);
      if (busy || document.hidden || this.signal.aborted) return;
      busy = true;
      last = Date.now();
      try {
        await this.#attempt(load);
      } finally {
        busy = false;
        if (!this.signal.aborted) timer = setTimeout(turn, 1000 * seconds(connectionState() === "live"));
      }
    };
    const soon = () => {
      if (busy) return;
      clearTimeout(timer);
      timer = setTimeout(turn, Math.max(0, last + LEAST_PAUSE_MS - Date.now()));
    };
    document.addEventListener("visibilitychange", turn, { signal: this.signal });
    document.addEventListener("drover:changed", soon, { signal: this.signal });
    this.#whenConnectionChanges(soon);
    turn();
    return soon;
  }

  // What happened meanwhile was not heard of. The first connection says nothing new.
  #whenConnectionChanges(soon) {
    let was = connectionState();
    this.on("state", (state) => {
      if (was !== "connecting") soon();
      was = state;
    });
  }

  async #attempt(load) {
    try {
      await load();
      trouble(null);
    } catch (error) {
      if (error.name === "AbortError" || this.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      if (![400, 404].includes(error.status)) trouble(`${error.message}. Trying again …`);
      else if (this.#loaded) trouble(error.message);
      else this.#lost(error);
      return;
    }
    this.#loaded = true;
    this.draw();
  }

  // There is no such thing: asking again would not help.
  #lost(error) {
    this.close();
    morph(this.#place, notFound(error.message));
  }
}

/** What stands where nothing was found. */
export const notFound = (message) =>
  h("section", { class: "panel empty" },
    h("h1", {}, "Not here"),
    h("p", {}, message),
    h("p", {}, h("a", { href: "/" }, "To the overview"), " or ", h("a", { href: "/jobs" }, "to all jobs"), "."));

/** Says what is wrong, above all else, or that nothing is. */
export function trouble(text) {
  const place = document.getElementById("trouble");
  if (text !== null) place.textContent = text;
  place.hidden = text === null;
}
