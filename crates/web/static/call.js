// @ts-check
// The one door to the server. An answer is data of the expected kind, or one of a few named outcomes; whatever else
// arrives (a login page, a proxy's page, half an answer) is an outcome too and never reaches the page as markup.

/**
 * An error as the server says it (RFC 9457).
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} [type] the page that says what the code means
 * @property {number} status
 * @property {string} title
 * @property {string} detail
 * @property {string} [what_to_do]
 * @property {string} [request_id]
 * @property {boolean} [retryable]
 * @property {Record<string, string>} [fields]
 * @property {string | null} [redirect] the way that leads on
 */

/**
 * @typedef {{ kind: "data", status: number, data: any }
 *   | { kind: "page", status: number, page: Document, name: string }
 *   | { kind: "problem", problem: Problem }} Outcome
 */

/**
 * @typedef {object} Options
 * @property {"GET" | "POST"} [method]
 * @property {URLSearchParams} [form] fields of the form
 * @property {any} [json] a body of its own
 * @property {string} [key] the Idempotency-Key: with one, a lost POST may be sent again
 * @property {boolean} [background] not an act of the user: does not extend the session
 * @property {string} [token] a CSRF token of its own, as that of the login form
 * @property {"data" | "page"} [wants]
 */

const TIMEOUT_MS = 40_000;
const RETRY_AFTER_MS = [500, 2_000];

/** @type {Problem | null} */
let ended = null;
/** @type {Promise<boolean> | null} */
let renewal = null;
/** @type {any} what the server said of the session when it was last asked for a token */
let known = null;
/** @type {Array<(problem: Problem) => void>} */
const onEnd = [];
/** @type {Array<(data: any) => void>} */
const onReturn = [];
/** @type {Array<(user: string) => void>} */
const onOther = [];

/** The problem that ended the session, as far as this page knows. */
export function sessionEnded() {
  return ended;
}

/** @param {(problem: Problem) => void} listener called once, when the session is found to have ended */
export function onSessionEnd(listener) {
  onEnd.push(listener);
}

/**
 * @param {(data: any) => void} listener called when a session is found after one had ended, as here or in another tab
 *   somebody logged in; with what the server said of it, if that was asked
 */
export function onSessionReturn(listener) {
  onReturn.push(listener);
}

/** @param {(user: string) => void} listener called when somebody else is logged in in this browser than this page is of */
export function onOtherUser(listener) {
  onOther.push(listener);
}

/** @param {Problem} problem */
export function endSession(problem) {
  if (ended) return;
  ended = problem;
  for (const listener of onEnd) listener(problem);
}

/** The login page that leads back to this page. */
export function loginUrl() {
  const login = document.body.dataset.loginUrl ?? "";
  return `${login}?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/**
 * A problem that the server did not say itself.
 * @param {string} code
 * @param {string} detail
 * @param {string} todo
 * @returns {Problem}
 */
function own(code, detail, todo) {
  return { code, status: 0, title: detail, detail, what_to_do: todo, retryable: true };
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The page's CSRF token. */
function token() {
  return document.querySelector('meta[name="csrf-token"]')?.getAttribute("content")
    ?? /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="csrfmiddlewaretoken"]'))?.value ?? "";
}

/** @param {string} fresh the token for this page and all of its forms */
function setToken(fresh) {
  document.querySelector('meta[name="csrf-token"]')?.setAttribute("content", fresh);
  for (const input of document.querySelectorAll('input[name="csrfmiddlewaretoken"]')) {
    /** @type {HTMLInputElement} */ (input).value = fresh;
  }
}

/** Fetches a new token for the session that the browser has now. */
async function renew() {
  const url = document.body.dataset.sessionUrl;
  if (!url) return false;
  const outcome = await once(url, { background: true });
  if (outcome.kind !== "data" || typeof outcome.data.csrf_token !== "string") return false;
  const user = document.body.dataset.user;
  const now = outcome.data.user?.username;
  // Somebody else is logged in in this browser now: what this page shows is not theirs to send.
  if (user && now !== user) {
    for (const listener of onOther) listener(String(now));
    return false;
  }
  setToken(outcome.data.csrf_token);
  known = outcome.data;
  return true;
}

/** Looks whether the browser has a session of this page's user again, and goes on with it. */
export async function resume() {
  renewal ??= renew().finally(() => (renewal = null));
  if (!(await renewal)) return false;
  if (ended) {
    ended = null;
    for (const listener of onReturn) listener(known);
  }
  return true;
}

/**
 * @param {string} url
 * @param {Options} options
 * @returns {Promise<Outcome>}
 */
async function once(url, options) {
  const method = options.method ?? "GET";
  const wants = options.wants ?? "data";
  const headers = new Headers({
    Accept: wants === "page" ? "text/html" : "application/json, application/problem+json",
    "X-Requested-With": "XMLHttpRequest",
  });
  if (options.background) headers.set("X-Hedgerow-Background", "1");
  if (options.key) headers.set("Idempotency-Key", options.key);
  /** @type {BodyInit | undefined} */
  let body;
  if (method === "POST") {
    headers.set("X-CSRFToken", options.token ?? token());
    if (options.json !== undefined) {
      headers.set("Content-Type", "application/json");
      body = JSON.stringify(options.json);
    } else {
      const form = new URLSearchParams(options.form);
      form.delete("csrfmiddlewaretoken");
      body = form;
    }
  }
  /** @type {Response} */
  let response;
  /** @type {string} */
  let text;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(url, { method, headers, body, signal, credentials: "same-origin", redirect: "manual", cache: "no-store" });
    text = await response.text();
  } catch {
    return { kind: "problem", problem: own("transport_failed", "No answer from the server.", "Check the network and press again; the same request never runs twice.") };
  }
  const media = (response.headers.get("Content-Type") ?? "").split(";")[0]?.trim();
  if (media === "application/json" || media === "application/problem+json") {
    try {
      const data = JSON.parse(text);
      if (media === "application/json" && response.ok) return { kind: "data", status: response.status, data };
      if (typeof data.code === "string") return { kind: "problem", problem: { ...data, status: response.status } };
    } catch {
      // Half an answer: the same as none.
      return { kind: "problem", problem: own("transport_failed", "The server's answer was cut off.", "Press again; the same request never runs twice.") };
    }
  }
  if (wants === "page" && media === "text/html" && response.ok) {
    const name = response.headers.get("X-Hedgerow-Page") ?? "";
    return { kind: "page", status: response.status, page: new DOMParser().parseFromString(text, "text/html"), name };
  }
  const id = response.headers.get("X-Request-ID");
  const problem = own("transport_failed", `Something between this page and Hedgerow answered in its place (status ${response.status || "unknown"}).`, "Reload the page, then press again.");
  return { kind: "problem", problem: id ? { ...problem, request_id: id } : problem };
}

/**
 * Asks the server. A stale CSRF token is renewed once, a lost request with a key is sent again; a session that ended
 * is told to everybody who listens, and after that nothing is sent any more by itself, until an act of the user finds a
 * session again.
 * @param {string} url
 * @param {Options} [options]
 * @returns {Promise<Outcome>}
 */
export async function call(url, options = {}) {
  if (ended && options.background && !options.token) return { kind: "problem", problem: ended };
  let outcome = await once(url, options);
  const repeatable = (options.method ?? "GET") === "GET" || Boolean(options.key);
  for (const wait of options.background ? [] : RETRY_AFTER_MS) {
    if (outcome.kind !== "problem" || outcome.problem.code !== "transport_failed" || !repeatable) break;
    await pause(wait);
    outcome = await once(url, options);
  }
  if (outcome.kind === "problem" && outcome.problem.code === "csrf_failed" && options.method === "POST" && !options.token) {
    renewal ??= renew().finally(() => (renewal = null));
    if (await renewal) outcome = await once(url, options);
  }
  // A login that is refused is no session that ends.
  if (options.token) return outcome;
  if (outcome.kind === "problem" && outcome.problem.status === 401) endSession(outcome.problem);
  else if (ended && outcome.kind !== "problem") {
    ended = null;
    for (const listener of onReturn) listener(null);
  }
  return outcome;
}

/** A new Idempotency-Key. */
export function newKey() {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
