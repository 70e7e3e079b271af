// @ts-check
/** What stands where data will be: loading, nothing, or what went wrong and what to do. */
import { Problem } from "../core/api.js";
import { fill, h, theirs } from "../core/dom.js";

export const AGAIN_MS = 4000;

export const loading = () => h("div", { class: "loading", role: "status" }, h("span", { class: "unseen" }, "Loading…"), h("i"), h("i"), h("i"));

/** @param {string} what @param {...import("../core/dom.js").Child} hint */
export const nothing = (what, ...hint) => h("div", { class: "nothing" }, h("p", {}, what), hint.length ? h("p", { class: "quiet" }, ...hint) : null);

/** @param {any} error @param {(() => void)} [again] */
export function problemNote(error, again) {
  const { title, detail, errors } = error instanceof Problem ? error : { title: "The page has an error", detail: String(error), errors: [] };
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", { dir: "auto" }, title),
    h("p", { dir: "auto" }, detail),
    errors?.length ? h("ul", {}, errors.map(problemLine)) : null,
    again ? h("button", { type: "button", onclick: again }, "Try again") : null,
  );
}

/** One of a problem's `errors`: where, and what is wrong there. @param {any} error */
export function problemLine(error) {
  const where = error.loc ?? error.path ?? error.pointer ?? error.field ?? "";
  const path = Array.isArray(where) ? where.join(".") : String(where);
  return h("li", { dir: "auto" }, path ? h("code", {}, path) : null, path ? " " : null, theirs(error.msg ?? error.detail ?? error.message ?? String(error)));
}

/**
 * A titled part of a view that loads by itself, and says so where there is nothing or nothing came. It is drawn anew
 * where something has changed, but not while somebody writes in it; `drawn` ends with that drawing.
 * @param {string} title
 * @param {{load: (signal: AbortSignal) => Promise<any>, draw: (found: any, drawn: AbortSignal) => any, signal: AbortSignal,
 *          aside?: any, every?: number, level?: "h2" | "h3", class?: string}} options
 */
export function panel(title, { load, draw, signal, aside, every, level = "h2", class: className }) {
  const body = h("div", { class: "body" }, loading());
  const trouble = h("div", {});
  const node = h("section", { class: `panel ${className ?? ""}`, "aria-label": title }, h("header", {}, h(level, {}, title), aside ?? null), trouble, body);
  let shown = "";
  let running = false;
  let isAsked = false; // for a refresh while one ran: it may have read what was before
  let drawn = new AbortController();
  const again = soon(() => refresh(), AGAIN_MS);
  async function refresh() {
    if (signal.aborted) return;
    isAsked = running;
    if (running) return;
    running = true;
    try {
      const found = await load(signal);
      const same = JSON.stringify(found);
      fill(trouble);
      if (same === shown || isWrittenIn(body)) return;
      drawn.abort();
      drawn = new AbortController();
      put(body, draw(found, AbortSignal.any([signal, drawn.signal])));
      shown = same;
    } catch (error) {
      if (signal.aborted) return;
      const isBrief = passes(error);
      if (!shown || !isBrief) fill(body);
      if (!isBrief) shown = "";
      fill(trouble, problemNote(error, refresh));
      if (isBrief) again();
    } finally {
      running = false;
      if (isAsked) refresh();
    }
  }
  refresh();
  if (every) repeat(refresh, every, signal);
  return { node, refresh };
}

/** Whether it may be over by itself: the gateway, or what it needs, is away. @param {any} error */
export const passes = (error) => error instanceof Problem && (error.status === 0 || error.status >= 500);

/** @param {HTMLElement} body */
const isWrittenIn = (body) => body.contains(document.activeElement) && document.activeElement?.matches("input, textarea, select");

/** Show something else where a reader may be: what is open, focused or scrolled stays so. @param {HTMLElement} body @param {any} what */
function put(body, what) {
  const open = new Set([...body.querySelectorAll("details[open] > summary")].map((each) => each.textContent));
  const scrolled = new Map([...body.querySelectorAll(".scroll")].map((each) => [each.getAttribute("aria-label"), each.scrollLeft]));
  const isFocused = body.contains(document.activeElement);
  const focused = isFocused ? pathOf(body, /** @type {Element} */ (document.activeElement)) : [];
  fill(body, what);
  for (const each of body.querySelectorAll("details > summary")) if (open.has(each.textContent)) each.parentElement?.setAttribute("open", "");
  for (const each of body.querySelectorAll(".scroll")) each.scrollLeft = scrolled.get(each.getAttribute("aria-label")) ?? 0;
  if (isFocused) /** @type {HTMLElement | undefined} */ (focused.reduce((/** @type {any} */ at, index) => at?.children[index], body))?.focus({ preventScroll: true });
}

/** Where an element stands: the index of each step down. @param {Element} body @param {Element} element @returns {number[]} */
function pathOf(body, element) {
  const path = [];
  for (let at = element; at !== body && at.parentElement; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return path;
}

/** @param {() => void} work @param {number} every milliseconds @param {AbortSignal} signal */
export function repeat(work, every, signal) {
  const timer = setInterval(() => document.hidden || work(), every);
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** Do something soon, once, however often it is asked for. @param {() => void} work @param {number} [wait] milliseconds */
export function soon(work, wait = 300) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      work();
    }, wait);
  };
}
