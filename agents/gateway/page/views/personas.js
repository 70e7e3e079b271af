// @ts-check
/** Personas: the list, and the editor of one, whose judge is the gateway: the same validation as that of the YAML files. */
import { get, put, remove, v1 } from "../core/api.js";
import { add, fill, h, theirs } from "../core/dom.js";
import { moment, shortId } from "../core/format.js";
import { go, to } from "../core/router.js";
import { may } from "../core/session.js";
import { busy } from "../parts/forms.js";
import { notice } from "../parts/shell.js";
import { nothing, panel, problemNote, soon } from "../parts/states.js";
import { paged, table } from "../parts/table.js";

const CHECK_MS = 600;
const EXAMPLE = `persona_id: my-persona
name: Ada
voice: warm and precise; says what happened before what it means
audience: people who like to know how things work
topics: [engines, weaving, numbers]
languages: [en]
hook_styles: [tiny discovery, question to the reader]
emoji_policy: sparing
budget: {daily_dollars: 0.30}
examples:
  - brief: looms
    hook: A loom is a computer that makes scarves.
    body: The cards with holes decided which thread went up. Nobody called it a program for another century.
`;

/** @param {import("../main.js").View} view */
export function personas({ root, signal }) {
  const list = paged({
    path: "/v1/personas", params: {}, signal,
    draw: (rows) => table("Personas", columns, rows), empty: nothing("No personas yet.", "Make one here, or apply the samples: ", h("code", {}, "threads-agent personas apply --samples"), "."),
  });
  add(root, h("div", { class: "title" }, h("h1", { tabindex: "-1" }, "Personas"), may("operator") ? h("a", { class: "button main", href: to(["personas", "new"], { persona: null }) }, "New persona") : null), h("section", { class: "panel", "aria-label": "Personas" }, list.node));
}

/** @param {any} row */
const definitionOf = (row) => (typeof row.definition === "string" ? JSON.parse(row.definition) : (row.definition ?? row));

/** @type {import("../parts/table.js").Column[]} */
const columns = [
  { name: "name", cell: (row) => h("a", { href: to(["personas", row.persona_id]) }, theirs(row.name ?? definitionOf(row).name)) },
  { name: "id", cell: (row) => h("code", {}, row.persona_id) },
  { name: "languages", cell: (row) => (definitionOf(row).languages ?? []).join(", ") },
  { name: "topics", wide: true, minor: true, cell: (row) => h("span", { class: "text", dir: "auto" }, (definitionOf(row).topics ?? []).join(", ")) },
  { name: "budget a day", number: true, minor: true, cell: (row) => dailyBudget(definitionOf(row)) },
  { name: "version", cell: (row) => shortId(row.version) },
  { name: "drafts", cell: (row) => h("a", { href: to(["drafts"], { persona: row.persona_id }) }, "show", h("span", { class: "unseen" }, " drafts of ", row.persona_id)) },
];

/** @param {any} definition */
const dailyBudget = (definition) => (definition.budget?.daily_dollars == null ? "no limit" : `$${definition.budget.daily_dollars}`);

/** @param {import("../main.js").View} view */
export function persona({ root, path, signal }) {
  const id = path[1] ?? "";
  const isNew = id === "new";
  add(root, h("p", { class: "crumbs" }, h("a", { href: to(["personas"]) }, "Personas"), " / "), h("h1", { tabindex: "-1" }, isNew ? "New persona" : theirs(id)));
  if (isNew) return void add(root, editor("", EXAMPLE, signal));
  add(root, panel("Definition", { load: () => get(v1("personas", id), {}, signal), draw: (found) => [facts(found), editor(id, JSON.stringify(definitionOf(found), null, 2), signal)], signal, class: "bare" }).node);
}

/** @param {any} found */
const facts = (found) => h("p", { class: "quiet" }, theirs(definitionOf(found).name, "who"), " · version ", h("code", {}, found.version ?? ""), found.applied_at ? [" · applied ", moment(found.applied_at)] : null);

/** @param {string} id the persona that is edited; empty: a new one @param {string} text @param {AbortSignal} signal */
function editor(id, text, signal) {
  const verdict = h("div", { class: "verdict", id: "verdict", role: "status", "aria-live": "polite" }, h("p", { class: "quiet" }, "Checked by the gateway as you write."));
  const area = h("textarea", { id: "definition", class: "code", rows: 24, spellcheck: "false", dir: "auto", "aria-describedby": "verdict", readonly: !may("operator") });
  area.value = text;
  let asked = 0;
  const check = async () => {
    const turn = ++asked;
    const found = await tried(() => send(id, area.value, true));
    if (turn === asked && !signal.aborted) fill(verdict, found.problem ? problemNote(found.problem) : h("p", { class: "status good" }, found.answer?.changed === false ? "valid, and in force as it is" : "valid"));
  };
  area.addEventListener("input", soon(check, CHECK_MS));
  const save = h("button", { type: "button", class: "main", onclick: () => busy(save, () => apply(id, area.value, verdict)) }, "Apply");
  const tools = may("operator") ? h("div", { class: "actions" }, save, h("button", { type: "button", onclick: check }, "Check"), id ? removal(id, verdict) : null) : h("p", { class: "quiet" }, "Your role may read personas, not change them.");
  return h("div", { class: "editor" }, h("label", { class: "field", for: "definition" }, h("span", {}, "Definition, as YAML or JSON"), area), h("div", {}, tools, verdict));
}

/** @param {string} id @param {string} text @param {boolean} dryRun */
function send(id, text, dryRun) {
  const isJson = text.trimStart().startsWith("{");
  return put(v1("personas", id || idIn(text)), text, dryRun ? { dry_run: "true" } : {}, isJson ? "application/json" : "application/yaml");
}

/** The id that a definition names, for the path of a new persona: the gateway holds the two to each other. @param {string} text */
const idIn = (text) => /persona_id"?\s*:\s*"?([^\s",}]+)/.exec(text)?.[1] ?? "unnamed";

/** @param {() => Promise<any>} work @returns {Promise<{answer?: any, problem?: any}>} */
async function tried(work) {
  try {
    return { answer: await work() };
  } catch (problem) {
    return { problem };
  }
}

/** @param {string} id @param {string} text @param {HTMLElement} verdict */
async function apply(id, text, verdict) {
  const { problem } = await tried(() => send(id, text, false));
  if (problem) return fill(verdict, problemNote(problem));
  notice(`Persona ${id || idIn(text)} is applied.`);
  fill(verdict, h("p", { class: "status good" }, "applied"));
  if (!id) go(["personas", idIn(text)]);
}

/** @param {string} id @param {HTMLElement} verdict */
function removal(id, verdict) {
  const sure = h("button", { type: "button", class: "danger", onclick: () => busy(sure, take) }, `Remove ${id}`);
  const take = async () => {
    const { problem } = await tried(() => remove(v1("personas", id)));
    if (problem) return fill(verdict, problemNote(problem));
    notice(`Persona ${id} is removed.`);
    go(["personas"]);
  };
  return h("button", { type: "button", onclick: () => (fill(verdict, h("p", {}, "It writes nothing more; its drafts and numbers stay."), h("div", { class: "actions" }, sure)), sure.focus()) }, "Remove…");
}

