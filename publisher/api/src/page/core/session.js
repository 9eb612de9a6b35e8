// Who we are to the server: the token, what it allows, and what the server says about itself.

import { get, onUnauthorized, token } from "./api.js";
import { h } from "./dom.js";
import { setServerTime } from "./clock.js";
import { modal } from "../parts/dialog.js";

let current = null;
let asking = null;

/** Whether actions are offered: with a read-only token they are absent. */
export const mayAct = () => current?.role === "full";

/** What the server said about itself last; `null` before it has. */
export const session = () => current;

/** Takes what the server says about itself. */
export function greet(hello) {
  current = hello;
  setServerTime(hello.time);
  document.dispatchEvent(new Event("drover:session"));
}

/** Asks the server who we are. */
export const hello = async () => greet(await get("/session"));

/** Forgets the token and begins anew. */
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
      h("p", {}, "It is the value of ", h("code", {}, "DROVER_TOKEN"), " of the service, or of ",
        h("code", {}, "DROVER_READ_TOKEN"), " to look only. It is kept in this tab alone."),
      h("label", { class: "field" }, "Token", field),
    ],
    verb: "Sign in",
    must: true,
  });
  if (answer) token.set(field.value.trim());
  return answer;
}
