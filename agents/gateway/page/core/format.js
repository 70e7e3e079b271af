// @ts-check
/** Numbers, money and moments as they are read. All of one kind are written alike, so that columns line up. */
import { h } from "./dom.js";

export const NONE = "–";
const whole = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number | null | undefined} n */
export const count = (n) => (n == null ? NONE : whole.format(n));
/** @param {number | null | undefined} n */
export const brief = (n) => (n == null ? NONE : Math.abs(n) < 10_000 ? whole.format(n) : short.format(n));
/** @param {number | null | undefined} share @param {number} [digits] */
export const percent = (share, digits = 2) => (share == null ? NONE : `${(share * 100).toFixed(digits)} %`);
/** @param {number | null | undefined} amount @param {number} [digits] */
export function dollars(amount, digits = 2) {
  if (amount == null) return NONE;
  const written = Math.abs(amount).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${amount < 0 ? "-" : ""}$${written}`;
}
/** Money of events is whole micro-dollars. @param {number | null | undefined} amount @param {number} [digits] */
export const micros = (amount, digits) => (amount == null ? NONE : dollars(amount / 1e6, digits ?? (Math.abs(amount) < 1e6 ? 4 : 2)));
/** @param {number | null | undefined} ms */
export const seconds = (ms) => (ms == null ? NONE : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
/** @param {number | null | undefined} s */
export function span(s) {
  if (s == null) return NONE;
  if (s < 60) return `${s.toFixed(1)} s`;
  return s < 7200 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`;
}

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY = { day: "2-digit", month: "short" };

/** A moment in the reader's time zone, with the exact one in UTC as its title. @param {string | null | undefined} iso */
export function moment(iso) {
  const at = iso ? new Date(iso) : null;
  if (!at || Number.isNaN(at.getTime())) return h("span", {}, NONE);
  const now = new Date();
  const isToday = at.toDateString() === now.toDateString();
  const time = at.toLocaleTimeString("en-GB", /** @type {any} */ (TIME));
  const day = at.toLocaleDateString("en-GB", /** @type {any} */ (DAY));
  const text = isToday ? time : `${day} ${at.getFullYear() === now.getFullYear() ? time.slice(0, 5) : at.getFullYear()}`;
  return h("time", { datetime: iso, title: at.toISOString(), class: "figure" }, text);
}

/** The first characters of an identity; the whole is its title. @param {unknown} id */
export const shortId = (id) => h("code", { title: String(id ?? "") }, String(id ?? NONE).slice(0, 8));
