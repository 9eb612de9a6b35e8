// The session: the token, its role, and the state of the server.

import { get, onUnauthorized, token } from "./api.js";
import { h } from "./dom.js";
import { setServerTime } from "./clock.js";
import { modal } from "../parts/dialog.js";

let current = null;
let asking = null;

/** True if actions are permitted; false with a read-only token. */
export const mayAct = () => current?.role === "full";

/** The latest session; `null` before the first answer. */
export const session = () => current;

/** The command that starts a job: without a broker, jobs cannot be submitted. */
export const startCommand = () => (session()?.broker === "embedded" ? "drover run SPEC" : "drover publish SPEC");

/** Stores the session. */
export function greet(hello) {
  current = hello;
  setServerTime(hello.time);
  document.dispatchEvent(new Event("drover:session"));
}

/** Loads the session. */
export const hello = async () => greet(await get("/session"));

/** Forgets the token and reloads. */
export function signOut() {
  token.forget();
  location.reload();
}

onUnauthorized(() => {
  asking ??= askForToken().finally(() => { asking = null; });
  return asking;
});

async function askForToken() {
  const refused = token.get() !== null;
  const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, autofocus: true });
  const answer = await modal({
    title: "This Drover asks for a token",
    body: [
      refused && h("p", { class: "bad-text", role: "alert" }, "The token was refused."),
      h("p", {}, "It is in the link that ", h("code", {}, "drover serve"), " printed at its first start and in the file ",
        h("code", {}, ".drover/token"), " of the store, or the value of ", h("code", {}, "DROVER_TOKEN"), " or ",
        h("code", {}, "DROVER_READ_TOKEN"), " of the service. It is kept in this tab alone."),
      h("label", { class: "field" }, "Token", field),
    ],
    verb: "Sign in",
    must: true,
  });
  if (answer) token.set(field.value.trim());
  return answer;
}
