// @ts-check
/** What the models cost, by model and persona, what was saved, and the budgets. */
import { get } from "../core/api.js";
import { add, h, theirs } from "../core/dom.js";
import { count, micros, moment, percent } from "../core/format.js";
import { to } from "../core/router.js";
import { bar, shareBar, status } from "../parts/marks.js";
import { nothing, panel, soon } from "../parts/states.js";
import { table } from "../parts/table.js";

/** @param {import("../main.js").View} view */
export function costs({ root, params, signal, feed }) {
  const persona = params.get("persona");
  const meter = panel("Cost meter", { load: () => get("/v1/costs", {}, signal), draw: (found) => drawMeter(found, persona), signal });
  const saved = panel("Saved", { load: () => get("/v1/costs/saved", {}, signal), draw: drawSaved, signal });
  const budgets = panel("Budgets", { load: () => get("/v1/budgets", {}, signal), draw: (found) => drawBudgets(found, persona), signal, every: 10_000 });
  feed.follow(["cost.events"], soon(() => (meter.refresh(), saved.refresh()), 1500), signal);
  feed.follow(["budget.alerts"], soon(budgets.refresh, 1000), signal);
  add(root, h("h1", { tabindex: "-1" }, "Costs and budgets"), h("div", { class: "columns" }, meter.node, saved.node), budgets.node);
}

/** @param {any} found @param {string | null} persona */
function drawMeter(found, persona) {
  const rows = found.by_persona_and_model.filter((/** @type {any} */ row) => !persona || row.persona_id === persona);
  if (!rows.length) return nothing("No model has been called yet.");
  const models = sums(rows, "model");
  const most = Math.max(1, ...models.map((row) => row.cost_micros));
  const total = models.reduce((sum, row) => sum + row.cost_micros, 0);
  const unpriced = models.reduce((sum, row) => sum + row.unpriced_calls, 0);
  return [
    h("p", { class: "headline" }, h("b", { class: "value figure" }, micros(total)), h("span", { class: "quiet figure" }, `${count(models.reduce((sum, row) => sum + row.calls, 0))} calls`), unpriced ? h("span", { class: "status warn" }, `${count(unpriced)} calls of unknown price are in no sum`) : null),
    table("Cost by model", [
      { name: "model", cell: (row) => theirs(row.model) },
      { name: "cost", number: true, cell: (row) => micros(row.cost_micros) },
      { name: "of the most", minor: true, cell: (row) => bar(row.cost_micros / most, `${percent(total ? row.cost_micros / total : 0, 1)} of the cost`) },
      { name: "calls", number: true, cell: (row) => count(row.calls) },
      { name: "tokens in", number: true, minor: true, cell: (row) => count(row.prompt_tokens) },
      { name: "tokens out", number: true, minor: true, cell: (row) => count(row.completion_tokens) },
    ], models),
    h("details", {}, h("summary", {}, "By persona"), table("Cost by persona", [
      { name: "persona", cell: (row) => theirs(row.persona_id) }, { name: "cost", number: true, cell: (row) => micros(row.cost_micros) }, { name: "calls", number: true, cell: (row) => count(row.calls) },
      { name: "records", cell: (row) => h("a", { href: to(["topics", "cost.events"], { key: row.persona_id }) }, "cost.events") },
    ], sums(rows, "persona_id"))),
  ];
}

/** Rows added up by one of their fields, the dearest first. @param {any[]} rows @param {string} by */
function sums(rows, by) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const row of rows) {
    const sum = found.get(row[by]) ?? { [by]: row[by], calls: 0, cost_micros: 0, prompt_tokens: 0, completion_tokens: 0, unpriced_calls: 0 };
    for (const name of ["calls", "cost_micros", "prompt_tokens", "completion_tokens", "unpriced_calls"]) sum[name] += row[name] ?? 0;
    found.set(row[by], sum);
  }
  return [...found.values()].sort((one, other) => other.cost_micros - one.cost_micros || other.calls - one.calls);
}

/** @param {any} found */
function drawSaved(found) {
  if (!found.by_measure.length) return nothing("Nothing has been saved yet.", "Tiers, caches, templates and batches spare calls once there are some.");
  return [
    h("p", { class: "headline" }, h("b", { class: "value figure" }, micros(found.total.saved_micros)), h("span", { class: "quiet figure" }, `${percent(found.total.share, 1)} of the ${micros(found.bill_without_micros)} that it would have cost`)),
    table("Saved by measure", [
      { name: "measure", cell: (row) => String(row.measure).replaceAll("_", " ") }, { name: "saved", number: true, cell: (row) => (row.calls && row.unknown_calls === row.calls ? "unknown" : micros(row.saved_micros)) },
      { name: "share", number: true, cell: (row) => percent(row.share, 1) }, { name: "calls", number: true, cell: (row) => count(row.calls) }, { name: "tokens spared", number: true, minor: true, cell: (row) => count(row.prompt_tokens + row.completion_tokens) },
    ], found.by_measure),
    found.total.unknown_calls ? h("p", { class: "quiet" }, `The saving of ${count(found.total.unknown_calls)} calls is unknown, as a price is: they are in no sum.`) : null,
  ];
}

/** @param {any} found @param {string | null} persona */
function drawBudgets(found, persona) {
  const everyone = found.total ? [{ persona_id: "", ...found.total }] : []; // who sees one tenant has no total of all
  const rows = [...everyone, ...found.personas.filter((/** @type {any} */ row) => !persona || row.persona_id === persona)];
  return [
    table("Budgets", [
      { name: "who", cell: (row) => (row.persona_id ? theirs(row.persona_id) : h("b", {}, "all personas")) },
      { name: "this hour", number: true, cell: (row) => micros(row.hour.spent_micros) }, { name: "of its limit", cell: (row) => limit(row.hour) },
      { name: "today", number: true, cell: (row) => micros(row.day.spent_micros) }, { name: "of its limit", cell: (row) => limit(row.day) },
      { name: "level", cell: (row) => [status(row.level), row.until ? [" until ", moment(row.until)] : null] },
      { name: "why", wide: true, minor: true, cell: (row) => h("span", { dir: "auto" }, row.reason ?? "") },
    ], rows),
    h("h3", {}, "Alerts of today"),
    found.alerts_today.length ? table("Alerts of today", [
      { name: "at", cell: (row) => moment(row.occurred_at) }, { name: "kind", cell: (row) => status(row.kind) }, { name: "who", cell: (row) => (row.persona_id === "*" ? "all personas" : theirs(row.persona_id)) },
      { name: "spent", number: true, cell: (row) => micros(row.spent_micros) }, { name: "limit or mean", number: true, cell: (row) => micros(row.limit_micros) }, { name: "period", cell: (row) => row.period },
    ], found.alerts_today) : h("p", { class: "quiet" }, "None."),
  ];
}

/** @param {any} use */
const limit = (use) => (use.limit_micros == null ? h("span", { class: "quiet" }, "no limit") : [shareBar(use.spent_share ?? 0), " ", h("span", { class: "quiet figure" }, `of ${micros(use.limit_micros, 2)}`)]);
