// Entry point of the page: session, live connection, keys, and the view of the address.

import { h, morph } from "./core/dom.js";
import * as events from "./core/events.js";
import * as keys from "./core/keys.js";
import { start as route } from "./core/router.js";
import { greet, hello, session, signOut } from "./core/session.js";
import { token } from "./core/api.js";
import { notFound } from "./core/view.js";
import { audit } from "./views/audit.js";
import { changes } from "./views/changes.js";
import { datum } from "./views/datum.js";
import { editor } from "./views/editor.js";
import { files } from "./views/files.js";
import { job } from "./views/job.js";
import { jobs } from "./views/jobs.js";
import { overview } from "./views/overview.js";
import { pipeline } from "./views/pipeline.js";
import { workers } from "./views/workers.js";

const ROUTES = [
  [/^\/$/, "overview", overview],
  [/^\/pipelines$/, "overview", (view) => editor(view)],
  [/^\/pipelines\/([\w-]+)$/, "overview", pipeline],
  [/^\/pipelines\/([\w-]+)\/edit$/, "overview", editor],
  [/^\/jobs$/, "jobs", jobs],
  [/^\/jobs\/(\w+)$/, "jobs", job],
  [/^\/jobs\/(\w+)\/datums\/(\d+)$/, "jobs", datum],
  [/^\/jobs\/(\w+)\/changes$/, "jobs", changes],
  [/^\/workers$/, "workers", workers],
  [/^\/files$/, "files", files],
  [/^\/audit$/, "audit", audit],
  [/^/, "", nowhere],
];

const SAYS = {
  connecting: "connecting",
  live: "live",
  reconnecting: "reconnecting …",
  "not connected": "not connected",
};

function nowhere(view) {
  view.shows("Not here", () => notFound(`There is no page ${location.pathname}.`));
  view.draw();
}

function showConnection(state) {
  const place = document.getElementById("connection");
  place.dataset.state = state;
  place.lastElementChild.textContent = SAYS[state];
  place.title = state === "live" ? "Changes are shown as they happen" : "This page asks every few seconds instead";
}

function showSession() {
  const { version, store, broker, broker_why: why, role } = session();
  morph(document.getElementById("foot"),
    h("span", {}, `Drover ${version}`),
    h("span", {}, "store ", h("code", {}, store)),
    h("span", {}, `broker ${broker}${why ? `: ${why}` : ""}`),
    role === "read" && h("span", {}, "read-only"),
    token.get() && h("button", { type: "button", class: "quiet", on: { click: signOut } }, "Sign out"),
    h("span", {}, "Press ", h("kbd", {}, "?"), " for keys"));
}

document.addEventListener("drover:session", showSession);
events.on("state", showConnection);
events.on("hello", greet);

// The permissions must be known before buttons are drawn; if loading fails, the view reports the error.
await hello().catch(() => {});
events.start();
keys.start();
route(ROUTES);
