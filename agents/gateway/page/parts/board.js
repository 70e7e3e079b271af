// @ts-check
/** Posts on their way, stage by stage: each draft is one card that moves from column to column as its records come. */
import { get, items } from "../core/api.js";
import { h, keyed, say, theirs } from "../core/dom.js";
import { brief } from "../core/format.js";
import { to } from "../core/router.js";
import { simulated } from "./marks.js";
import { repeat, soon } from "./states.js";

/** @typedef {{key: string, stage: string, persona_id: string, text: string, score?: number | null, at: string, href: string, simulated?: boolean}} Card */

/** @type {[string, string, string][]} stage, its title, its topic */
const STAGES = [
  ["requested", "Requested", "persona.requests"],
  ["generated", "Written", "drafts.generated"],
  ["scored", "Scored", "drafts.scored"],
  ["accepted", "Accepted", "drafts.accepted"],
  ["rejected", "Rejected", "drafts.rejected"],
  ["published", "Published", "posts.published"],
];
const SHOWN = 5;
const KEPT = 400;
const TOTALS_MS = 5000;

/** @param {import("../core/live.js").Feed} feed @param {string | null} persona @param {AbortSignal} signal */
export function board(feed, persona, signal) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  const columns = STAGES.map(([stage, title, topic]) => column(stage, title, topic));
  const node = h("section", { class: "panel", "aria-label": "Posts by stage" }, h("header", {}, h("h2", {}, "On the way"), h("span", { class: "quiet" }, "newest of each stage")),
    h("div", { class: "board", tabindex: "0", role: "group", "aria-label": "Stages" }, columns.map((each) => each.node)));
  const draw = soon(() => columns.forEach((each) => each.show([...cards.values()])), 120);
  /** @param {Card} card */
  const put = (card) => {
    if (persona && card.persona_id !== persona) return;
    const before = cards.get(card.key);
    if (before && rank(before.stage) > rank(card.stage)) return; // an older stage that came later
    cards.delete(card.key);
    cards.set(card.key, { ...before, ...card });
    if (cards.size > KEPT) cards.delete(/** @type {string} */ (cards.keys().next().value));
    draw();
  };
  feed.follow(STAGES.map(([, , topic]) => topic), (record) => {
    const card = cardOf(record);
    if (!card) return;
    if (record.topic === "drafts.generated") cards.delete(record.value.request_id);
    put(card);
  }, signal);
  const fill = () => seed(persona, signal).then((all) => all.forEach(put), () => {});
  fill();
  feed.on("gap", fill, signal);
  const totals = () => allOf(signal).then((all) => columns.forEach((each) => each.total(persona ? null : all.get(each.topic))), () => {});
  totals();
  repeat(totals, TOTALS_MS, signal);
  draw();
  return node;
}

/** Records of each topic. @param {AbortSignal} signal @returns {Promise<Map<string, number>>} */
const allOf = async (signal) => new Map(items(await get("/v1/topics", { limit: 500 }, signal)).map((topic) => [topic.name, topic.records]));

/** @param {string} stage */
const rank = (stage) => ["requested", "generated", "scored", "rejected", "accepted", "published"].indexOf(stage);

/** What stands in the database, oldest first. @param {string | null} persona @param {AbortSignal} signal @returns {Promise<Card[]>} */
async function seed(persona, signal) {
  const params = { persona, limit: 40 };
  const [requests, drafts, posts] = await Promise.all([
    get("/v1/requests", params, signal).catch(() => null), get("/v1/drafts", params, signal).catch(() => null), get("/v1/posts", { ...params, sort: "published" }, signal).catch(() => null),
  ]);
  const written = new Set(items(drafts).map((draft) => draft.request_id));
  const open = items(requests).filter((each) => !written.has(each.request_id) && each.status !== "decided" && each.status !== "dead_lettered");
  return [
    ...open.map((each) => requestCard(each.request_id ?? each.event_id, each)),
    ...items(drafts).map((draft) => draftCard(draft.status, draft, draft.score, draft.decided_at ?? draft.generated_at)),
    ...items(posts).map((post) => postCard(post, post.published_at)),
  ].sort((one, other) => one.at.localeCompare(other.at));
}

/** @param {import("../core/live.js").StreamRecord} record @returns {Card | null} */
function cardOf({ topic, value }) {
  if (topic === "persona.requests") return requestCard(value.event_id, value);
  if (topic === "drafts.generated") return draftCard("generated", value, null, value.occurred_at);
  if (topic === "drafts.scored") return draftCard("scored", value.draft, value.quality?.score, value.occurred_at, value.persona_id);
  if (topic === "posts.published") return postCard(value, value.occurred_at);
  return value.draft ? draftCard(value.decision, value.draft, value.quality?.score, value.occurred_at, value.persona_id) : null;
}

/** @param {string} id @param {any} request @returns {Card} */
const requestCard = (id, request) => ({ key: id, stage: "requested", persona_id: request.persona_id, text: request.brief ?? "", at: String(request.occurred_at ?? ""), href: to(["requests", id]) });

/** @param {string} stage @param {any} draft @param {number | null | undefined} score @param {string} at @param {string} [persona] @returns {Card} */
const draftCard = (stage, draft, score, at, persona) => ({
  key: draft.draft_id, stage, persona_id: persona ?? draft.persona_id, text: draft.text ?? "", score, at: String(at ?? ""), href: to(["requests", draft.request_id ?? draft.draft_id]),
});

/** @param {any} post @param {string} at @returns {Card} */
const postCard = (post, at) => ({
  key: post.draft_id ?? `${post.persona_id}/${post.post_id}`, stage: "published", persona_id: post.persona_id, text: post.text ?? "", at: String(at ?? ""),
  href: to(["posts", post.persona_id, post.post_id]), simulated: post.simulated ?? post.simulated_events > 0,
});

/** @param {string} stage @param {string} title @param {string} topic */
function column(stage, title, topic) {
  const number = h("span", { class: "figure quiet", title: `records of ${topic}` });
  const list = h("ol", {});
  const empty = h("p", { class: "quiet" }, "none yet");
  const node = h("div", { class: "stage", "data-stage": stage }, h("h3", {}, h("a", { href: to(["topics", topic]) }, title)), number, list, empty);
  /** @param {Card[]} cards */
  function show(cards) {
    const mine = cards.filter((card) => card.stage === stage).reverse();
    empty.hidden = mine.length > 0;
    keyed(list, mine.slice(0, SHOWN), (card) => `${card.key} ${card.score ?? ""}`, cardNode);
  }
  /** @param {number | null | undefined} records */
  const total = (records) => say(number, records == null ? "" : brief(records));
  return { node, show, total, topic };
}

/** @param {Card} card */
function cardNode(card) {
  return h(
    "li",
    { class: "card" },
    h("a", { href: card.href }, h("span", { class: "text", dir: "auto" }, card.text.slice(0, 160) || "(no text)")),
    h("p", { class: "quiet" }, theirs(card.persona_id, "who"), simulated(card.simulated), card.score == null ? null : h("b", { class: "figure" }, card.score.toFixed(2))),
  );
}
