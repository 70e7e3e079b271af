// @ts-check
/** A draft: its text, score with reasons, what it resembles, and the decision, by hand too. */
import { post, v1 } from "../core/api.js";
import { fill, h, theirs } from "../core/dom.js";
import { count, micros, moment, seconds, shortId } from "../core/format.js";
import { to } from "../core/router.js";
import { may } from "../core/session.js";
import { busy, values } from "./forms.js";
import { bar, scoreBar, status } from "./marks.js";
import { notice } from "./shell.js";
import { problemNote } from "./states.js";

/** @param {any} draft @param {boolean} [open] whether the parts of the score are shown */
export function draftCard(draft, open = false) {
  const said = h("div", {});
  const near = draft.near_duplicate ?? (draft.near_duplicate_id ? { draft_id: draft.near_duplicate_id, similarity: draft.near_duplicate_similarity } : null);
  const card = h(
    "article",
    { class: "draft", "data-draft": draft.draft_id, "aria-label": `Draft ${draft.draft_id}` },
    h("header", {}, theirs(draft.persona_id, "who"), status(draft.status), moment(draft.decided_at ?? draft.generated_at), scoreBar(draft.score, draft.threshold)),
    h("blockquote", { class: "post", dir: "auto" }, draft.text ?? ""),
    draft.reasons?.length ? h("ul", { class: "reasons" }, draft.reasons.map((/** @type {string} */ reason) => h("li", { dir: "auto" }, reason))) : null,
    draft.review ? byHand(draft.review) : null,
    near ? h("p", {}, "Resembles ", h("a", { href: to(["requests", near.draft_id]) }, shortId(near.draft_id)), h("span", { class: "figure" }, ` by ${near.similarity?.toFixed(2)}`)) : null,
    draft.features?.length ? h("details", { class: "features", open }, h("summary", {}, "Score in parts"), features(draft.features)) : null,
    h("footer", {},
      h("p", { class: "quiet" }, theirs(draft.model), ` · ${count(draft.prompt_tokens)} + ${count(draft.completion_tokens)} tokens · ${draft.cost_micros == null ? "cost unknown" : micros(draft.cost_micros)} · ${seconds(draft.latency_ms)} · `, h("a", { href: to(["requests", draft.request_id ?? draft.draft_id]) }, "trace")),
      may("operator") ? decide(draft, said, (review) => card.replaceWith(draftCard({ ...draft, review }, open))) : null),
    said,
  );
  return card;
}

/** A decision by hand, which stands above the pipeline's. @param {any} review */
const byHand = (review) => h("p", { class: "review" }, status(`${review.decision} by hand`), " by ", theirs(review.reviewed_by), ", ", moment(review.reviewed_at), review.reason ? [": ", theirs(review.reason)] : null);

/** @param {any[]} found */
const features = (found) => h("ul", { class: "parts-list" }, found.map((each) => h("li", {},
  h("span", {}, each.name), bar(each.value, `${each.name} ${each.value.toFixed(2)}`), h("span", { class: "figure" }, `${each.value.toFixed(2)} × ${each.weight.toFixed(2)}`), h("span", { class: "quiet", dir: "auto" }, each.reason))));

/** @param {any} draft @param {HTMLElement} said @param {(review: any) => void} reviewed */
function decide(draft, said, reviewed) {
  const act = async (/** @type {string} */ what, /** @type {any} */ body) => {
    try {
      // of the text that is shown here, and in place of the review that is shown here
      const review = await post(v1("drafts", draft.draft_id, what), { ...body, content_digest: draft.content_digest, supersede: Boolean(draft.review) });
      notice(`Draft ${draft.draft_id.slice(0, 8)} is ${review.decision} by hand.`);
      reviewed(review);
    } catch (error) {
      fill(said, problemNote(error));
    }
  };
  const isDecided = ["accepted", "rejected"].includes(draft.status);
  const stands = draft.review?.decision;
  const why = isDecided ? null : "The pipeline decides first";
  const accept = h("button", { type: "button", title: why, disabled: !isDecided || stands === "accepted", onclick: () => busy(accept, () => act("accept", {})) }, "Accept");
  const reject = h("button", { type: "button", title: why, disabled: !isDecided || stands === "rejected", onclick: () => ask() }, "Reject…");
  const send = h("button", { class: "main" }, "Reject");
  const ask = () => {
    const id = `why-${draft.draft_id}`;
    const submit = (/** @type {any} */ event) => (event.preventDefault(), busy(send, () => act("reject", values(event.target))));
    fill(said, h("form", { class: "inline", onsubmit: submit }, h("label", { class: "field broad", for: id }, h("span", {}, "Why is it rejected?"), h("input", { id, name: "reason", required: true, maxlength: 500, dir: "auto" })),
      send, h("button", { type: "button", onclick: () => (fill(said), reject.focus()) }, "Cancel")));
    document.getElementById(id)?.focus();
  };
  return h("div", { class: "actions", role: "group", "aria-label": "Decide by hand" }, accept, reject);
}
