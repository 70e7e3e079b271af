// @ts-check
/** The gateway's API: JSON in and out, every failure a Problem that says what to do. */

const TIMEOUT_MS = 20_000;

/** What went wrong, in the words of application/problem+json. */
export class Problem extends Error {
  /** @param {number} status @param {string} title @param {string} detail @param {any[]} [errors] */
  constructor(status, title, detail, errors = []) {
    super(`${title}: ${detail}`);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{params?: Record<string, any>, body?: any, type?: string, signal?: AbortSignal}} [options]
 */
async function ask(method, path, { params = {}, body, type = "application/json", signal } = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value != null && value !== ""));
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const options = {
    method,
    headers: { "X-Threads-Agent": "page", Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": type }) },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  };
  let answer;
  try {
    answer = await fetch(`${path}${query.size ? `?${query}` : ""}`, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "The gateway does not answer", "See `threads-agent status`; this page tries again by itself.");
  }
  const found = await content(answer);
  if (answer.ok) return found;
  if (answer.status === 401) dispatchEvent(new Event("signed-out"));
  throw new Problem(answer.status, found?.title ?? `Answer ${answer.status}`, found?.detail ?? answer.statusText, found?.errors);
}

/** @param {Response} answer */
async function content(answer) {
  const text = await answer.text();
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** @param {...string} parts @returns {string} the path of a resource, each part escaped */
export function v1(...parts) {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}

/** @param {string} path @param {Record<string, any>} [params] @param {AbortSignal} [signal] */
export const get = (path, params, signal) => ask("GET", path, { params, signal });
/** @param {string} path @param {any} body @param {Record<string, any>} [params] */
export const post = (path, body, params) => ask("POST", path, { body, params });
/** @param {string} path @param {any} body @param {Record<string, any>} [params] @param {string} [type] */
export const put = (path, body, params, type) => ask("PUT", path, { body, params, type });
/** @param {string} path */
export const remove = (path) => ask("DELETE", path);

/** The items of a list answer, however many there are. @param {any} found @returns {any[]} */
export const items = (found) => (Array.isArray(found) ? found : (found?.items ?? []));
