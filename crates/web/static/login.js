// @ts-check
// Logging in again in place: what was typed or pressed on the page stays, and is offered again. Whoever is somebody else
// gets none of it. Beside it the password once more, for a change that asks for it.
import { call, onOtherUser, onSessionEnd, onSessionReturn, resume } from "./call.js";
import { element, strip } from "./dom.js";

/** @type {((back: boolean) => void) | null} */
let waiting = null;

/** @param {string} id */
function dialog(id) {
  const found = document.getElementById(id);
  return found instanceof HTMLDialogElement ? found : null;
}

/**
 * @param {HTMLDialogElement} box
 * @param {string} words
 */
function refuse(box, words) {
  const place = box.querySelector("[data-refused]");
  if (!(place instanceof HTMLElement)) return;
  place.textContent = words;
  place.hidden = words === "";
}

/** @param {HTMLDialogElement} box */
function field(box) {
  const found = box.querySelector('input[type="password"]');
  return found instanceof HTMLInputElement ? found : null;
}

/**
 * Opens the login over the page.
 * @param {string} [reason] why it is needed
 * @returns {Promise<boolean>} whether this page's user is logged in again
 */
export function logInAgain(reason = "") {
  const box = dialog("login-again");
  if (!box) return Promise.resolve(false);
  waiting?.(false);
  refuse(box, "");
  const place = box.querySelector("[data-reason]");
  if (place && reason) place.textContent = reason;
  if (!box.open) box.showModal();
  field(box)?.focus();
  return new Promise((resolve) => {
    waiting = resolve;
  });
}

/** @param {boolean} back */
function settle(back) {
  waiting?.(back);
  waiting = null;
}

/**
 * Logs in with a form of the server's own, whose token belongs to this browser.
 * @param {HTMLDialogElement} box
 * @param {HTMLFormElement} form
 */
async function send(box, form) {
  if (form.dataset.busy) return;
  form.dataset.busy = "1";
  refuse(box, "");
  try {
    const first = await call(form.action, { background: true, token: "none" });
    if (first.kind === "problem") return refuse(box, `${first.problem.detail} ${first.problem.what_to_do ?? ""}`);
    if (first.kind !== "data") return;
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) fields.append(name, String(value));
    // In another tab somebody may have logged in meanwhile.
    const outcome = first.data.user ? first : await call(form.action, { method: "POST", form: fields, token: first.data.csrf_token });
    if (outcome.kind === "problem") {
      refuse(box, `${outcome.problem.detail} ${outcome.problem.what_to_do ?? ""}`);
      field(box)?.select();
      return;
    }
    if (await resume()) {
      box.close();
      settle(true);
    }
  } finally {
    delete form.dataset.busy;
    const typed = field(box);
    if (typed && !box.open) typed.value = "";
  }
}

/**
 * Somebody else is logged in now: the page goes on as theirs, without what was typed or pressed on it.
 * @param {string} user
 */
function other(user) {
  dialog("login-again")?.close();
  settle(false);
  const open = element("a", { href: location.pathname + location.search }, `Open it as ${user}`);
  // What stood or was typed here was for somebody else.
  document.getElementById("main")?.replaceChildren();
  // Nor does its way out belong to this session.
  for (const who of document.querySelectorAll("form.who")) who.remove();
  strip("session", "bad", element("p", {}, element("strong", {}, `${user} is logged in in this browser now.`), ` This page was made for ${document.body.dataset.user}; nothing on it is sent as somebody else.`), element("p", {}, open));
}

/**
 * Asks for the user's own password over the page.
 * @param {string} reason
 * @returns {Promise<string | null>} nothing when it was not given
 */
export function askPassword(reason) {
  const box = dialog("password-again");
  if (!box) return Promise.resolve(null);
  const place = box.querySelector("[data-reason]");
  if (place) place.textContent = reason;
  const typed = field(box);
  box.returnValue = "";
  box.showModal();
  typed?.focus();
  return new Promise((resolve) => {
    box.addEventListener("close", () => {
      const given = box.returnValue === "given" ? (typed?.value ?? "") : "";
      if (typed) typed.value = "";
      resolve(given || null);
    }, { once: true });
  });
}

export function start() {
  const box = dialog("login-again");
  if (!box) return;
  onSessionEnd((problem) => {
    const place = box.querySelector("[data-reason]");
    if (place && problem.detail) place.textContent = problem.detail;
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a.login-again") : null;
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    logInAgain();
  });
  box.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.method === "dialog") return;
    event.preventDefault();
    send(box, form);
  });
  box.addEventListener("close", () => settle(false));
  // Another tab was faster.
  onSessionReturn(() => {
    settle(true);
    if (box.open) box.close();
  });
  onOtherUser(other);
}
