// @ts-check
// Buttons of verbs: the answer comes in place, within the time of a blink, and a press can never run twice. Without
// this script the same forms lead to the operation's page.
import { call, loginUrl, newKey } from "./call.js";
import { codeWord, element, icon } from "./dom.js";
import { refresh } from "./live.js";
import { logInAgain } from "./login.js";

/** @typedef {import("./call.js").Problem} Problem */

const BUSY = /** @type {Record<string, string>} */ ({
  test_connection: "Testing",
  sync_from_git: "Fetching",
  sync_from_fabric: "Reading",
  sync_to_kubernetes: "Syncing",
  cancel: "Cancelling",
});
const FOLLOW_EVERY_MS = 700;

/**
 * The answer under the buttons of a group.
 * @param {Element} group
 * @param {"good" | "bad" | "busy"} tone
 * @param {Array<Node | string>} lines
 * @param {Array<Node>} [links]
 */
function answer(group, tone, lines, links = []) {
  group.querySelector(".answer")?.remove();
  const text = element("div", { class: "answer-text" }, ...lines.map((line) => element("p", {}, line)));
  const close = element("button", { type: "button", class: "plain slim", "aria-label": "Close this answer" }, "Close");
  const box = element("div", { class: `answer tone-${tone}`, role: tone === "bad" ? "alert" : "status", "data-answer": tone }, icon(tone), text);
  text.append(element("p", { class: "answer-links" }, ...links, ...(tone === "busy" ? [] : [close])));
  close.addEventListener("click", () => {
    box.remove();
    refresh();
  });
  group.append(box);
}

/**
 * @param {Element} group
 * @param {Problem} problem
 */
function refuse(group, problem) {
  const links = problem.status === 401 ? [element("a", { href: loginUrl(), class: "login-again" }, "Log in again")] : [];
  const words = codeWord(problem.code, problem.type, problem.request_id ? ` · request ${problem.request_id}` : "");
  const lines = [problem.detail || problem.title, problem.what_to_do ?? ""].filter((line) => line !== "");
  answer(group, "bad", [...lines, words], links);
}

/**
 * The session had ended before the press: nothing was done. After the login the same press is offered again.
 * @param {Element} group
 * @param {HTMLFormElement} form
 * @param {string} words what the button says
 * @param {Problem} problem
 */
async function interrupted(group, form, words, problem) {
  refuse(group, problem);
  if (!(await logInAgain(problem.detail))) return;
  const again = element("button", { type: "button", class: "slim primary", "data-again": "" }, words);
  again.addEventListener("click", () => form.requestSubmit(), { once: true });
  answer(group, "busy", [`You are logged in again. “${words}” had not been done.`], [again]);
  again.focus();
}

/**
 * What an operation does now, in a few words.
 * @param {any} operation
 */
function progress(operation) {
  const phase = (operation.phases ?? []).find((/** @type {any} */ each) => each.state === "running");
  if (!phase) return operation.state === "queued" ? "Queued" : "Running";
  return phase.total > 0 ? `${phase.title}: ${phase.done} of ${phase.total}` : phase.title;
}

/**
 * The same in one word for the button, which keeps its width.
 * @param {string} word
 * @param {any} operation
 */
function share(word, operation) {
  const phase = (operation.phases ?? []).find((/** @type {any} */ each) => each.state === "running");
  return phase && phase.total > 0 ? `${word} ${Math.floor((100 * phase.done) / phase.total)} %` : word;
}

/**
 * @param {Element} group
 * @param {any} operation
 */
function end(group, operation) {
  const link = element("a", { href: operation.url }, `Operation ${operation.id}`);
  if (operation.state === "succeeded") {
    answer(group, "good", [`${operation.title} succeeded.`, operation.message].filter((line) => line), [link]);
    return;
  }
  const words = operation.code ? [codeWord(operation.code, operation.docs)] : [];
  answer(group, "bad", [`${operation.title}: ${operation.state_title}.`, operation.message, operation.what_to_do ?? "", ...words].filter((line) => line !== ""), [link]);
}

/**
 * Follows an operation until it is over.
 * @param {Element} group
 * @param {(words: string) => void} label
 * @param {string} word
 * @param {any} operation
 * @param {string} first what to say about how it was accepted
 */
async function follow(group, label, word, operation, first) {
  let lost = 0;
  for (;;) {
    if (operation.final) {
      // The operation's own page says it all; an answer would only cover that.
      if (new URL(operation.url, location.href).pathname === location.pathname) group.querySelector(".answer")?.remove();
      else end(group, operation);
      await refresh();
      return;
    }
    answer(group, "busy", [first || `${operation.title}: ${progress(operation)}`, first ? progress(operation) : ""].filter((line) => line), [
      element("a", { href: operation.url }, `Watch operation ${operation.id}`),
    ]);
    label(share(word, operation));
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    const outcome = await call(operation.url, { background: true });
    if (outcome.kind === "data") {
      operation = outcome.data;
      lost = 0;
    } else if (outcome.kind === "problem" && (outcome.problem.code !== "transport_failed" || ++lost > 20)) {
      refuse(group, outcome.problem);
      return;
    }
  }
}

/**
 * An operation had ended before it could be cancelled. Its own page says so where it tells of its end, in place of the
 * button, as it does without this script.
 * @param {Element} group
 * @param {Problem} problem
 */
function late(group, problem) {
  group.querySelector(".answer")?.remove();
  history.replaceState(history.state, "", "?cancel=late");
  const place = document.getElementById("announce");
  if (place) place.textContent = problem.detail;
}

/** @param {HTMLFormElement} form */
async function press(form) {
  const button = form.querySelector("button");
  const group = form.closest("[data-press-group]") ?? form;
  if (!button || form.dataset.busy) return;
  const field = /** @type {HTMLInputElement | null} */ (form.elements.namedItem("idempotency_key"));
  const words = button.textContent ?? "";
  const word = BUSY[form.dataset.verb ?? ""] ?? "Working";
  /** @param {string} text */
  const label = (text) => button.replaceChildren(element("span", { class: "verb-busy", "aria-hidden": "true" }), text);
  // What the button says changes; where it and its neighbours stand does not.
  button.style.width = `${Math.ceil(button.getBoundingClientRect().width)}px`;
  form.dataset.busy = "1";
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  label(word);
  answer(group, "busy", ["Sent. Waiting for the answer."]);
  try {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) fields.append(name, String(value));
    const key = field?.value || newKey();
    const outcome = await call(form.action, { method: "POST", form: fields, key });
    if (outcome.kind === "data" && outcome.data.operation) {
      const { operation, disposition } = outcome.data;
      const first = disposition === "already_running" ? `This already runs since ${operation.started_words}, started by ${operation.actor}.`
        : disposition === "queued" ? "Another operation runs. This one is queued and runs next." : "";
      await follow(group, label, word, operation, first);
    } else if (outcome.kind === "problem" && outcome.problem.code === "already_ended") {
      late(group, outcome.problem);
    } else if (outcome.kind === "problem" && outcome.problem.status === 401) {
      interrupted(group, form, words, outcome.problem);
    } else if (outcome.kind === "problem") {
      refuse(group, outcome.problem);
    }
    // Lost is the one end after which the same press must stay the same request.
    if (field && !(outcome.kind === "problem" && outcome.problem.code === "transport_failed")) field.value = newKey();
  } finally {
    delete form.dataset.busy;
    button.disabled = false;
    button.removeAttribute("aria-busy");
    button.style.width = "";
    button.replaceChildren(words);
  }
  // Where no answer stands, the page says it; while the press was under way its group was left as it stood.
  if (!group.querySelector(".answer")) await refresh();
}

export function start() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.matches("form.verb")) return;
    event.preventDefault();
    press(form);
  });
}
