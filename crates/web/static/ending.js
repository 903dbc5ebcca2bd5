// @ts-check
// The end of the session, said before it comes. The server wrote the words and the form; this shows them when it is
// time, after asking whether another tab has moved the end meanwhile, and sends the form in place.
import { call, onSessionEnd, onSessionReturn, sessionEnded } from "./call.js";
import { element, removeStrip, strip } from "./dom.js";
import { tell } from "./tabs.js";
import { relative, serverNow } from "./times.js";

const ASK_EVERY_MS = 20_000;
const ASK_WHEN_OVER_MS = [2_000, 5_000, 15_000, 30_000];

/** When the server was last asked, and the end that it confirmed. */
let asked = -Infinity;
let confirmed = NaN;
/** Questions without an answer since the end. */
let unanswered = 0;

/**
 * Takes over the limits that an answer of the server names.
 * @param {any} data
 */
export function learn(data) {
  if (typeof data?.idle_expires_at !== "string" || typeof data.absolute_expires_at !== "string") return;
  document.body.dataset.idleDeadline = data.idle_expires_at;
  document.body.dataset.absoluteDeadline = data.absolute_expires_at;
}

function end() {
  const idle = Date.parse(document.body.dataset.idleDeadline ?? "");
  const absolute = Date.parse(document.body.dataset.absoluteDeadline ?? "");
  return { at: Math.min(idle, absolute), isFinal: absolute <= idle };
}

/** @param {HTMLElement} box */
function hide(box) {
  if (box.hidden) return;
  // A focus that vanishes would begin again at the top of the page.
  if (box.contains(document.activeElement)) document.getElementById("main")?.focus({ preventScroll: true });
  box.hidden = true;
}

/**
 * @param {HTMLElement} box
 * @param {number} at
 * @param {boolean} isFinal
 */
function show(box, at, isFinal) {
  const machine = new Date(at).toISOString();
  const clock = `${machine.slice(11, 16)} UTC`;
  const time = box.querySelector("time");
  time?.setAttribute("datetime", machine);
  if (time && time.textContent !== clock) time.textContent = clock;
  for (const part of box.querySelectorAll("[data-end]")) {
    if (part instanceof HTMLElement) part.hidden = (part.dataset.end === "final") !== isFinal;
  }
  const left = box.querySelector("[data-countdown]");
  if (left) left.textContent = relative(-Math.max(0, Math.ceil((at - serverNow()) / 1_000)));
  if (!box.hidden) return;
  box.hidden = false;
  const place = document.getElementById("announce");
  if (place) place.textContent = isFinal ? `Your session ends at ${clock}.` : `Your session ends at ${clock}. Stay logged in with the button at the foot of the page.`;
}

/** Asks the server for the limits as they are now. */
export async function ask() {
  const url = document.body.dataset.sessionUrl;
  if (!url) return;
  asked = Date.now();
  const outcome = await call(url, { background: true });
  if (outcome.kind === "data") {
    learn(outcome.data);
    unanswered = 0;
  } else {
    unanswered += 1;
  }
  // Without an answer the page believes what it was told when it was made.
  confirmed = end().at;
  look();
}

/** Shows or hides the warning, as the clock says. */
function look() {
  const box = document.getElementById("session-warning");
  const { at, isFinal } = end();
  if (!box || Number.isNaN(at) || document.hidden) return;
  const left = at - serverNow();
  if (sessionEnded() || left > 1_000 * Number(document.body.dataset.warnSeconds)) return hide(box);
  // A server that cannot be reached is asked ever more rarely.
  const rest = left > 0 ? ASK_EVERY_MS : (ASK_WHEN_OVER_MS[Math.min(unanswered, ASK_WHEN_OVER_MS.length - 1)] ?? ASK_EVERY_MS);
  if (Date.now() - asked >= rest) ask();
  if (confirmed === at) show(box, at, isFinal);
}

/** @param {HTMLFormElement} form */
async function extend(form) {
  const outcome = await call(form.action, { method: "POST" });
  if (outcome.kind === "data") {
    removeStrip("extend");
    learn(outcome.data);
    tell({ kind: "limits", data: outcome.data });
    look();
    const place = document.getElementById("announce");
    if (place) place.textContent = `You stay logged in until ${new Date(end().at).toISOString().slice(11, 16)} UTC.`;
  } else if (outcome.kind === "problem" && outcome.problem.status !== 401) {
    strip("extend", "bad", element("p", {}, element("strong", {}, "Your session was not extended."), ` ${outcome.problem.detail} ${outcome.problem.what_to_do ?? ""}`));
  }
}

export function start() {
  const box = document.getElementById("session-warning");
  if (!box) return;
  box.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    event.preventDefault();
    extend(form);
  });
  onSessionEnd(() => hide(box));
  onSessionReturn((data) => {
    learn(data);
    confirmed = NaN;
    look();
  });
  document.addEventListener("visibilitychange", look);
  setInterval(look, 1_000);
}
