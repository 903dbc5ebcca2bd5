// @ts-check
// Keeps an open page true: the server hints that something changed, the page reads itself again and exchanges the
// regions that differ. Hints come as a stream while the tab is visible; where streams fail, the page asks now and then.
import { call, endSession, loginUrl, onSessionEnd, onSessionReturn, sessionEnded } from "./call.js";
import { element, removeStrip, strip } from "./dom.js";
import { PASSING, say, serverNow } from "./times.js";

const POLL_MS = 5_000;
const QUIET_LIMIT_MS = 45_000;
/** A server that has not answered a reading by then is said not to. */
const SILENT_MS = 8_000;
const RETRY_MS = [1_000, 2_000, 5_000, 15_000, 30_000];
const AT_MOST_EVERY_MS = 400;
/** What depends on the time alone (a switch that falls silent, a window that opens) gives no hint. */
const AT_LEAST_EVERY_MS = 30_000;

/** @type {AbortController | null} */
let stream = null;
let failures = 0;
let lastRefresh = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextPoll;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextStream;
/** @type {Promise<void> | null} */
let refreshing = null;
let again = false;
let readFailed = false;

/** Reads the page again and exchanges what differs. Calls that come meanwhile are one more reading. */
export function refresh() {
  if (refreshing) {
    again = true;
    return refreshing;
  }
  refreshing = (async () => {
    do {
      again = false;
      const wait = lastRefresh + AT_MOST_EVERY_MS - Date.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      lastRefresh = Date.now();
      await readAgain();
    } while (again && !sessionEnded());
  })().finally(() => (refreshing = null));
  return refreshing;
}

async function readAgain() {
  if (!document.querySelector("[data-live]")) return;
  const silence = setTimeout(lost, SILENT_MS);
  const outcome = await call(location.pathname + location.search, { wants: "page", background: true });
  clearTimeout(silence);
  readFailed = true;
  if (outcome.kind === "problem") {
    if (outcome.problem.code === "transport_failed") lost();
    // That a session has ended is said by itself.
    else if (outcome.problem.status !== 401) refused(outcome.problem);
    return;
  }
  // Only this very page may stand in for itself.
  if (outcome.kind !== "page" || outcome.name !== document.body.dataset.page) return;
  readFailed = false;
  removeStrip("lost");
  const fresh = outcome.page;
  announce(fresh);
  for (const region of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${region.getAttribute("data-live")}"]`);
    if (other) exchange(region, other);
  }
  document.body.dataset.now = fresh.body.dataset.now ?? "";
  document.body.dataset.freshUntil = fresh.body.dataset.freshUntil ?? "";
  // Another tab may have moved the session's end.
  document.body.dataset.idleDeadline = fresh.body.dataset.idleDeadline ?? "";
  document.body.dataset.read = String(Date.now());
  say();
}

/**
 * Says a new state to those who do not see it change.
 * @param {Document} fresh
 */
function announce(fresh) {
  const title = (/** @type {Document} */ page) => page.querySelector(".head-title .badge")?.textContent?.trim();
  const [before, after] = [title(document), title(fresh)];
  const place = document.getElementById("announce");
  if (place && after && before !== after) place.textContent = `${document.querySelector("h1")?.textContent?.trim()}: ${after}`;
}

/**
 * @param {Element} region
 * @param {Element} other
 */
function exchange(region, other) {
  if (settled(region) === settled(other)) return;
  const active = document.activeElement;
  const focused = active && region.contains(active) ? active : null;
  const selection = document.getSelection();
  if (selection && !selection.isCollapsed && region.contains(selection.anchorNode)) return;
  // A list that is open would close.
  if (focused instanceof HTMLSelectElement) return;
  const group = region.querySelector("[data-press-group]");
  const held = group && group.querySelector(".answer, [data-busy]") ? group : null;
  const opened = Array.from(region.querySelectorAll("details"), (details) => details.open);
  const fresh = /** @type {Element} */ (document.importNode(other, true));
  fresh.querySelectorAll("details").forEach((details, index) => {
    if (opened[index]) details.open = true;
  });
  keepChoices(region, fresh);
  if (held) {
    // A press is under way or its answer stands there: keep the buttons, renew what they would send.
    const place = fresh.querySelector("[data-press-group]");
    for (const input of fresh.querySelectorAll('input[name="comparison"]')) {
      const mine = held.querySelector('input[name="comparison"]');
      if (mine instanceof HTMLInputElement) mine.value = /** @type {HTMLInputElement} */ (input).value;
    }
    place?.replaceWith(held);
  }
  const hold = focused ? handle(focused) : "";
  region.replaceWith(fresh);
  if (hold) {
    const target = fresh.querySelector(hold);
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  }
}

/**
 * What the user has ticked or chosen stays so, as long as it is there.
 * @param {Element} region
 * @param {Element} fresh
 */
function keepChoices(region, fresh) {
  for (const select of region.querySelectorAll("select")) {
    const other = fresh.querySelector(`select[name="${CSS.escape(select.name)}"]`);
    const kept = select.selectedOptions[0];
    if (!(other instanceof HTMLSelectElement) || !kept || kept.defaultSelected) continue;
    for (const option of other.options) if (option.value === kept.value) option.selected = true;
  }
  for (const box of region.querySelectorAll('input[type="checkbox"]')) {
    if (!(box instanceof HTMLInputElement) || box.checked === box.defaultChecked) continue;
    for (const other of fresh.querySelectorAll(`input[type="checkbox"][name="${CSS.escape(box.name)}"]`)) {
      if (other instanceof HTMLInputElement && other.value === box.value) other.checked = box.checked;
    }
  }
}

/**
 * The markup without what differs each time it is made.
 * @param {Element} region
 */
function settled(region) {
  const copy = /** @type {Element} */ (region.cloneNode(true));
  copy.querySelectorAll(".answer").forEach((node) => node.remove());
  copy.querySelectorAll('input[name="csrfmiddlewaretoken"], input[name="idempotency_key"]').forEach((node) => node.remove());
  copy.querySelectorAll(PASSING).forEach((node) => (node.textContent = ""));
  copy.querySelectorAll("details[open]").forEach((node) => node.removeAttribute("open"));
  copy.querySelectorAll("pre[data-copy] ~ button").forEach((node) => node.remove());
  return copy.innerHTML;
}

/**
 * A selector that finds the same control in the exchanged region.
 * @param {Element} node
 */
function handle(node) {
  if (node.id) return `#${CSS.escape(node.id)}`;
  const href = node.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : "";
}

function lost() {
  strip("lost", "bad", element("p", {}, element("strong", {}, "No answer from the server."), " What stands here may be old; it is read again as soon as the server answers."));
}

/** @param {import("./call.js").Problem} problem */
function refused(problem) {
  strip("lost", "bad", element("p", {}, element("strong", {}, "This page could not be read again."), ` ${problem.detail || problem.title} What stands here may be old.`));
}

/** @param {string} url */
async function listen(url) {
  const controller = new AbortController();
  stream = controller;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let quiet;
  const alive = () => {
    clearTimeout(quiet);
    quiet = setTimeout(() => controller.abort(), QUIET_LIMIT_MS);
  };
  try {
    alive();
    const response = await fetch(url, { headers: { Accept: "text/event-stream", "X-Requested-With": "XMLHttpRequest" }, credentials: "same-origin", redirect: "manual", signal: controller.signal });
    const media = response.headers.get("Content-Type") ?? "";
    if (response.status === 401 && media.startsWith("application/problem+json")) {
      endSession({ ...(await response.json()), status: 401 });
      return;
    }
    if (!response.ok || !response.body || !media.startsWith("text/event-stream")) throw new Error(`status ${response.status}`);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      alive();
      rest += value;
      const parts = rest.split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) hear(part);
      if (sessionEnded()) return;
    }
  } catch {
    // Counted below; the next try or the polling takes over.
  } finally {
    clearTimeout(quiet);
    if (stream === controller) stream = null;
  }
  if (controller.signal.aborted && document.hidden) return;
  if (!sessionEnded()) retry(url);
}

/** @param {string} text one event of the stream */
function hear(text) {
  let name = "message";
  let data = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data += line.slice(5).trim();
  }
  if (name === "hello") {
    failures = 0;
    clearTimeout(nextPoll);
    nextPoll = undefined;
    refresh();
  } else if (name === "changed") {
    refresh();
  } else if (name === "session_ended") {
    endSession({ ...JSON.parse(data), status: 401 });
  }
}

/** @param {string} url */
function retry(url) {
  const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)] ?? 30_000;
  failures += 1;
  clearTimeout(nextStream);
  nextStream = setTimeout(() => open(url), wait * (0.75 + Math.random() / 2));
  if (failures >= 2 && nextPoll === undefined) poll();
}

function poll() {
  nextPoll = setTimeout(async () => {
    if (sessionEnded() || document.hidden) {
      nextPoll = undefined;
      return;
    }
    await refresh();
    if (failures > 0) poll();
  }, POLL_MS * (0.75 + Math.random() / 2));
}

/** @param {string} url */
function open(url) {
  if (!stream && !document.hidden && !sessionEnded()) listen(url);
}

function close() {
  clearTimeout(nextStream);
  clearTimeout(nextPoll);
  nextPoll = undefined;
  stream?.abort();
  stream = null;
}

/** Reads the page again where nobody hints: when the evidence stops to count, and now and then. */
function look() {
  if (document.hidden || sessionEnded() || refreshing) return;
  const rest = Date.now() - lastRefresh;
  const until = Date.parse(document.body.dataset.freshUntil ?? "");
  // Both are said to the second. Where reading it failed, asking more often helps nobody.
  const isStale = !readFailed && serverNow() > until + 1_000;
  if (rest > AT_LEAST_EVERY_MS || (isStale && rest > POLL_MS)) refresh();
}

export function start() {
  onSessionEnd((problem) => {
    close();
    strip(
      "session",
      "bad",
      element("p", {}, element("strong", {}, problem.detail || problem.title), " What stands here is no longer kept current."),
      element("p", {}, element("a", { href: loginUrl(), class: "login-again" }, "Log in again"), " You come back to this page."),
    );
  });
  const url = document.body.dataset.events;
  onSessionReturn(() => {
    removeStrip("session");
    if (url) open(url);
  });
  if (!url) return;
  open(url);
  lastRefresh = Date.now();
  setInterval(look, 1_000);
  // A hidden tab holds no connection: browsers allow few of them to one server.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else open(url);
  });
  window.addEventListener("pagehide", close);
}
