// @ts-check
/** The page's beginning: sign in, draw the shell, and show the view that the address names. */
import { get, items, Problem } from "./core/api.js";
import { fill, h } from "./core/dom.js";
import { Feed, FOLLOWED } from "./core/live.js";
import { place } from "./core/router.js";
import { enter } from "./core/session.js";
import { shell } from "./parts/shell.js";
import { signInForm } from "./parts/sign_in.js";
import { problemNote } from "./parts/states.js";
import { costs } from "./views/costs.js";
import { deadLetters } from "./views/dead_letters.js";
import { drafts } from "./views/drafts.js";
import { kpi } from "./views/kpi.js";
import { lag } from "./views/lag.js";
import { overview } from "./views/overview.js";
import { persona, personas } from "./views/personas.js";
import { post, posts } from "./views/posts.js";
import { request, requests } from "./views/requests.js";
import { topic, topics } from "./views/topics.js";

/** @typedef {{root: HTMLElement, path: string[], params: URLSearchParams, signal: AbortSignal, feed: Feed}} View */

/** First part of the address -> view of the list, view of one. @type {Record<string, [string, (view: View) => void, ((view: View) => void)?]>} */
const VIEWS = {
  "": ["Overview", overview],
  kpi: ["KPI", overview, kpi],
  requests: ["Requests", requests, request],
  drafts: ["Drafts", drafts, drafts],
  posts: ["Posts", posts, post],
  personas: ["Personas", personas, persona],
  costs: ["Costs and budgets", costs],
  topics: ["Topics", topics, topic],
  "dead-letters": ["Dead letters", deadLetters],
  lag: ["Consumer lag", lag],
};

const root = /** @type {HTMLElement} */ (document.getElementById("shell"));
let visit = new AbortController();

async function begin() {
  try {
    const me = await enter();
    run(me, await followed());
  } catch (error) {
    if (error instanceof Problem && [401, 403].includes(error.status)) fill(root, signInForm(begin, error));
    else fill(root, h("main", { class: "lone" }, problemNote(error, begin)));
  }
}

/** What of the topics to follow the caller may look into. */
async function followed() {
  const names = items(await get("/v1/topics")).map((topic) => topic.name);
  return FOLLOWED.filter((name) => names.includes(name));
}

/** @param {import("./core/session.js").Me} me @param {string[]} topics */
function run(me, topics) {
  const stay = new AbortController();
  const feed = new Feed({ topics });
  const { node, main, arrived } = shell(me, feed, stay.signal);
  const leave = () => {
    stay.abort();
    visit.abort();
    fill(root, signInForm(begin));
  };
  fill(root, node);
  document.getElementById("skip")?.addEventListener("click", (event) => (event.preventDefault(), main.focus()), { signal: stay.signal });
  const moved = () => show(main, feed, arrived);
  addEventListener("hashchange", moved, { signal: stay.signal });
  addEventListener("signed-out", leave, { signal: stay.signal });
  feed.on("refused", () => get("/v1/me").catch(() => {}), stay.signal); // a session that has ended shows here
  feed.start(stay.signal);
  moved();
}

let shownPath = "";

/** @param {HTMLElement} main @param {Feed} feed @param {(name: string) => void} arrived */
function show(main, feed, arrived) {
  if (location.hash.startsWith("#token=")) return location.reload();
  const { path, params } = place();
  const [title, list, one] = VIEWS[path[0] ?? ""] ?? ["Nothing here", nowhere];
  const isSameView = shownPath === (path.join("/") || "/");
  const focused = isSameView ? document.activeElement?.id : "";
  visit.abort();
  visit = new AbortController();
  main.style.setProperty("min-height", `${main.offsetHeight}px`); // what is beneath stays where it is
  fill(main);
  (path.length > 1 && one ? one : list)({ root: main, path, params, signal: visit.signal, feed });
  document.title = `${title} · Threads Agent Stack`;
  arrived(path[0] ?? "");
  const target = focused ? document.getElementById(focused) : main.querySelector("h1");
  if (shownPath || focused) target?.focus({ preventScroll: isSameView });
  if (!isSameView) scrollTo(0, 0);
  shownPath = path.join("/") || "/";
  setTimeout(() => main.style.removeProperty("min-height"), 600);
}

/** @param {View} view */
function nowhere({ root: main }) {
  main.append(h("h1", { tabindex: "-1" }, "Nothing here"), h("p", {}, "The address names no view. ", h("a", { href: "#/" }, "To the overview")));
}

begin();
