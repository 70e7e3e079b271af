// @ts-check
/** A record of a topic: its place, key and value, and its bytes where they could not be decoded. */
import { h, theirs } from "../core/dom.js";
import { moment } from "../core/format.js";
import { to } from "../core/router.js";
import { simulated } from "./marks.js";

const PREVIEW = 160;

/** @param {any} record */
export function recordItem(record) {
  const place = { partition: record.partition, offset: record.offset, tail: null, persona: null, cursor: null };
  const isRefused = record.error != null;
  return h(
    "details",
    { class: "record" },
    h("summary", {},
      h("span", { class: "figure place" }, `${record.partition}:${record.offset}`), moment(record.timestamp), theirs(shown(record.key), "key"),
      simulated(record.value?.simulated), isRefused ? h("span", { class: "status bad" }, "not decoded") : null,
      h("span", { class: "text quiet", dir: "auto" }, isRefused ? record.error : JSON.stringify(record.value ?? null).slice(0, PREVIEW))),
    h("div", { class: "inside" },
      h("p", {}, h("a", { href: to(["topics", record.topic], place) }, "Link to this record"), trace(record.value)),
      record.headers?.length ? h("p", { class: "quiet" }, "headers: ", h("code", {}, JSON.stringify(record.headers))) : null,
      isRefused ? [h("p", { dir: "auto" }, record.error), bytesView(record.bytes)] : h("pre", { tabindex: "0", dir: "auto" }, JSON.stringify(record.value, null, 2))),
  );
}

/** @param {any} value */
function trace(value) {
  const id = value?.request_id ?? value?.draft?.request_id ?? value?.draft_id;
  return id ? [" · ", h("a", { href: to(["requests", id]) }, "the request's trace")] : null;
}

/** @param {any} key */
const shown = (key) => (key == null ? "no key" : typeof key === "string" ? key : JSON.stringify(key));

/** Bytes as the text that they are, if they are one. @param {string} base64 */
export const textOf = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (each) => each.charCodeAt(0)));

const WIDTH = 16;

/** Bytes as hexadecimal and as text, sixteen a line. @param {string | null | undefined} base64 */
export function bytesView(base64) {
  if (!base64) return h("p", { class: "quiet" }, "no value (null)");
  const bytes = [...atob(base64)].map((each) => each.charCodeAt(0));
  const lines = [];
  for (let at = 0; at < bytes.length; at += WIDTH) {
    const part = bytes.slice(at, at + WIDTH);
    const hex = part.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(WIDTH * 3)} ${text}`);
  }
  return h("pre", { class: "bytes", tabindex: "0", "aria-label": `${bytes.length} bytes` }, lines.join("\n"));
}
