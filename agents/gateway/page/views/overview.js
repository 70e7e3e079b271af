// @ts-check
/** The first view: KPI tiles, posts on their way, and whether all is well. */
import { get, items } from "../core/api.js";
import { add, h } from "../core/dom.js";
import { count, micros, NONE, span } from "../core/format.js";
import { hasSimulated, Kpis, METRICS } from "../core/kpis.js";
import { to } from "../core/router.js";
import { may } from "../core/session.js";
import { board } from "../parts/board.js";
import { status } from "../parts/marks.js";
import { nothing, panel, repeat, soon } from "../parts/states.js";
import { tile } from "../parts/tile.js";

const HISTORY_MS = 30_000;
const POINTS = 60;

/** @param {import("../main.js").View} view */
export function overview({ root, params, signal, feed }) {
  const window = params.get("window") ?? "24h";
  const persona = params.get("persona");
  add(
    root,
    h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Overview"), may("operator") ? h("a", { class: "button main", href: to(["requests"], { new: 1 }) }, "Send a request") : null),
    tiles(window, persona, signal, feed),
    board(feed, persona, signal),
    state(signal),
  );
}

/** @param {string} window @param {string | null} persona @param {AbortSignal} signal @param {import("../core/live.js").Feed} feed */
function tiles(window, persona, signal, feed) {
  const { node, refresh } = panel("KPIs", { load: () => get("/v1/kpis", { persona }, signal), signal, class: "bare", draw: drawTiles });
  /** @param {any} answer @param {AbortSignal} drawn */
  function drawTiles(answer, drawn) {
    const kpis = new Kpis(answer);
    const hint = nothing("No KPIs yet.", "They come with the first engagement: ", h("code", {}, "threads-agent produce engagement.events …"), ", an import, or ", h("code", {}, "threads-agent demo"), ".");
    const made = METRICS.map((metric) => ({ metric, ...tile(metric, kpis.targets.get(metric.name), metric.window(window)) }));
    const show = () => {
      hint.hidden = kpis.of.size > 0;
      for (const { metric, show: put } of made) put(kpis.in(metric.window(window), persona));
    };
    show();
    const later = soon(show, 200);
    feed.follow(["kpi.updates"], (record) => (kpis.take(record.value), later()), drawn);
    const trends = () => drawTrends(made, persona, window, drawn);
    trends();
    repeat(trends, HISTORY_MS, drawn);
    return [h("div", { class: "tiles" }, made.map((each) => each.node)), hint];
  }
  let wasLive = true;
  feed.on("state", (/** @type {string} */ now) => {
    if (now === "live" && !wasLive) refresh(); // updates may have gone by meanwhile
    wasLive = now === "live";
  }, signal);
  feed.on("gap", refresh, signal);
  return node;
}

/** @param {any[]} made @param {string | null} persona @param {string} window @param {AbortSignal} signal */
async function drawTrends(made, persona, window, signal) {
  for (const asked of new Set(made.map(({ metric }) => metric.window(window)))) {
    const history = items(await get("/v1/kpis/history", { persona, window: asked, points: POINTS }, signal).catch(() => []));
    for (const { metric, showTrend } of made) if (metric.window(window) === asked) showTrend(history, signal);
    const isSimulated = await hasSimulated(persona, asked, signal);
    for (const { metric, mark } of made) if (metric.window(window) === asked) mark(isSimulated);
  }
}

/** @param {AbortSignal} signal */
function state(signal) {
  const load = async () => {
    const [lags, budgets, saved, topics] = await Promise.all([
      get("/v1/lag", {}, signal).catch(() => null), get("/v1/budgets", {}, signal).catch(() => null),
      get("/v1/costs/saved", {}, signal).catch(() => null), get("/v1/topics", { limit: 500 }, signal).catch(() => null),
    ]);
    return { lags: lags && items(lags), budgets, saved, letters: items(topics).find((each) => each.name === "dead.letters")?.records };
  };
  return panel("State", { load, signal, every: 10_000, draw: drawState }).node;
}

/** @param {any} found */
function drawState({ lags, budgets, saved, letters }) {
  const records = lags?.reduce((/** @type {number} */ total, /** @type {any} */ each) => total + (each.lag_records ?? 0), 0);
  const longest = lags?.reduce((/** @type {number} */ most, /** @type {any} */ each) => Math.max(most, each.lag_s ?? 0), 0);
  const day = budgets?.total?.day;
  return h(
    "dl",
    { class: "strip" },
    stat("Consumer lag", ["lag"], records == null ? NONE : `${count(records)} records`, span(longest)),
    stat("Spent today", ["costs"], micros(day?.spent_micros), budgets?.total ? status(budgets.total.level) : ""),
    stat("Saved so far", ["costs"], micros(saved?.total?.saved_micros), saved ? `of ${micros(saved.bill_without_micros)}` : ""),
    stat("Dead letters", ["dead-letters"], count(letters), ""),
  );
}

/** @param {string} name @param {string[]} path @param {string} value @param {any} hint */
const stat = (name, path, value, hint) => h("div", {}, h("dt", {}, name), h("dd", {}, h("a", { class: "figure", href: to(path) }, value), h("span", { class: "quiet" }, hint)));
