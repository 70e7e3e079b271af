// @ts-check
/** The business KPIs as the page shows them: of all personas together, always with numerator and denominator. */
import { get, items } from "./api.js";
import { count, dollars, micros, percent } from "./format.js";

/** @typedef {{goal: number, alarm: number, wording?: string}} Target */
/** @typedef {{value: number | null, numerator: number, denominator: number | null}} Ratio */
/**
 * @typedef {{name: string, title: string, formula: string, window: (chosen: string) => string, ratio: (kpis: any[]) => Ratio,
 *            format: (value: number | null) => string, axis: (value: number | null) => string, numerator: (n: number) => string, denominator: (d: number | null) => string,
 *            history: (point: any) => number | null, parts: [string, (kpi: any) => number, (n: number) => string][], sort: string, viral?: boolean}} Metric
 */

/** @param {any[]} kpis @param {(kpi: any) => number | null | undefined} of */
const sum = (kpis, of) => kpis.reduce((total, kpi) => total + (of(kpi) ?? 0), 0);
/** @param {number} n @param {number} d @returns {Ratio} */
const ratio = (n, d) => ({ value: d > 0 ? n / d : null, numerator: n, denominator: d });
/** A point's value, whether it came as a number or with its parts. @param {any} value */
const plain = (value) => (value != null && typeof value === "object" ? value.value : (value ?? null));
/** @param {string} field @returns {(kpi: any) => number} */
const field = (field) => (kpi) => kpi[field] ?? 0;
/** @type {(chosen: string) => string} */
const asChosen = (chosen) => chosen;

/** @type {Metric[]} */
export const METRICS = [
  {
    name: "engagement_rate",
    title: "Engagement rate",
    formula: "(likes + replies + reposts + quotes + shares) / views",
    window: asChosen,
    ratio: (kpis) => ratio(sum(kpis, field("engagements")), sum(kpis, field("views"))),
    format: (value) => percent(value),
    axis: (value) => percent(value, 1),
    numerator: (n) => `${count(n)} engagements`,
    denominator: (d) => `${count(d)} views`,
    history: (point) => plain(point.engagement_rate),
    parts: ["likes", "replies", "reposts", "quotes", "shares"].map((name) => [name, field(name), count]),
    sort: "engagements",
  },
  {
    name: "cost_per_follow",
    title: "Cost per follow",
    formula: "all cost of the window / follows attributed to a post",
    window: asChosen,
    ratio: (kpis) => ratio(sum(kpis, field("cost_micros")) / 1e6, sum(kpis, field("follows"))),
    format: (value) => dollars(value, 4),
    axis: (value) => dollars(value, 3),
    numerator: (n) => dollars(n, 4),
    denominator: (d) => `${count(d)} follows`,
    history: (point) => plain(point.cost_per_follow ?? point.cost_per_follow_dollars),
    parts: [["cost of known price", field("cost_micros"), (n) => micros(n)], ["calls of unknown price", field("unpriced_calls"), count], ["account growth", field("account_growth"), count]],
    sort: "follows",
  },
  {
    name: "revenue_projection_monthly",
    title: "Revenue / month",
    formula: "run rate of 30 days of one-off revenue + recurring revenue",
    window: () => "30d",
    ratio: (kpis) => {
      const known = kpis.filter((kpi) => plain(kpi.revenue_projection_monthly) != null);
      const total = sum(known, (kpi) => plain(kpi.revenue_projection_monthly));
      return { value: known.length ? total : null, numerator: total, denominator: 1 };
    },
    format: (value) => dollars(value, 0),
    axis: (value) => dollars(value, 0),
    numerator: (n) => dollars(n),
    denominator: () => "1 month",
    history: (point) => plain(point.revenue_projection_monthly ?? point.revenue_projection_monthly_dollars),
    parts: [["one-off, 30 days", field("one_off_revenue_micros"), (n) => micros(n, 2)], ["recurring, change in 30 days", field("recurring_revenue_micros"), (n) => micros(n, 2)]],
    sort: "clicks",
  },
  {
    name: "viral_posts",
    title: "Viral posts",
    formula: "posts with an engagement rate over 10 % and at least 100 views",
    window: () => "lifetime",
    ratio: (kpis) => ({ value: kpis.length ? sum(kpis, field("viral_posts")) : null, numerator: sum(kpis, field("viral_posts")), denominator: sum(kpis, field("posts")) }),
    format: count,
    axis: count,
    numerator: (n) => `${count(n)} viral`,
    denominator: (d) => `${count(d)} posts`,
    history: (point) => plain(point.viral_posts),
    parts: [["viral posts", field("viral_posts"), count]],
    sort: "engagement-rate",
    viral: true,
  },
];

/** @param {string | undefined} name */
export const metricNamed = (name) => METRICS.find((metric) => metric.name === name) ?? /** @type {Metric} */ (METRICS[0]);

/** Where a value stands against its target. @param {number | null} value @param {Target | undefined} target @returns {"" | "good" | "warn" | "bad"} */
export function standing(value, target) {
  if (value == null || !target) return "";
  const sign = target.goal > target.alarm ? 1 : -1;
  if (sign * value >= sign * target.goal) return "good";
  return sign * value <= sign * target.alarm ? "bad" : "warn";
}

const DAYS = { "1h": 1, "24h": 1, "7d": 7, "30d": 30 };
const DAY_MS = 86_400_000;

/** Whether simulated events are among those of a window: the days that it touches know. @param {string | null} persona @param {string} window @param {AbortSignal} signal */
export async function hasSimulated(persona, window, signal) {
  const days = /** @type {Record<string, number>} */ (DAYS)[window];
  const since = days ? new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10) : null;
  const found = items(await get("/v1/kpis/daily", { persona, since, limit: 500 }, signal).catch(() => []));
  return found.some((day) => day.simulated_events > 0);
}

/** KPIs by persona and window: as they were asked for, and then by each update that comes. */
export class Kpis {
  /** @param {any} answer of GET /v1/kpis */
  constructor(answer) {
    /** @type {Map<string, any>} */
    this.of = new Map(answer.items.map((/** @type {any} */ kpi) => [`${kpi.persona_id} ${kpi.window}`, kpi]));
    /** @type {Map<string, Target>} */
    this.targets = new Map((answer.targets ?? []).map((/** @type {any} */ target) => [target.metric ?? target.name, target]));
  }

  /** @param {string} window @param {string | null} persona @returns {any[]} */
  in(window, persona) {
    return [...this.of.values()].filter((kpi) => kpi.window === window && (!persona || kpi.persona_id === persona));
  }

  /** Take up a record of kpi.updates, unless a newer one is known. @param {any} update */
  take(update) {
    const key = `${update.persona_id} ${update.window}`;
    const known = this.of.get(key);
    if (known && Date.parse(known.as_of) > Date.parse(update.window_end)) return;
    const projection = update.revenue_projection_monthly_micros;
    const changed = { as_of: update.window_end, revenue_projection_monthly: projection == null ? null : projection / 1e6 };
    this.of.set(key, { ...known, ...update, ...changed });
  }
}
