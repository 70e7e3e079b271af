// @ts-check
/** Making elements. Text only ever becomes text nodes: what data says is never read as markup. */

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * Make an element. `on…` functions become listeners, `style` an object of properties (a style attribute is refused by
 * the CSP), true an empty attribute; null and false leave an attribute out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {any} the element; `any`, as its class follows from the tag
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  add(element, ...children);
  return element;
}

/** @param {any} element @param {string} name @param {any} value */
function set(element, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
  else if (name === "value") element.value = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Put children behind those that an element has. @param {Node} parent @param {...Child} children */
export function add(parent, ...children) {
  for (const child of /** @type {any[]} */ (children).flat(Infinity)) {
    if (child == null || child === false) continue;
    parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Put children in place of what an element has. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, ...children);
}

/** Write a text only where it differs, so that nothing is drawn or read out again. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Text of a persona, a model, a stranger: of any script and direction. @param {unknown} text @param {string} [className] */
export function theirs(text, className) {
  return h("bdi", { class: className ?? null }, text == null ? "" : String(text));
}

/**
 * Make a container's children those of `items`, keeping the elements of items that stay.
 * @template T
 * @param {HTMLElement} container
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} make
 */
export function keyed(container, items, keyOf, make) {
  const old = new Map([...container.children].map((each) => [/** @type {HTMLElement} */ (each).dataset.key, each]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const kept = old.get(key);
    if (kept) return kept;
    const made = make(item);
    made.dataset.key = key;
    return made;
  });
  for (const each of [...container.children]) if (!wanted.includes(each)) each.remove();
  wanted.forEach((each, at) => {
    if (container.children[at] !== each) container.insertBefore(each, container.children[at] ?? null);
  });
}
