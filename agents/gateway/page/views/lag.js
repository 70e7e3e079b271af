// @ts-check
/** Consumer lag, in records and in seconds, by group, topic and partition. */
import { get, items } from "../core/api.js";
import { add, h } from "../core/dom.js";
import { count, span } from "../core/format.js";
import { to } from "../core/router.js";
import { bar } from "../parts/marks.js";
import { nothing, panel } from "../parts/states.js";
import { table } from "../parts/table.js";

const EVERY_MS = 3000;

/** @param {import("../main.js").View} view */
export function lag({ root, signal }) {
  add(
    root,
    h("h1", { tabindex: "-1" }, "Consumer lag"),
    h("p", { class: "quiet" }, "How far each role is behind the end of its topics: records not processed yet, and the age of the oldest of them."),
    panel("By role", { load: async () => items(await get("/v1/lag", {}, signal)), draw: drawLag, signal, every: EVERY_MS }).node,
  );
}

/** @param {any[]} rows */
function drawLag(rows) {
  if (!rows.length) return nothing("No consumers yet.", "They are here once a role has read its topics.");
  const groups = grouped(rows);
  const most = Math.max(1, ...groups.map((each) => each.lag_records));
  return [
    table("Lag by role and topic", [
      { name: "role", cell: (row) => row.group }, { name: "topic", cell: (row) => h("a", { href: to(["topics", row.topic]) }, row.topic) },
      { name: "records", number: true, cell: (row) => count(row.lag_records) }, { name: "of the most", minor: true, cell: (row) => bar(row.lag_records / most, `${count(row.lag_records)} records`) },
      { name: "seconds", number: true, cell: (row) => span(row.lag_s) },
    ], groups),
    h("details", { id: "partitions" }, h("summary", {}, "By partition"), table("Lag by partition", [
      { name: "role", cell: (row) => row.group }, { name: "topic", cell: (row) => row.topic }, { name: "partition", number: true, cell: (row) => count(row.partition) },
      { name: "committed", number: true, cell: (row) => count(row.committed) }, { name: "end", number: true, cell: (row) => count(row.end) }, { name: "records", number: true, cell: (row) => count(row.lag_records) }, { name: "seconds", number: true, cell: (row) => span(row.lag_s) },
    ], rows)),
  ];
}

/** @param {any[]} rows */
function grouped(rows) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const row of rows) {
    const key = `${row.group} ${row.topic}`;
    const sum = found.get(key) ?? { group: row.group, topic: row.topic, lag_records: 0, lag_s: null };
    sum.lag_records += row.lag_records ?? 0;
    if (row.lag_s != null) sum.lag_s = Math.max(sum.lag_s ?? 0, row.lag_s);
    found.set(key, sum);
  }
  return [...found.values()];
}
