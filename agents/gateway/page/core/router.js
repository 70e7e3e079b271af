// @ts-check
/** Where the page is: `#/posts/bea/post-1?window=24h`. All state of a view is here, so that its address can be shared. */

/** Parameters that go along from view to view. */
const STICKY = ["persona", "window"];

/** @typedef {{path: string[], params: URLSearchParams}} Place */

/** @returns {Place} */
export function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { path: (path ?? "").split("/").filter(Boolean).map(decoded), params: new URLSearchParams(query ?? "") };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * The address of a view; the persona and window in force go along unless `params` says otherwise.
 * @param {string[]} path
 * @param {Record<string, unknown>} [params]
 */
export function to(path, params = {}) {
  const query = new URLSearchParams();
  const now = place().params;
  for (const name of STICKY) if (now.get(name)) query.set(name, String(now.get(name)));
  change(query, params);
  const written = query.toString();
  return `#/${path.map(encodeURIComponent).join("/")}${written ? `?${written}` : ""}`;
}

/** @param {URLSearchParams} query @param {Record<string, unknown>} params */
function change(query, params) {
  for (const [name, value] of Object.entries(params)) {
    if (value == null || value === "" || value === false) query.delete(name);
    else query.set(name, value === true ? "1" : String(value));
  }
}

/** Go to a view. @param {string[]} path @param {Record<string, unknown>} [params] */
export function go(path, params) {
  location.hash = to(path, params);
}

/** Change parameters of the view that is shown. @param {Record<string, unknown>} params */
export function alter(params) {
  const { path, params: query } = place();
  change(query, params);
  const written = query.toString();
  location.hash = `#/${path.map(encodeURIComponent).join("/")}${written ? `?${written}` : ""}`;
}
