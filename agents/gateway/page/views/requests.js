// @ts-check
/** Requests: send one, see where each is, and the whole path of one. */
import { get, post, v1 } from "../core/api.js";
import { add, fill, h, theirs } from "../core/dom.js";
import { count, micros, moment, seconds, shortId } from "../core/format.js";
import { go, to } from "../core/router.js";
import { may } from "../core/session.js";
import { busy, chosen, input, select, values } from "../parts/forms.js";
import { status } from "../parts/marks.js";
import { nothing, panel, problemNote, soon } from "../parts/states.js";
import { factList, paged, table } from "../parts/table.js";
import { draftCard } from "../parts/draft.js";

/** @type {[string, string][]} */
const STATUSES = [["", "any status"], ["writing", "writing"], ["parked", "parked"], ["decided", "decided"], ["dead_lettered", "dead-lettered"]];
const TRIES = 10;
const OF_A_REQUEST = ["persona.requests", "drafts.generated", "drafts.scored", "drafts.accepted", "drafts.rejected", "drafts.reviews", "posts.published", "cost.events", "dead.letters"];

/** @param {import("../main.js").View} view */
export function requests({ root, params, signal, feed }) {
  const list = paged({
    path: "/v1/requests", params: { persona: params.get("persona"), status: params.get("status") }, signal,
    draw: (rows) => table("Requests", columns, rows), empty: nothing("No requests yet.", "Send one with the form above, or to the topic persona.requests."),
  });
  const fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: () => ((fresh.hidden = true), list.refresh()) }, "New requests have come: show them");
  feed.follow(["persona.requests"], () => (fresh.hidden = false), signal);
  add(
    root,
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Requests"), h("div", { class: "filters" }, chosen("status", "Status", STATUSES))),
    may("operator") ? sendForm(params, signal, feed) : null,
    h("div", { class: "fresh-line" }, fresh), h("section", { class: "panel", "aria-label": "Requests" }, list.node),
  );
}

/** @type {import("../parts/table.js").Column[]} */
const columns = [
  { name: "asked", cell: (row) => moment(row.occurred_at) },
  { name: "status", cell: (row) => status(row.status) },
  { name: "brief", wide: true, cell: (row) => h("a", { href: to(["requests", row.request_id ?? row.event_id]) }, h("span", { class: "text", dir: "auto" }, row.brief ?? row.request_id)) },
  { name: "persona", cell: (row) => theirs(row.persona_id) },
  { name: "drafts", number: true, cell: (row) => `${count(row.drafts)} of ${count(row.draft_count)}` },
  { name: "deadline", minor: true, cell: (row) => row.deadline ?? "" },
];

/** @param {URLSearchParams} params @param {AbortSignal} signal @param {import("../core/live.js").Feed} feed */
function sendForm(params, signal, feed) {
  const said = h("div", {});
  let isChosen = false;
  let tries = 0;
  const personas = h("select", { id: "send-persona", name: "persona_id", required: true, onchange: () => (isChosen = true) });
  const choices = async () => {
    try {
      const { items } = await get("/v1/personas", { limit: 500 }, signal);
      const wanted = isChosen ? personas.value : params.get("persona");
      fill(personas, items.map((/** @type {any} */ each) => h("option", { value: each.persona_id, selected: each.persona_id === wanted }, `${each.name ?? ""} (${each.persona_id})`)));
      fill(said, items.length ? null : nothing("No persona to ask yet.", h("a", { href: to(["personas", "new"]) }, "Make one"), "."));
      if (wanted && personas.value !== wanted && tries++ < TRIES) again(); // applied just now, it is about to come
    } catch (error) {
      if (!signal.aborted) fill(said, problemNote(error));
    }
  };
  const again = soon(() => signal.aborted || choices(), 2000);
  feed.follow(["personas"], again, signal);
  choices();
  const button = h("button", { class: "main" }, "Send");
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    busy(button, async () => {
      try {
        const sent = await post("/v1/requests", asked(values(event.target)));
        go(["requests", (sent.items?.[0] ?? sent).request_id]);
      } catch (error) {
        fill(said, problemNote(error));
      }
    });
  };
  const toggled = (/** @type {any} */ event) => event.target.open !== params.has("new") && history.replaceState(null, "", to(["requests"], { new: event.target.open, status: params.get("status") }));
  return h(
    "details",
    { class: "panel send", open: params.has("new"), ontoggle: toggled },
    h("summary", {}, "Send a request"),
    h("form", { class: "grid", onsubmit: submit },
      h("label", { class: "field", for: "send-persona" }, h("span", {}, "Persona"), personas),
      h("label", { class: "field broad", for: "send-brief" }, h("span", {}, "Brief"), h("textarea", { id: "send-brief", name: "brief", rows: 2, required: true, dir: "auto", maxlength: 2000, placeholder: "What to write about: a topic, a trend, a pain" })),
      input("send-trend", "Trend (optional)", { name: "trend", dir: "auto" }),
      input("send-language", "Language (optional)", { name: "language", pattern: "[a-z]{2}", placeholder: "en" }),
      input("send-drafts", "Drafts", { name: "draft_count", type: "number", min: 1, max: 20, value: 1 }),
      select("send-deadline", "Deadline", [["now", "now"], ["tomorrow", "tomorrow, at the lower price"]], "now", { name: "deadline" }),
      button),
    said,
  );
}

/** @param {Record<string, string>} found @returns {any} */
const asked = (found) => ({ ...found, draft_count: Number(found.draft_count ?? 1) });

/** @param {import("../main.js").View} view */
export function request({ root, path, signal, feed }) {
  const id = path[1] ?? "";
  let known = new Set([id]);
  const trace = panel("Trace", {
    load: async () => {
      const found = await get(v1("requests", id), {}, signal);
      known = new Set([id, found.request_id, ...(found.drafts ?? []).map((/** @type {any} */ each) => each.draft_id ?? each)]);
      return found;
    },
    draw: drawTrace, signal, class: "bare", every: 10_000,
  });
  const later = soon(trace.refresh, 700);
  feed.follow(OF_A_REQUEST, (record) => concerns(record.value, known) && later(), signal);
  add(root, h("p", { class: "crumbs" }, h("a", { href: to(["requests"]) }, "Requests"), " / "), h("h1", { tabindex: "-1" }, "Request ", h("code", {}, id)), trace.node);
}

/** @param {any} value @param {Set<string>} known */
const concerns = (value, known) => [value?.event_id, value?.request_id, value?.draft_id, value?.draft?.request_id].some((id) => known.has(id)) || value?.source_topic === "persona.requests";

const STEPS = ["queued", "writing", "decided"];

/** @param {any} found */
function drawTrace(found) {
  const asked = found.request ?? found;
  const total = found.total ?? found.costs;
  return [
    h("section", { class: "panel", "aria-label": "Request" },
      stepper(found.status),
      h("blockquote", { class: "post", dir: "auto" }, asked.brief ?? "(not in the database yet: it is on its way)"),
      factList([
        ["persona", asked.persona_id ? h("a", { href: to(["personas", asked.persona_id]) }, theirs(asked.persona_id)) : null],
        ["asked at", asked.occurred_at ? moment(asked.occurred_at) : null], ["drafts asked", asked.draft_count], ["deadline", asked.deadline], ["language", asked.language], ["trend", asked.trend ? theirs(asked.trend) : null],
        ["record", asked.source_offset == null ? null : h("a", { class: "figure", href: to(["topics", "persona.requests"], { partition: asked.source_partition, offset: asked.source_offset, persona: null }) }, `persona.requests ${asked.source_partition}:${asked.source_offset}`)],
        ["cost", total ? `${micros(total.cost_micros)}${total.unpriced_calls ? ` + ${total.unpriced_calls} calls of unknown price` : ""}` : null],
        ["tokens", total ? `${count(total.prompt_tokens)} in, ${count(total.completion_tokens)} out` : null],
      ]),
      reasons(found.reasons)),
    ...(found.drafts ?? []).filter((/** @type {any} */ each) => each?.draft_id).map((/** @type {any} */ draft) => [draftCard({ ...draft, persona_id: draft.persona_id ?? asked.persona_id }, true), stepsPanel(draft)]),
    found.dead_letters?.length ? h("section", { class: "panel", "aria-label": "Dead letters" }, h("header", {}, h("h2", {}, "Dead letters")), table("Dead letters of the request", letterColumns, found.dead_letters)) : null,
    found.calls?.length ? h("section", { class: "panel", "aria-label": "Model calls" }, h("header", {}, h("h2", {}, "Model calls")), table("Model calls of the request", callColumns, found.calls)) : null,
  ];
}

/** @param {any} why */
const reasons = (why) => (Array.isArray(why) && why.length ? h("ul", { class: "reasons" }, why.map((each) => h("li", { dir: "auto" }, typeof each === "string" ? each : JSON.stringify(each)))) : null);

/** @param {string} now */
function stepper(now) {
  const steps = STEPS.includes(now) ? STEPS : [...STEPS.slice(0, 2), now];
  const reached = steps.indexOf(now);
  return h("ol", { class: "stepper", "aria-label": `Status: ${now}` }, steps.map((step, at) => h("li", { class: at <= reached ? "reached" : "", "aria-current": at === reached ? "step" : null }, step.replace("_", " "))));
}

/** @param {any} draft */
function stepsPanel(draft) {
  if (!draft.steps?.length) return null;
  const longest = Math.max(1, ...draft.steps.map((/** @type {any} */ step) => step.latency_ms));
  return h("section", { class: "panel sub", "aria-label": "Steps" }, h("header", {}, h("h3", {}, "How it was written")), table("Steps of the draft", [
    { name: "step", cell: (step) => step.name },
    { name: "took", number: true, cell: (step) => seconds(step.latency_ms) },
    { name: "of the longest", minor: true, cell: (step) => h("span", { class: "bar plain", "aria-hidden": "true" }, h("span", { style: { width: `${(100 * step.latency_ms) / longest}%` } })) },
    { name: "outcome", wide: true, cell: (step) => theirs(step.outcome) },
    { name: "model", minor: true, cell: (step) => theirs(step.model ?? "") },
    { name: "tokens", number: true, cell: (step) => (step.model ? `${count(step.prompt_tokens)} + ${count(step.completion_tokens)}` : "") },
    { name: "cost", number: true, cell: (step) => (step.model ? (step.cost_micros == null ? "unknown" : micros(step.cost_micros)) : "") },
  ], draft.steps));
}

/** @type {import("../parts/table.js").Column[]} */
const callColumns = [
  { name: "at", cell: (row) => moment(row.occurred_at) }, { name: "step", cell: (row) => row.step }, { name: "model", cell: (row) => theirs(row.model) },
  { name: "tokens in", number: true, cell: (row) => count(row.prompt_tokens) }, { name: "cached", number: true, minor: true, cell: (row) => count(row.cached_tokens) }, { name: "tokens out", number: true, cell: (row) => count(row.completion_tokens) },
  { name: "cost", number: true, cell: (row) => (row.cost_micros == null ? "unknown" : micros(row.cost_micros)) }, { name: "took", number: true, cell: (row) => seconds(row.latency_ms) },
  { name: "event", minor: true, cell: (row) => shortId(row.event_id) },
];

/** @type {import("../parts/table.js").Column[]} */
const letterColumns = [
  { name: "at", cell: (row) => moment(row.occurred_at) }, { name: "role", cell: (row) => row.consumer }, { name: "fault", cell: (row) => row.error_class },
  { name: "reason", wide: true, cell: (row) => theirs(row.reason) },
];

