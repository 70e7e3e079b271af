// @ts-check
/** Drafts as they stand, the newest first; one by its id. */
import { get, v1 } from "../core/api.js";
import { add, h } from "../core/dom.js";
import { to } from "../core/router.js";
import { draftCard } from "../parts/draft.js";
import { chosen } from "../parts/forms.js";
import { nothing, panel } from "../parts/states.js";
import { paged } from "../parts/table.js";

/** @type {[string, string][]} */
const STATUSES = [["", "any status"], ["generated", "generated"], ["scored", "scored"], ["accepted", "accepted"], ["rejected", "rejected"]];
const DRAFTS = ["drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected", "drafts.reviews"];

/** @param {import("../main.js").View} view */
export function drafts({ root, path, params, signal, feed }) {
  if (path[1]) return draft(root, path[1], signal);
  const list = paged({
    path: "/v1/drafts", params: { persona: params.get("persona"), status: params.get("status") }, signal, limit: 20,
    draw: (found) => h("div", { class: "drafts" }, found.map((each) => draftCard(each))),
    empty: nothing("No such drafts yet.", h("a", { href: to(["requests"], { new: 1 }) }, "Send a request"), " and they come."),
  });
  const fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: () => ((fresh.hidden = true), list.refresh()) }, "Drafts have changed: show them");
  feed.follow(DRAFTS, () => (fresh.hidden = false), signal);
  add(root, h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Drafts"), h("div", { class: "filters" }, chosen("status", "Status", STATUSES))), h("div", { class: "fresh-line" }, fresh), list.node);
}

/** @param {HTMLElement} root @param {string} id @param {AbortSignal} signal */
function draft(root, id, signal) {
  const one = panel("Draft", { load: () => get(v1("drafts", id), {}, signal), draw: (found) => draftCard(found, true), signal, every: 5000, class: "bare" });
  add(root, h("p", { class: "crumbs" }, h("a", { href: to(["drafts"]) }, "Drafts"), " / "), h("h1", { tabindex: "-1" }, "Draft ", h("code", {}, id)), one.node);
}
