// @ts-check
/** The topic browser: what there is, records by place, time, key and text, and the live tail. */
import { get, items } from "../core/api.js";
import { add, h } from "../core/dom.js";
import { count } from "../core/format.js";
import { Feed } from "../core/live.js";
import { alter, to } from "../core/router.js";
import { input, select, values } from "../parts/forms.js";
import { recordItem } from "../parts/record.js";
import { nothing, panel } from "../parts/states.js";
import { paged, table } from "../parts/table.js";

const TAIL_KEPT = 200;

/** @param {import("../main.js").View} view */
export function topics({ root, signal }) {
  const draw = (/** @type {any[]} */ found) => table("Topics", [
    { name: "topic", cell: (row) => h("a", { href: to(["topics", row.name], { persona: null, window: null }) }, row.name) },
    { name: "records", number: true, cell: (row) => count(row.records) }, { name: "partitions", number: true, minor: true, cell: (row) => count(row.partitions) },
    { name: "key", minor: true, cell: (row) => row.key ?? "" }, { name: "kept", minor: true, cell: (row) => [kept(row), row.compacted ? ", compacted" : ""] },
    { name: "what is in it", wide: true, cell: (row) => h("span", { class: "text" }, row.description ?? "") },
  ], found);
  add(root, h("h1", { tabindex: "-1" }, "Topics"), panel("All topics", { load: async () => items(await get("/v1/topics", { limit: 500 }, signal)), draw, signal, every: 5000 }).node);
}

const DAY_MS = 86_400_000;

/** @param {any} row */
function kept(row) {
  return row.retention_ms == null ? "for ever" : `${(row.retention_ms / DAY_MS).toFixed(0)} days`;
}

const FILTERS = ["partition", "offset", "since", "until", "key", "contains"];

/** @param {import("../main.js").View} view */
export function topic({ root, path, params, signal }) {
  const name = path[1] ?? "";
  const isTail = params.has("tail");
  const order = params.get("order") ?? (params.has("offset") || params.has("since") ? "oldest" : "newest");
  const wanted = { ...Object.fromEntries(FILTERS.map((each) => [each, params.get(each)])), persona: params.get("persona"), newest_first: order === "newest" ? "true" : "false" };
  add(root, h("p", { class: "crumbs" }, h("a", { href: to(["topics"]) }, "Topics"), " / "), h("h1", { tabindex: "-1" }, h("code", {}, name)), filterForm(params, order), isTail ? tail(name, params, signal) : browse(name, wanted, signal));
}

/** @param {string} name @param {Record<string, any>} wanted @param {AbortSignal} signal */
function browse(name, wanted, signal) {
  const list = paged({
    path: `/v1/topics/${encodeURIComponent(name)}/records`, params: wanted, signal,
    draw: (rows) => h("div", { class: "records" }, rows.map(recordItem)),
    empty: nothing("No such records.", "Widen the filter, or follow the topic live."),
    note: (answer) => h("p", { class: answer.complete || answer.stopped === "limit" ? "quiet" : "status warn" }, told(answer)),
  });
  return h("section", { class: "panel", "aria-label": "Records" }, list.node);
}

/** Whether all was looked at, in words. @param {any} answer */
function told({ complete, scanned, stopped }) {
  if (complete) return `Complete: ${count(scanned)} records were looked at.`;
  if (stopped === "limit") return "There is more.";
  return `Incomplete: ${count(scanned)} records were looked at before the bound of one search (${stopped}); “Show more” goes on from there.`;
}

/** @param {URLSearchParams} params @param {string} order */
function filterForm(params, order) {
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {any} */ more = {}) => input(`filter-${name}`, label, { name, value: params.get(name) ?? "", ...more });
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const found = values(event.target);
    alter({ ...Object.fromEntries(FILTERS.map((name) => [name, found[name] ?? null])), order: found.order, tail: null });
  };
  const isTail = params.has("tail");
  return h(
    "form",
    { class: "grid panel", onsubmit: submit, "aria-label": "Which records" },
    field("partition", "Partition", { inputmode: "numeric", pattern: "[0-9]*" }), field("offset", "From offset", { inputmode: "numeric", pattern: "[0-9]*" }),
    field("since", "Since (UTC)", { placeholder: "2026-11-27T08:00:00Z" }), field("until", "Until (UTC)", { placeholder: "2026-11-27T09:00:00Z" }), field("key", "Key"), field("contains", "Contains"),
    select("filter-order", "Order", [["newest", "newest first"], ["oldest", "oldest first"]], order, { name: "order" }),
    h("div", { class: "actions" }, h("button", { class: "main" }, "Search"), h("button", { type: "button", id: "tail", "aria-pressed": String(isTail), onclick: () => alter({ tail: !isTail }) }, isTail ? "Stop live tail" : "Live tail")),
  );
}

/** New records as they come, the newest first; paused, they are counted only. @param {string} name @param {URLSearchParams} params @param {AbortSignal} signal */
function tail(name, params, signal) {
  const feed = new Feed({ topics: [name], persona: params.get("persona") ?? "" });
  const list = h("div", { class: "records", id: "tail-records" });
  const said = h("p", { class: "quiet figure", role: "status" }, "Connecting…");
  /** @type {any[]} */
  let waiting = [];
  let isPaused = false;
  const draw = () => {
    if (feed.state !== "live") return void (said.textContent = "Reconnecting; what comes meanwhile is not lost…");
    if (isPaused) return void (said.textContent = `Paused: ${count(waiting.length)} records wait${feed.lost ? `, ${count(feed.lost)} missed` : ""}.`);
    if (waiting.length) list.prepend(...waiting.map(recordItem).reverse());
    waiting = [];
    while (list.children.length > TAIL_KEPT) list.lastElementChild?.remove();
    said.textContent = `${count(feed.received)} records since ${started}${feed.lost ? `, ${count(feed.lost)} missed` : ""}; the last ${TAIL_KEPT} are shown.`;
  };
  feed.on("state", (state) => ((node.dataset.state = state), draw()), signal);
  const started = new Date().toLocaleTimeString("en-GB");
  const words = [params.get("key"), params.get("contains")].filter(Boolean);
  feed.on("record", (record) => {
    if (!words.every((word) => JSON.stringify([record.key, record.value]).includes(String(word)))) return;
    waiting = [...waiting, record].slice(-TAIL_KEPT);
    later();
  }, signal);
  feed.on("gap", (gap) => list.prepend(h("p", { class: "status bad" }, `Gap: partition ${gap.partition}, offsets ${gap.from} to ${gap.to}. ${gap.detail ?? gap.reason ?? ""}`)), signal);
  let isAsked = false;
  const later = () => isAsked || ((isAsked = true), setTimeout(() => ((isAsked = false), draw()), 250));
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => ((isPaused = !isPaused), pause.setAttribute("aria-pressed", String(isPaused)), (pause.textContent = isPaused ? "Go on" : "Pause"), draw()) }, "Pause");
  const node = h("section", { class: "panel", id: "tail-feed", "aria-label": "Live tail" }, h("header", {}, h("h2", {}, "Live tail"), pause), said, list);
  feed.start(signal);
  return node;
}
