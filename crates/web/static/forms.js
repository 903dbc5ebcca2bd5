// @ts-check
// Forms whose contents must not be lost: sent by script, so that an ended session, a stale token or a refused field
// leaves everything that was typed where it is.
import { call, loginUrl, newKey } from "./call.js";
import { codeWord, element, icon } from "./dom.js";
import { askPassword, logInAgain } from "./login.js";

/** @param {HTMLFormElement} form */
function clear(form) {
  for (const node of form.querySelectorAll(".field.bad")) node.classList.remove("bad");
  for (const node of form.querySelectorAll(".field .error, .form-answer")) node.remove();
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
  document.getElementById("form-errors")?.remove();
}

/**
 * @param {HTMLFormElement} form
 * @param {import("./call.js").Problem} problem
 */
function refuse(form, problem) {
  let first = true;
  for (const [name, message] of Object.entries(problem.fields ?? {})) {
    const named = form.elements.namedItem(name);
    // Boxes that belong together have one name.
    const control = named instanceof RadioNodeList ? named[0] : named;
    const field = control instanceof HTMLElement ? control.closest(".field") : null;
    if (!(control instanceof HTMLElement) || !field) continue;
    field.classList.add("bad");
    field.append(element("p", { class: "error", id: `error-${name}` }, icon("bad"), element("span", {}, message)));
    control.setAttribute("aria-invalid", "true");
    if (first) control.focus();
    first = false;
  }
  const login = problem.status === 401 ? element("a", { href: loginUrl(), class: "login-again" }, "Log in again") : null;
  const words = codeWord(problem.code, problem.type);
  form.querySelector(".actions:last-of-type")?.before(
    element("div", { class: "notice tone-bad form-answer", role: "alert" }, icon("bad"), element("div", {},
      element("p", {}, element("strong", {}, "Nothing was saved."), ` ${problem.detail || problem.title}`),
      problem.what_to_do && !problem.fields ? element("p", {}, problem.what_to_do) : null,
      login, words)),
  );
}

/**
 * Sends the form, and once more with the user's own password when that is asked for and the form has no field for it.
 * @param {HTMLFormElement} form
 * @param {URLSearchParams} fields
 */
async function ask(form, fields) {
  let outcome = await call(form.action, { method: "POST", form: fields, key: form.dataset.key });
  while (outcome.kind === "problem" && outcome.problem.code === "password_required" && !outcome.problem.redirect && !form.elements.namedItem("current_password")) {
    const password = await askPassword(outcome.problem.detail);
    if (password === null) break;
    fields.set("current_password", password);
    outcome = await call(form.action, { method: "POST", form: fields, key: form.dataset.key });
  }
  // Whoever has no password proves who it is elsewhere; the server keeps the form meanwhile.
  if (outcome.kind === "problem" && outcome.problem.code === "password_required" && outcome.problem.redirect) location.assign(outcome.problem.redirect);
  return outcome;
}

/**
 * The session had ended: everything that was typed is still there, and can be sent after the login.
 * @param {HTMLFormElement} form
 * @param {import("./call.js").Problem} problem
 */
async function interrupted(form, problem) {
  if (!(await logInAgain(problem.detail))) return;
  clear(form);
  const button = form.querySelector("button[type='submit']");
  const words = button?.textContent?.trim() ?? "Send";
  form.querySelector(".actions:last-of-type")?.before(
    element("div", { class: "notice tone-waiting form-answer", role: "status" }, icon("busy"), element("div", {},
      element("p", {}, element("strong", {}, "You are logged in again."), ` Nothing was saved yet; what you typed is still here. Press “${words}”.`))),
  );
  if (button instanceof HTMLElement) button.focus();
}

/** @param {HTMLFormElement} form */
async function send(form) {
  if (form.dataset.busy) return;
  form.dataset.busy = "1";
  const button = form.querySelector("button[type='submit']");
  button?.setAttribute("aria-busy", "true");
  clear(form);
  form.dataset.key ??= newKey();
  try {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) fields.append(name, String(value));
    const outcome = await ask(form, fields);
    if (outcome.kind === "data" && typeof outcome.data.redirect === "string") {
      location.assign(outcome.data.redirect);
    } else if (outcome.kind === "problem") {
      if (outcome.problem.code !== "transport_failed") delete form.dataset.key;
      refuse(form, outcome.problem);
      if (outcome.problem.status === 401) interrupted(form, outcome.problem);
    }
  } finally {
    delete form.dataset.busy;
    button?.removeAttribute("aria-busy");
  }
}

/**
 * How many are ticked, in the words of the adoption's page.
 * @param {number} ticked
 * @param {number} elsewhere
 */
function ticks(ticked, elsewhere) {
  if (ticked === 0) return "Nothing is ticked.";
  if (elsewhere === 0) return `${ticked} ticked.`;
  return elsewhere === ticked ? `${ticked} ticked, none of them on this page.` : `${ticked} ticked, ${elsewhere} of them not on this page.`;
}

export function start() {
  for (const said of document.querySelectorAll("[data-ticked]")) {
    const form = said.closest("form");
    const elsewhere = Number(said.getAttribute("data-elsewhere"));
    form?.addEventListener("change", () => {
      said.textContent = ticks(elsewhere + form.querySelectorAll('input[type="checkbox"]:checked').length, elsewhere);
    });
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.matches("form[data-keep]")) return;
    // A button with a name does something else than save: its page is the answer.
    if (event.submitter?.hasAttribute("name")) return;
    event.preventDefault();
    send(form);
  });
}
