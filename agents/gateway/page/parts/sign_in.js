// @ts-check
/** The form that takes a token, for who did not come by `threads-agent open`. */
import { fill, h } from "../core/dom.js";
import { signIn } from "../core/session.js";
import { busy, input, values } from "./forms.js";
import { problemNote } from "./states.js";

/** @param {() => void} entered @param {any} [reason] why the last token was refused */
export function signInForm(entered, reason) {
  const said = h("div", {}, reason && reason.status === 403 ? problemNote(reason) : null);
  const button = h("button", { class: "main" }, "Sign in");
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    busy(button, async () => {
      try {
        await signIn(values(event.target).token ?? "");
        entered();
      } catch (error) {
        fill(said, problemNote(error));
      }
    });
  };
  return h(
    "main",
    { class: "lone", id: "main" },
    h("h1", {}, "Threads Agent Stack"),
    h("p", {}, "Sign in by ", h("code", {}, "threads-agent open"), ", which opens this page signed in, or paste a token:"),
    h("form", { class: "stack", onsubmit: submit }, input("token", "Token", { type: "password", required: true }), button),
    said,
  );
}
