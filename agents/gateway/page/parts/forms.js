// @ts-check
/** Fields with their labels, and choices that stand in the address. */
import { h } from "../core/dom.js";
import { alter, place } from "../core/router.js";

/** @param {string} id @param {string} label @param {Record<string, any>} [attributes] */
export function input(id, label, attributes = {}) {
  return h("label", { class: "field", for: id }, h("span", {}, label), h("input", { id, name: id, autocomplete: "off", ...attributes }));
}

/** @param {string} id @param {string} label @param {[string, string][]} choices value and wording @param {string | null} chosen @param {Record<string, any>} [attributes] */
export function select(id, label, choices, chosen, attributes = {}) {
  const options = choices.map(([value, word]) => h("option", { value, selected: value === (chosen ?? "") }, word));
  return h("label", { class: "field", for: id }, h("span", {}, label), h("select", { id, name: id, ...attributes }, options));
}

/** A choice that is a parameter of the address. @param {string} name @param {string} label @param {[string, string][]} choices */
export function chosen(name, label, choices) {
  const change = (/** @type {any} */ event) => alter({ [name]: event.target.value });
  return select(`choose-${name}`, label, choices, place().params.get(name), { onchange: change });
}

/** The fields of a form, the empty ones left out. @param {HTMLFormElement} form @returns {Record<string, string>} */
export function values(form) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [name, value] of new FormData(form)) if (String(value).trim()) found[name] = String(value).trim();
  return found;
}

/** Do the work of a button or form once at a time, the button saying that it is at work. @param {HTMLButtonElement} button @param {() => Promise<void>} work */
export async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}
