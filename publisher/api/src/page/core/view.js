// Context of a view: an element, ways to stay up to date, and an end.

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

  /** True after the first answer. */
  get isLoaded() { return this.#loaded; }

  /** Leaves the view and aborts all its requests. */
  close() { this.#end.abort(); }

  /** Sets the function that describes the view; called by every `draw`. */
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

  /** Draws the view soon, for events that come many times a second. */
  drawSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.draw();
    }, EVENT_PAUSE_MS);
  }

  /** Width of the element in pixels. */
  get width() { return this.#place.clientWidth; }

  /** Handles live events of a type for as long as the view is open. */
  on(type, handler) { on(type, handler, this.signal); }

  /**
   * Calls `load` now and then every `seconds()`: more slowly while the live connection works.
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

  // Events were missed before a reconnect. The first connection needs no reload.
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

  // The resource does not exist: asking again would not help.
  #lost(error) {
    this.close();
    morph(this.#place, notFound(error.message));
  }
}

/** The view for a missing resource. */
export const notFound = (message) =>
  h("section", { class: "panel empty" },
    h("h1", {}, "Not here"),
    h("p", {}, message),
    h("p", {}, h("a", { href: "/" }, "To the overview"), " or ", h("a", { href: "/jobs" }, "to all jobs"), "."));

/** Shows an error at the top of the page, or clears it. */
export function trouble(text) {
  const place = document.getElementById("trouble");
  if (text !== null) place.textContent = text;
  place.hidden = text === null;
}
