// Requests to the API: JSON, the token in a header, errors as `ApiError`.

/** The path below which a proxy shows the page; empty at the root of its host. */
export const BASE_PATH = document.documentElement.dataset.base ?? "";
const BASE = `${BASE_PATH}/api/v1`;
const TOKEN = "drover.token";
/** The server cancels a request after 30 s; the page does so a little later. */
const PATIENCE_MS = 35_000;

/** An answer that is not a success. `kind` is the API's, or `unreachable` when there was no answer at all. */
export class ApiError extends Error {
  constructor(status, kind, message, findings = []) {
    super(message);
    this.status = status;
    this.kind = kind;
    this.findings = findings;
  }
}

// Session storage: the token is dropped with the tab. A link may carry it behind the `#`, which is never sent, and which
// leaves the address at once.
export const token = {
  get: () => sessionStorage.getItem(TOKEN),
  set: (value) => sessionStorage.setItem(TOKEN, value),
  forget: () => sessionStorage.removeItem(TOKEN),
};

function takeFromLink() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return;
  token.set(given);
  history.replaceState(history.state, "", location.pathname + location.search);
}

takeFromLink();

let signIn = async () => false;

/** Sets the function that asks for a token; it resolves to true if there is one. */
export function onUnauthorized(ask) {
  signIn = ask;
}

export const get = (path, query, signal) => request("GET", path + queryString(query), undefined, signal);
export const post = (path, body = {}) => request("POST", path, body);
/** Sends a text, such as a spec in YAML. */
export const sendText = (method, path, text) => request(method, path, new Blob([text], { type: "application/yaml" }));
export const remove = (path) => request("DELETE", path);

/** A streaming answer (server-sent events). */
export const open = (path, signal) => send("GET", path, undefined, signal);

/** The bytes of an answer. */
export const getBlob = async (path, query, signal) => (await send("GET", path + queryString(query), undefined, signal)).blob();

async function request(method, path, body, signal) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const answer = await send(method, path, body, signal ? AbortSignal.any([signal, patience]) : patience);
  return answer.status === 204 ? null : answer.json();
}

async function send(method, path, body, signal) {
  const answer = await tryOnce(method, path, body, signal);
  if (answer.ok) return answer;
  if (answer.status === 401 && (await signIn())) return send(method, path, body, signal);
  throw await errorOf(answer);
}

async function tryOnce(method, path, body, signal) {
  try {
    return await fetch(BASE + path, { method, headers: headers(body), body: encoded(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "drover serve does not answer");
  }
}

const encoded = (body) => (body instanceof Blob || body === undefined ? body : JSON.stringify(body));

function headers(body) {
  const given = {};
  if (token.get()) given.Authorization = `Bearer ${token.get()}`;
  if (body) given["Content-Type"] = body instanceof Blob ? body.type : "application/json";
  return given;
}

async function errorOf(answer) {
  const { error } = await answer.json().catch(() => ({}));
  return new ApiError(answer.status, error?.kind ?? "internal", error?.message ?? `HTTP ${answer.status}`, error?.findings);
}

function queryString(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
