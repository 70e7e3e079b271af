// @ts-check
/** What surrounds every view: navigation, persona and window, the state of the live feed, notices. */
import { get, items } from "../core/api.js";
import { fill, h, say } from "../core/dom.js";
import { count } from "../core/format.js";
import { place, to } from "../core/router.js";
import { signOut } from "../core/session.js";
import { chosen } from "./forms.js";

const NAVIGATION = [
  ["", "Overview"], ["requests", "Requests"], ["drafts", "Drafts"], ["posts", "Posts"], ["personas", "Personas"],
  ["costs", "Costs"], ["topics", "Topics"], ["dead-letters", "Dead letters"], ["lag", "Lag"],
];
/** @type {[string, string][]} */
export const WINDOWS = [["1h", "last hour"], ["24h", "last 24 hours"], ["7d", "last 7 days"], ["30d", "last 30 days"], ["lifetime", "all time"]];
const THEMES = ["auto", "light", "dark"];
const NOTICE_MS = 8000;

/** Show a sentence for some seconds, and read it out. @param {string} text @param {string} [tone] */
export function notice(text, tone = "") {
  const line = h("p", { class: `notice ${tone}`, dir: "auto" }, text);
  document.getElementById("notices")?.append(line);
  setTimeout(() => line.remove(), NOTICE_MS);
}

/**
 * @param {import("../core/session.js").Me} me
 * @param {import("../core/live.js").Feed} feed
 * @param {AbortSignal} signal
 */
export function shell(me, feed, signal) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = h("nav", { "aria-label": "Views" });
  const filters = h("div", { class: "filters" });
  const head = h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: "#/" }, h("img", { src: "page/icon.svg", alt: "", width: 20, height: 20 }), "Threads Agent Stack"),
    filters,
    liveState(feed, signal),
    account(me),
  );
  const arrived = (/** @type {string} */ name) => {
    fill(links, NAVIGATION.map(([path, word]) => h("a", { href: to(path ? [path] : []), "aria-current": path === name ? "page" : null }, word)));
    links.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    drawFilters(filters, signal);
  };
  const node = h("div", { class: "shell" }, head, links, main, h("div", { id: "notices", role: "status", "aria-live": "polite" }));
  return { node, main, arrived };
}

/** @type {any[]} */
let known = [];

/** @param {HTMLElement} filters @param {AbortSignal} signal */
async function drawFilters(filters, signal) {
  const draw = () => {
    /** @type {[string, string][]} */
    const names = known.map((each) => [each.persona_id, each.name ?? each.persona_id]);
    const wanted = place().params.get("persona");
    if (wanted && !names.some(([id]) => id === wanted)) names.push([wanted, wanted]);
    const focused = document.activeElement?.id;
    fill(filters, chosen("persona", "Persona", [["", "All personas"], ...names]), chosen("window", "Window", [["", "last 24 hours"], ...WINDOWS.filter(([name]) => name !== "24h")]));
    if (focused?.startsWith("choose-")) document.getElementById(focused)?.focus();
  };
  draw();
  try {
    const found = items(await get("/v1/personas", { limit: 500 }, signal));
    if (JSON.stringify(found) === JSON.stringify(known)) return;
    known = found;
    draw();
  } catch {
    // the view says what is wrong; the choice of persona stays as it was
  }
}

const WORDS = { live: "Live", connecting: "Connecting…", away: "Reconnecting…", paused: "Paused" };

/** @param {import("../core/live.js").Feed} feed @param {AbortSignal} signal */
function liveState(feed, signal) {
  const word = h("span", {});
  const received = h("span", { class: "figure quiet", title: "records received since the page was opened" });
  const lost = h("a", { class: "lost", href: "#/topics", hidden: true });
  const node = h("div", { class: "live", id: "live", "data-state": feed.state }, h("i", {}), h("span", { role: "status" }, word), received, lost);
  const draw = () => {
    node.dataset.state = feed.state;
    node.dataset.received = String(feed.received);
    say(word, WORDS[feed.state]);
    say(received, count(feed.received));
    lost.hidden = !feed.lost;
    say(lost, `gap: ${count(feed.lost)} missed`);
  };
  let drawn = false;
  const later = () => {
    if (drawn) return;
    drawn = true;
    requestAnimationFrame(() => ((drawn = false), draw()));
  };
  feed.on("state", draw, signal);
  feed.on("record", later, signal);
  feed.on("gap", (gap) => {
    draw();
    notice(`Gap in the live feed: ${gap.topic} ${gap.partition} from ${gap.from} to ${gap.to}. ${gap.detail ?? gap.reason ?? ""}`, "bad");
  }, signal);
  feed.on("status", ({ topic, state, detail }) => notice(state === "back" ? `Records of ${topic} come again.` : `No records of ${topic} at the moment: ${detail}`), signal);
  draw();
  return node;
}

/** @param {import("../core/session.js").Me} me */
function account(me) {
  const leave = async () => {
    await signOut();
    location.assign("/");
  };
  const theme = h("button", { type: "button", class: "plain", onclick: () => turn(theme) });
  turn(theme, localStorage.getItem("theme") ?? "auto");
  return h(
    "details",
    { class: "account" },
    h("summary", {}, h("span", { class: "unseen" }, "Account: "), me.role),
    h("div", { class: "menu" }, h("p", {}, h("bdi", {}, me.subject), h("br"), h("span", { class: "quiet" }, `tenant ${me.tenant}`)), theme,
      h("button", { type: "button", class: "plain", onclick: leave }, "Sign out")),
  );
}

/** @param {HTMLElement} button @param {string} [name] the theme; without, the next one */
function turn(button, name) {
  const now = document.documentElement.dataset.theme ?? "auto";
  const next = name ?? THEMES[(THEMES.indexOf(now) + 1) % THEMES.length] ?? "auto";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  say(button, `Theme: ${next}`);
  dispatchEvent(new Event("theme"));
}
