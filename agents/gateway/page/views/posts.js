// @ts-check
/** Posts with their KPIs; one post, down to its events and to the request that it came from. */
import { get, v1 } from "../core/api.js";
import { add, h, theirs } from "../core/dom.js";
import { count, moment, percent, shortId } from "../core/format.js";
import { to } from "../core/router.js";
import { chosen } from "../parts/forms.js";
import { simulated, status } from "../parts/marks.js";
import { nothing, panel, soon } from "../parts/states.js";
import { factList, paged, table } from "../parts/table.js";

/** @type {[string, string][]} */
const SORTS = [["", "views"], ["engagements", "engagements"], ["engagement-rate", "engagement rate"], ["clicks", "clicks"], ["follows", "follows"], ["first-hour", "first hour"], ["growth", "growth"], ["published", "newest"]];
const COUNTERS = ["views", "likes", "replies", "reposts", "quotes", "shares", "clicks", "follows"];

/** @param {any} post */
const way = (post) => to(["posts", post.persona_id, post.post_id]);

/** @type {import("../parts/table.js").Column[]} */
export const postColumns = [
  { name: "post", wide: true, cell: (row) => h("a", { href: way(row) }, h("span", { class: "text", dir: "auto" }, (row.text ?? "").slice(0, 120) || row.post_id)) },
  { name: "persona", cell: (row) => theirs(row.persona_id) },
  { name: "rate", number: true, cell: (row) => percent(row.engagement_rate?.value) },
  { name: "engagements", number: true, cell: (row) => count(row.engagements) },
  { name: "views", number: true, cell: (row) => count(row.views) },
  { name: "clicks", number: true, minor: true, cell: (row) => count(row.clicks) },
  { name: "follows", number: true, minor: true, cell: (row) => count(row.follows) },
  { name: "published", minor: true, cell: (row) => moment(row.published_at) },
  { name: "marks", cell: (row) => [row.viral ? h("span", { class: "status good" }, "viral") : null, " ", simulated(row.simulated_events || row.simulated, `${count(row.simulated_events)} of ${count(row.events)} events are simulated`)] },
];

/** @type {[string, string][]} */
const STATES = [["", "any state"], ["proposed", "proposed"], ["scheduled", "scheduled"], ["publishing", "publishing"], ["unconfirmed", "unconfirmed"], ["published", "published"], ["failed", "failed"], ["cancelled", "cancelled"], ["expired", "expired"]];

/** @type {import("../parts/table.js").Column[]} */
const publicationColumns = [
  { name: "text", wide: true, cell: (row) => h("span", { class: "text", dir: "auto" }, row.text.slice(0, 120)) },
  { name: "persona", cell: (row) => theirs(row.persona_id) },
  { name: "state", cell: (row) => [status(row.state), row.parts > 1 ? ` ${row.part + 1} of ${row.parts}` : null, " ", simulated(row.simulated)] },
  { name: "why", wide: true, cell: (row) => theirs(row.reason) },
  { name: "due", cell: (row) => moment(row.due_at) },
  { name: "changed", minor: true, cell: (row) => moment(row.changed_at) },
  { name: "post", cell: (row) => [row.post_id ? h("a", { href: way(row) }, shortId(row.post_id)) : null, " ", outward(row.permalink)] },
];

/** A link to the platform's own page of a post, where it names one. @param {string | null} address */
function outward(address) {
  if (!address?.startsWith("https:") && !address?.startsWith("http:")) return null;
  return h("a", { href: address, rel: "noopener noreferrer", target: "_blank" }, "on the platform");
}

/** @param {import("../main.js").View} view */
export function posts({ root, params, signal, feed }) {
  const list = paged({
    path: "/v1/posts", params: { persona: params.get("persona"), sort: params.get("sort") ?? "views" }, signal,
    draw: (rows) => table("Posts", postColumns, rows),
    empty: nothing("No posts yet.", "Accepted drafts become posts; engagement of posts written elsewhere counts too, once it is imported."),
  });
  const coming = paged({
    path: "/v1/publications", params: { persona: params.get("persona"), state: params.get("state") }, signal, limit: 20,
    draw: (rows) => table("Publications", publicationColumns, rows),
    empty: nothing("Nothing to be published.", "An accepted draft is published where the role publishing runs and its persona's plan lets it."),
  });
  feed.follow(["posts.states"], soon(coming.refresh, 3000), signal);
  add(root, h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Posts"), h("div", { class: "filters" }, chosen("sort", "Sort by", SORTS))), h("section", { class: "panel", "aria-label": "Posts" }, list.node),
    h("section", { class: "panel", "aria-label": "Publications" }, h("header", {}, h("h2", {}, "To be published, and what came of it"), chosen("state", "State", STATES)), coming.node));
}

/** @param {import("../main.js").View} view */
export function post({ root, path, signal, feed }) {
  const [, persona = "", id = ""] = path;
  const numbers = panel("Post", { load: () => get(v1("posts", persona, id), {}, signal), draw: drawPost, signal, every: 10_000 });
  const events = paged({
    path: v1("posts", persona, id, "events"), params: {}, signal,
    draw: (rows) => table("Events of the post", eventColumns, rows),
    empty: nothing("No events of this post yet."),
  });
  feed.follow(["kpi.updates"], soon(numbers.refresh, 3000), signal);
  add(
    root,
    h("p", { class: "crumbs" }, h("a", { href: to(["posts"]) }, "Posts"), " / ", theirs(persona)),
    h("h1", { tabindex: "-1" }, "Post ", h("code", {}, id)),
    numbers.node,
    h("section", { class: "panel", "aria-label": "Events" }, h("header", {}, h("h2", {}, "Events"), h("button", { type: "button", onclick: events.refresh }, "Refresh")), events.node),
  );
}

/** @param {any} found */
function drawPost(found) {
  const rate = found.engagement_rate;
  return [
    h("blockquote", { class: "post", dir: "auto" }, found.text ?? "(no text is known of this post)"),
    h("p", { class: "headline" }, h("b", { class: "value figure" }, percent(rate?.value)), h("span", { class: "figure quiet" }, `${count(rate?.numerator)} engagements / ${count(rate?.denominator)} views`),
      found.viral ? status("viral") : null, simulated(found.simulated_events, `${count(found.simulated_events)} of ${count(found.events)} events are simulated`)),
    factList([
      ...COUNTERS.map((name) => /** @type {[string, any]} */ ([name, h("span", { class: "figure" }, count(found[name]))])),
      ["first hour", found.first_hour?.views == null ? null : `${count(found.first_hour.views)} views`],
      ["first day", found.first_day?.views == null ? null : `${count(found.first_day.views)} views`],
      ["published", moment(found.published_at)],
      ["simulated events", found.simulated_events ? `${count(found.simulated_events)} of ${count(found.events)}` : "none"],
      ["request", traceLink(found)],
    ]),
  ];
}

/** @param {any} found */
function traceLink(found) {
  const id = found.request_id ?? found.draft_id;
  if (!id) return h("a", { href: to(["topics", "posts.published"], { key: found.persona_id, contains: found.post_id }) }, "its record");
  return h("a", { href: to(["requests", id]) }, "trace ", shortId(id));
}

/** @type {import("../parts/table.js").Column[]} */
const eventColumns = [
  { name: "at", cell: (row) => moment(row.occurred_at) },
  { name: "kind", cell: (row) => row.kind },
  { name: "count", number: true, cell: (row) => count(row.count) },
  { name: "source", cell: (row) => [theirs(row.source), " ", simulated(row.simulated)] },
  { name: "event", cell: (row) => shortId(row.event_id) },
  { name: "record", cell: (row) => recordLink(row) },
];

/** @param {any} row */
function recordLink(row) {
  const partition = row.partition ?? row.source_partition;
  const offset = row.offset ?? row.source_offset;
  const topic = row.topic ?? row.source_topic ?? "engagement.events";
  return offset == null ? null : h("a", { class: "figure", href: to(["topics", topic], { partition, offset, persona: null, window: null }) }, `${partition}:${offset}`);
}

