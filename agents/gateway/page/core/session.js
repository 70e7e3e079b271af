// @ts-check
/** Who uses the page: signed in by the token in the address, once, and a cookie from then on. */
import { get, post, remove } from "./api.js";

/** @typedef {{subject: string, role: "viewer" | "operator" | "admin", tenant: string}} Me */
const ROLES = ["viewer", "operator", "admin"];

/** @type {Me | null} */
let me = null;

/** Take a token out of the address, so that no history and no shared link has it. @returns {string | null} */
function tokenOfAddress() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", `${location.pathname}#/`);
  return decodeURIComponent(found[1] ?? "");
}

/** @returns {Promise<Me>} */
export async function enter() {
  const token = tokenOfAddress();
  if (token) await post("/v1/session", { token });
  me = await get("/v1/me");
  return /** @type {Me} */ (me);
}

/** @param {string} token */
export async function signIn(token) {
  await post("/v1/session", { token });
}

/** End the session; the cookie is gone. */
export const signOut = () => remove("/v1/session");

/** Tell whether the caller may do what takes this role. @param {"viewer" | "operator" | "admin"} role */
export const may = (role) => me !== null && ROLES.indexOf(me.role) >= ROLES.indexOf(role);
