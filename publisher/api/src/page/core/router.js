// Router: maps addresses to views, and navigates without loading the page.

import { BASE_PATH } from "./api.js";
import { View } from "./view.js";

let routes = [];
let view = null;
let shown = null;

/** Starts the router: `table` has rows of pattern, name in the navigation, and the function that opens the view. */
export function start(table) {
  routes = table;
  document.addEventListener("click", follow);
  window.addEventListener("popstate", show);
  show();
}

/** Path of the address, without the base path, with which a service is not always asked. */
const path = () => {
  const { pathname } = location;
  return (pathname.startsWith(`${BASE_PATH}/`) ? pathname.slice(BASE_PATH.length) : pathname) || "/";
};

/** Goes to an address of this page, given without the base path. */
export function go(href) {
  history.pushState(null, "", BASE_PATH + href);
  show();
  window.scrollTo(0, 0);
  document.getElementById("main").focus({ preventScroll: true });
}

/** The address's query as an object. */
export const query = () => Object.fromEntries(new URLSearchParams(location.search));

/** Replaces the query of the address without opening the view again. */
export function setQuery(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  const text = given.length ? `?${new URLSearchParams(given)}` : "";
  history.replaceState(null, "", location.pathname + text);
  shown = location.pathname + text;
}

function show() {
  const address = location.pathname + location.search;
  if (address === shown && view) return;
  shown = address;
  view?.close();
  view = new View();
  for (const [pattern, name, openView] of routes) {
    const match = pattern.exec(path());
    if (!match) continue;
    mark(name);
    openView(view, ...match.slice(1));
    return;
  }
}

function mark(name) {
  for (const link of document.querySelectorAll("[data-nav]")) {
    if (link.dataset.nav === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Handles plain clicks on internal links; the browser handles all other clicks.
function follow(event) {
  const link = event.target.closest("a[href]");
  if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const href = link.getAttribute("href");
  if (!href.startsWith(`${BASE_PATH}/`) || link.target || link.hasAttribute("download")) return;
  event.preventDefault();
  go(href.slice(BASE_PATH.length));
}
