// @ts-check
/** Trend lines by uPlot: a line, its target, and the point beneath the cursor in words. */
import uPlot from "../vendor/uPlot.esm.js";
import { h, say } from "../core/dom.js";

const DAY = { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

const TWO_DAYS_S = 2 * 86_400;

/** The colour that a custom property has here and now: a canvas knows no light-dark(). @param {Element} element @param {string} name */
function colour(element, name) {
  const probe = h("i", { style: { color: `var(${name})`, display: "none" } });
  element.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * @param {{x: number[], y: (number | null)[], label: string, format: (value: number | null) => string, target?: number | null,
 *          height?: number, axes?: boolean, signal: AbortSignal}} options x in seconds
 */
export function trend({ x, y, label, format, target, height = 44, axes = false, signal }) {
  const known = y.filter((value) => value != null);
  const summary = known.length ? `${label}: from ${format(known[0] ?? null)} to ${format(known.at(-1) ?? null)}, ${known.length} points` : `${label}: no history yet`;
  const frame = h("div", { class: "trend", role: "img", "aria-label": summary, style: { height: `${height}px` } });
  if (known.length < 2) {
    frame.style.setProperty("height", "auto");
    frame.append(h("span", { class: "quiet" }, "no history yet"));
    return frame;
  }
  const readout = axes ? h("p", { class: "readout figure quiet" }, summary) : null;
  /** @type {any} */
  let plot = null;
  const draw = () => {
    plot?.destroy();
    plot = new uPlot(options(frame, { format, target, height, axes, readout, label }), [x, y], frame);
  };
  const watch = new ResizeObserver(() => (plot ? plot.setSize({ width: frame.clientWidth, height }) : frame.clientWidth && draw()));
  watch.observe(frame);
  addEventListener("theme", draw, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  signal.addEventListener("abort", () => (watch.disconnect(), plot?.destroy()));
  return readout ? h("div", {}, frame, readout) : frame;
}

/** @param {HTMLElement} frame @param {any} wanted */
function options(frame, { format, target, height, axes, readout, label }) {
  const line = colour(frame, "--accent");
  const quiet = colour(frame, "--quiet");
  const rule = colour(frame, "--line");
  const axis = { stroke: quiet, font: "11px Inter, system-ui, sans-serif", grid: { stroke: rule, width: 1 }, ticks: { show: false } };
  return {
    width: frame.clientWidth || 200,
    height,
    legend: { show: false },
    padding: axes ? [8, 8, 0, 0] : [4, 2, 4, 2],
    cursor: axes ? { y: false, drag: { x: false, y: false } } : { show: false },
    scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => range(low, high, target) } },
    axes: axes ? [{ ...axis, size: 26, space: 72, values: moments }, { ...axis, size: 64, values: (/** @type {any} */ _, /** @type {number[]} */ at) => at.map(format) }] : [{ show: false }, { show: false }],
    series: [{}, { stroke: line, width: 1.75, fill: colour(frame, "--accent-wash"), points: { show: false }, spanGaps: true }],
    hooks: {
      draw: [(/** @type {any} */ plot) => target != null && targetLine(plot, target, quiet)],
      setCursor: [(/** @type {any} */ plot) => readout && say(readout, reading(plot, format, label))],
    },
  };
}

/** Labels of the time axis: hours within two days, else days. @param {any} plot @param {number[]} at */
function moments(plot, at) {
  const { min, max } = plot.scales.x;
  const form = max - min > TWO_DAYS_S ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return at.map((each) => new Date(each * 1000).toLocaleString("en-GB", /** @type {any} */ (form)));
}

/** @param {number} low @param {number} high @param {number | null | undefined} target */
function range(low, high, target) {
  const bottom = Math.min(low ?? 0, target ?? low);
  const top = Math.max(high ?? 1, target ?? high);
  const room = (top - bottom || Math.abs(top) || 1) * 0.12;
  return [bottom >= 0 ? Math.max(0, bottom - room) : bottom - room, top + room];
}

/** @param {any} plot @param {number} target @param {string} stroke */
function targetLine(plot, target, stroke) {
  const { ctx, bbox } = plot;
  const at = plot.valToPos(target, "y", true);
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, at);
  ctx.lineTo(bbox.left + bbox.width, at);
  ctx.stroke();
  ctx.restore();
}

/** @param {any} plot @param {(value: number | null) => string} format @param {string} label */
function reading(plot, format, label) {
  const last = plot.data[0].length - 1;
  const at = plot.cursor.idx ?? last;
  const when = new Date(plot.data[0][at] * 1000).toLocaleString("en-GB", /** @type {any} */ (DAY));
  return `${label} ${format(plot.data[1][at])} at ${when}`;
}
