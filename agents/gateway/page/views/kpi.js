// @ts-check
/** One KPI opened: its trend, what its numerator and denominator are made of, by persona, and the posts behind them. */
import { get, items } from "../core/api.js";
import { add, h, theirs } from "../core/dom.js";
import { count, micros, percent } from "../core/format.js";
import { hasSimulated, Kpis, metricNamed, standing } from "../core/kpis.js";
import { to } from "../core/router.js";
import { trend } from "../parts/chart.js";
import { simulated } from "../parts/marks.js";
import { nothing, panel, soon } from "../parts/states.js";
import { paged, table } from "../parts/table.js";
import { postColumns } from "./posts.js";

const POINTS = 120;

/** @typedef {import("../core/kpis.js").Metric} Metric */

/** @param {import("../main.js").View} view */
export function kpi({ root, path, params, signal, feed }) {
  const metric = metricNamed(path[1]);
  const window = metric.window(params.get("window") ?? "24h");
  const persona = params.get("persona");
  const load = async () => {
    const [answer, history, isSimulated] = await Promise.all([
      get("/v1/kpis", { window }, signal), get("/v1/kpis/history", { persona, window, points: POINTS }, signal).catch(() => []), hasSimulated(persona, window, signal),
    ]);
    return { answer, history: items(history), isSimulated };
  };
  const numbers = panel(`${metric.title}, ${window}`, { load, signal, draw: (found, drawn) => drawNumbers(metric, found, window, persona, drawn) });
  feed.follow(["kpi.updates"], soon(numbers.refresh, 3000), signal);
  add(
    root,
    h("p", { class: "crumbs" }, h("a", { href: to([]) }, "Overview"), " / "),
    h("h1", { tabindex: "-1" }, metric.title),
    h("p", { class: "quiet" }, metric.formula),
    numbers.node,
    params.get("part") === "numerator" && metric.name === "cost_per_follow" ? costsPanel(persona, signal) : null,
    postsPanel(metric, persona, params, signal),
  );
}

/** @param {Metric} metric @param {{answer: any, history: any[], isSimulated: boolean}} found @param {string} window @param {string | null} persona @param {AbortSignal} signal */
function drawNumbers(metric, { answer, history, isSimulated }, window, persona, signal) {
  const kpis = new Kpis(answer);
  const shown = kpis.in(window, persona);
  if (!shown.length) return nothing("No KPIs of this window yet.");
  const target = kpis.targets.get(metric.name);
  const { value, numerator, denominator } = metric.ratio(shown);
  const points = history.map((point) => [Date.parse(point.at) / 1000, metric.history(point)]);
  const drawn = trend({ x: points.map(([at]) => /** @type {number} */ (at)), y: points.map(([, each]) => each ?? null), label: metric.title, format: metric.axis, target: target?.goal, height: 220, axes: true, signal });
  return [
    h("p", { class: "headline" }, h("b", { class: "value figure" }, metric.format(value)), standingWord(value, target), target ? h("span", { class: "quiet" }, `target ${target.wording ?? metric.format(target.goal)}`) : null,
      simulated(isSimulated)),
    h("p", { class: "ratio figure", "data-ratio": metric.name }, metric.numerator(numerator), " / ", metric.denominator(denominator)),
    drawn,
    h("div", { class: "columns" },
      h("div", {}, h("h3", {}, "What it is made of"), table(`Parts of ${metric.title}`, partColumns(metric, shown, numerator), metric.parts)),
      h("div", {}, h("h3", {}, "By persona"), table(`${metric.title} by persona`, personaColumns(metric, target), kpis.in(window, null)))),
  ];
}

/** @param {number | null} value @param {any} target */
function standingWord(value, target) {
  const where = standing(value, target);
  return where ? h("span", { class: `status ${where}` }, { good: "on target", warn: "off target", bad: "alarming" }[where]) : null;
}

/** @param {Metric} metric @param {any[]} kpis @param {number} numerator @returns {import("../parts/table.js").Column[]} */
function partColumns(metric, kpis, numerator) {
  const total = (/** @type {any} */ part) => kpis.reduce((sum, each) => sum + part[1](each), 0);
  const share = metric.name === "engagement_rate" ? [{ name: "share", number: true, cell: (/** @type {any} */ part) => percent(numerator ? total(part) / numerator : null, 1) }] : [];
  return [{ name: "part", cell: (part) => part[0] }, { name: "sum", number: true, cell: (part) => part[2](total(part)) }, ...share];
}

/** @param {Metric} metric @param {any} target @returns {import("../parts/table.js").Column[]} */
function personaColumns(metric, target) {
  const of = (/** @type {any} */ row) => metric.ratio([row]);
  return [
    { name: "persona", cell: (row) => h("a", { href: to(["kpi", metric.name], { persona: row.persona_id }) }, theirs(row.persona_id)) },
    { name: "value", number: true, cell: (row) => h("span", { class: `mark ${standing(of(row).value, target)}` }, metric.format(of(row).value)) },
    { name: "numerator", number: true, cell: (row) => metric.numerator(of(row).numerator) },
    { name: "denominator", number: true, cell: (row) => metric.denominator(of(row).denominator) },
  ];
}

/** @param {string | null} persona @param {AbortSignal} signal */
function costsPanel(persona, signal) {
  const load = async () => (await get("/v1/costs", {}, signal)).by_persona_and_model.filter((/** @type {any} */ row) => !persona || row.persona_id === persona);
  const draw = (/** @type {any[]} */ rows) =>
    rows.length
      ? table("Cost by persona and model, of all time", [
          { name: "persona", cell: (row) => theirs(row.persona_id) }, { name: "model", cell: (row) => row.model },
          { name: "calls", number: true, cell: (row) => count(row.calls) }, { name: "cost", number: true, cell: (row) => micros(row.cost_micros) },
          { name: "records", cell: (row) => h("a", { href: to(["topics", "cost.events"], { key: row.persona_id, contains: row.model }) }, "cost.events") },
        ], rows)
      : nothing("No model has been called yet.");
  return panel("The cost, by persona and model", { load, draw, signal }).node;
}

/** @param {Metric} metric @param {string | null} persona @param {URLSearchParams} params @param {AbortSignal} signal */
function postsPanel(metric, persona, params, signal) {
  const sort = params.get("part") === "denominator" && metric.name === "engagement_rate" ? "views" : metric.sort;
  const list = paged({
    path: "/v1/posts", params: { persona, sort, viral: metric.viral ? "true" : null }, signal, limit: 20,
    draw: (rows) => table(`Posts by ${sort}`, postColumns, metric.viral ? rows.filter((row) => row.viral) : rows),
    empty: nothing("No posts behind this number yet."),
  });
  return h("section", { class: "panel", "aria-label": "Posts behind it" }, h("header", {}, h("h2", {}, "Posts behind it"), h("span", { class: "quiet" }, `most ${sort} first`)), list.node);
}

