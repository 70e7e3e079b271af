// @ts-check
/** A KPI tile: value against its target, the trend, and what it is a ratio of. Its numbers change in place. */
import { h, say } from "../core/dom.js";
import { standing } from "../core/kpis.js";
import { to } from "../core/router.js";
import { trend } from "./chart.js";
import { simulated } from "./marks.js";

const WORDS = { good: "on target", warn: "off target", bad: "alarming", "": "" };

/** @param {import("../core/kpis.js").Metric} metric @param {import("../core/kpis.js").Target | undefined} target @param {string} window */
export function tile(metric, target, window) {
  const value = h("a", { class: "value figure", href: to(["kpi", metric.name]) });
  const against = h("p", { class: "against" }, target ? h("span", { class: "quiet", title: target.wording ?? null }, `target ${target.wording?.split(";")[0] ?? metric.format(target.goal)}`) : h("span", { class: "quiet" }, "no target"));
  const verdict = h("span", { class: "status" });
  against.prepend(verdict);
  const numerator = h("a", { class: "figure", href: to(["kpi", metric.name], { part: "numerator" }) });
  const denominator = h("a", { class: "figure", href: to(["kpi", metric.name], { part: "denominator" }) });
  const corner = h("span", { class: "corner" });
  const line = h("div", { class: "line" });
  const node = h(
    "article",
    { class: "tile", "data-metric": metric.name, "aria-label": metric.title },
    h("header", {}, h("h2", {}, metric.title, h("span", { class: "quiet" }, ` ${window}`)), corner),
    value, against, line,
    h("p", { class: "parts quiet" }, numerator, h("span", { "aria-hidden": "true" }, " / "), h("span", { class: "unseen" }, "of"), denominator),
  );
  /** @param {any[]} kpis */
  function show(kpis) {
    const { value: number, numerator: n, denominator: d } = metric.ratio(kpis);
    const where = standing(number, target);
    say(value, metric.format(number));
    verdict.className = `status ${where}`;
    say(verdict, number == null ? "no data yet" : WORDS[where]);
    verdict.hidden = !verdict.textContent;
    say(numerator, metric.numerator(n));
    say(denominator, metric.denominator(d));
  }
  /** @param {boolean} isSimulated */
  function mark(isSimulated) {
    if (isSimulated !== Boolean(corner.firstChild)) corner.replaceChildren(...(isSimulated ? [/** @type {Node} */ (simulated(true))] : []));
  }
  let drawing = new AbortController();
  /** @param {any[]} history @param {AbortSignal} signal */
  function showTrend(history, signal) {
    if (signal.aborted) return;
    drawing.abort();
    drawing = new AbortController();
    const points = history.map((point) => /** @type {[number, number | null]} */ ([Date.parse(point.at) / 1000, metric.history(point)]));
    const drawn = trend({
      x: points.map(([at]) => at), y: points.map(([, each]) => each), label: `${metric.title}, trend`, format: metric.format, target: target?.goal,
      signal: AbortSignal.any([signal, drawing.signal]),
    });
    line.replaceChildren(drawn);
  }
  return { node, show, mark, showTrend };
}
