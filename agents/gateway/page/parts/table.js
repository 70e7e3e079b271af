// @ts-check
/** Tables in a frame of their own that scrolls sideways where it must, and lists that load on by cursor. */
import { get } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { AGAIN_MS, loading, passes, problemNote, soon } from "./states.js";

/** @typedef {{name: string, cell: (row: any) => any, number?: boolean, minor?: boolean, wide?: boolean}} Column */

/** @param {string} caption @param {Column[]} columns @param {any[]} rows */
export function table(caption, columns, rows) {
  const body = h("tbody", {}, rows.map((row) => tableRow(columns, row)));
  const head = h("tr", {}, columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.name)));
  return h(
    "div",
    { class: "scroll", role: "group", "aria-label": caption, tabindex: "0" },
    h("table", {}, h("caption", { class: "unseen" }, caption), h("thead", {}, head), body),
  );
}

/** @param {Column[]} columns @param {any} row */
export const tableRow = (columns, row) => h("tr", {}, columns.map((column) => h("td", { class: kind(column) }, column.cell(row))));

/** @param {Column} column */
const kind = ({ number, minor, wide }) => [number && "number", minor && "minor", wide && "wide"].filter(Boolean).join(" ");

/**
 * A list that loads page after page.
 * @param {{path: string, params: Record<string, any>, signal: AbortSignal, draw: (items: any[]) => any, empty: any, limit?: number,
 *          note?: (answer: any) => any}} options `draw` makes the list of all items so far
 */
export function paged({ path, params, signal, draw, empty, limit = 50, note }) {
  const list = h("div", {}, loading());
  const foot = h("div", { class: "foot" });
  /** @type {any[]} */
  let all = [];
  /** @type {string | undefined} */
  let failed;
  const again = soon(() => signal.aborted || more(failed), AGAIN_MS);
  /** @param {string} [cursor] */
  async function more(cursor) {
    try {
      const answer = await get(path, { ...params, limit, cursor }, signal);
      all = cursor ? all.concat(answer.items) : answer.items;
      fill(list, all.length ? draw(all) : empty);
      fill(foot, note?.(answer) ?? null, answer.next_cursor ? moreButton(() => more(answer.next_cursor)) : null);
    } catch (error) {
      if (signal.aborted) return;
      fill(cursor || all.length ? foot : list, problemNote(error, () => more(cursor)));
      failed = cursor;
      if (passes(error)) again();
    }
  }
  more();
  return { node: h("div", {}, list, foot), refresh: () => more() };
}

/** @param {() => void} load */
function moreButton(load) {
  const button = h("button", { type: "button", onclick: () => (button.setAttribute("aria-busy", "true"), load()) }, "Show more");
  return button;
}

/** Facts as name and value. @param {[string, any][]} facts */
export const factList = (facts) =>
  h("dl", { class: "facts" }, facts.filter(([, value]) => value != null).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

