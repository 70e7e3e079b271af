// @ts-check
/** Dead letters: what could not be processed, why, and its bytes as they came. */
import { get, v1 } from "../core/api.js";
import { add, fill, h, theirs } from "../core/dom.js";
import { count, moment } from "../core/format.js";
import { alter, to } from "../core/router.js";
import { busy, input, values } from "../parts/forms.js";
import { bytesView, textOf } from "../parts/record.js";
import { nothing, problemNote } from "../parts/states.js";
import { factList, paged } from "../parts/table.js";

/** @param {import("../main.js").View} view */
export function deadLetters({ root, params, signal, feed }) {
  const list = paged({
    path: "/v1/dead-letters", params: { topic: params.get("topic"), reason: params.get("reason"), since: params.get("since") }, signal,
    draw: (rows) => h("div", { class: "records" }, rows.map(letter)),
    empty: nothing("No dead letters.", "Every record could be processed, or none of this kind was set aside."),
  });
  const fresh = h("button", { type: "button", class: "fresh", hidden: true, onclick: () => ((fresh.hidden = true), list.refresh()) }, "New dead letters have come: show them");
  feed.follow(["dead.letters"], () => (fresh.hidden = false), signal);
  const submit = (/** @type {any} */ event) => {
    event.preventDefault();
    const found = values(event.target);
    alter({ topic: found.topic ?? null, reason: found.reason ?? null });
  };
  add(
    root,
    h("h1", { tabindex: "-1" }, "Dead letters"),
    h("form", { class: "grid panel", onsubmit: submit, "aria-label": "Which letters" }, input("letter-topic", "Topic it came from", { name: "topic", value: params.get("topic") ?? "" }), input("letter-reason", "Reason contains", { name: "reason", value: params.get("reason") ?? "" }), h("div", { class: "actions" }, h("button", { class: "main" }, "Search"))),
    h("div", { class: "fresh-line" }, fresh), h("section", { class: "panel", "aria-label": "Letters" }, list.node),
  );
}

/** @param {any} row */
function letter(row) {
  const topic = row.source_topic ?? row.topic;
  const partition = row.source_partition ?? row.partition;
  const offset = row.source_offset ?? row.offset;
  const shown = h("div", {}, bytesView(row.bytes));
  const all = h("button", { type: "button", onclick: () => busy(all, whole) }, "Show all bytes");
  const whole = async () => {
    try {
      fill(shown, bytesView((await get(v1("dead-letters", row.event_id))).bytes));
      all.hidden = true;
    } catch (error) {
      fill(shown, problemNote(error));
    }
  };
  return h(
    "details",
    { class: "record" },
    h("summary", {}, h("span", { class: "figure place" }, `${topic} ${partition}:${offset}`), moment(row.occurred_at ?? row.seen_at), h("span", { class: "status bad" }, row.error_class ?? "fault"), h("span", { class: "text", dir: "auto" }, row.reason ?? "")),
    h("div", { class: "inside" },
      h("p", { dir: "auto" }, row.reason ?? ""),
      factList([["refused by", row.consumer], ["fault", row.error_class], ["key", row.key == null ? "none" : theirs(textOf(row.key))], ["size", row.size == null ? null : `${count(row.size)} bytes`], ["record", h("a", { class: "figure", href: to(["topics", topic], { partition, offset, persona: null, window: null }) }, `${topic} ${partition}:${offset}`)], ["letter", h("code", {}, row.event_id ?? "")]]),
      h("h3", {}, "Bytes"), shown, row.bytes_complete === false ? all : null),
  );
}
