// @ts-check
/** Small signs: simulated, status, level, a measured share. Each says in words what its colour says. */
import { h } from "../core/dom.js";
import { percent } from "../core/format.js";

/** @param {boolean | number | null | undefined} is @param {string} [what] */
export function simulated(is, what) {
  if (!is) return null;
  return h("span", { class: "simulated", title: what ?? "Simulated: made by the stack's own audience, not by people on Threads" }, "simulated");
}

const TONES = {
  accepted: "good", decided: "good", published: "good", free: "good", resume: "good", live: "good",
  rejected: "bad", dead_lettered: "bad", pause: "bad", failed: "bad",
  unconfirmed: "warn", expired: "warn", parked: "warn", warn: "warn", downgrade: "warn", spike: "warn",
};

/** @param {string | null | undefined} status */
export function status(status) {
  const word = String(status ?? "unknown");
  const tone = /** @type {any} */ (TONES)[word.split(" ")[0] ?? ""] ?? "";
  return h("span", { class: `status ${tone}` }, word === "free" ? "within budget" : word.replaceAll("_", " "));
}

/**
 * A bar from 0 to 1 with a mark, e.g. a score and its threshold.
 * @param {number | null | undefined} share @param {string} label @param {{mark?: number | null, tone?: string}} [options]
 */
export function bar(share, label, { mark, tone } = {}) {
  const width = `${Math.max(0, Math.min(1, share ?? 0)) * 100}%`;
  return h(
    "span",
    { class: `bar ${tone ?? ""}`, role: "img", "aria-label": label },
    h("span", { style: { width } }),
    mark == null ? null : h("i", { style: { left: `${Math.min(1, mark) * 100}%` } }),
  );
}

/** @param {number | null | undefined} score @param {number | null | undefined} threshold */
export function scoreBar(score, threshold) {
  if (score == null) return h("span", { class: "quiet" }, "not scored yet");
  const tone = threshold != null && score < threshold ? "bad" : "good";
  const label = `score ${score.toFixed(2)}, threshold ${threshold?.toFixed(2) ?? "none"}`;
  return h("span", { class: "score" }, h("b", { class: "figure" }, score.toFixed(2)), bar(score, label, { mark: threshold, tone }));
}

/** @param {number | null | undefined} share */
export const shareBar = (share) => h("span", { class: "score" }, bar(share, percent(share, 1)), h("span", { class: "figure" }, percent(share, 1)));
