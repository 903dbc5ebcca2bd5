// @ts-check
// The editor of a permission's constraints: a row that writes a term into the JSON, and what the JSON matches as it is
// typed. What may be named comes from the tables beside the form; without this module the button does the same.
import { call } from "./call.js";
import { element } from "./dom.js";

const PAUSE_MS = 400;

/** @param {HTMLFormElement} form */
function types(form) {
  const boxes = form.querySelectorAll('input[name="object_types"]:checked');
  return Array.from(boxes, (box) => /** @type {HTMLInputElement} */ (box).value);
}

/**
 * The fields of the types that are ticked, or of all types: name and what each holds.
 * @param {HTMLFormElement} form
 */
function fields(form) {
  const wanted = types(form);
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const row of document.querySelectorAll("[data-fields] tr[data-field]")) {
    const of = row.getAttribute("data-type") ?? "";
    if (wanted.length > 0 && !wanted.includes(of)) continue;
    found.set(row.getAttribute("data-field") ?? "", row.getAttribute("data-holds") ?? "text");
  }
  return found;
}

/** @param {string} holds */
function lookups(holds) {
  return Array.from(document.querySelectorAll("[data-lookups] tr[data-lookup]"))
    .filter((row) => holds === "text" || row.getAttribute("data-numbers") === "true")
    .map((row) => ({ word: row.getAttribute("data-lookup") ?? "", meaning: row.children[1]?.textContent ?? "" }));
}

/**
 * @param {string} text
 * @param {string} holds
 */
function one(text, holds) {
  const plain = text.trim();
  if (holds === "number" && /^-?\d+$/.test(plain)) return Number(plain);
  if (holds === "true or false" && (plain === "true" || plain === "false")) return plain === "true";
  return plain;
}

/**
 * The text with one term more; nothing when it is no JSON.
 * @param {string} text
 * @param {string} key
 * @param {unknown} value
 */
function withTerm(text, key, value) {
  /** @type {any} */
  let all = {};
  if (text.trim()) {
    try {
      all = JSON.parse(text);
    } catch {
      return null;
    }
  }
  if (all === null) all = {};
  if (Array.isArray(all) && all.length === 0) all.push({});
  const target = Array.isArray(all) ? all[all.length - 1] : all;
  if (typeof target !== "object" || target === null) return null;
  target[key] = value;
  return JSON.stringify(all, null, 2);
}

/**
 * @param {string} label
 * @param {HTMLElement} control
 */
const labelled = (label, control) => element("div", { class: "field" }, element("label", { for: control.id }, label), control);

/**
 * @param {HTMLSelectElement} select
 * @param {{ value: string, label: string }[]} options
 */
function refill(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map((option) => element("option", { value: option.value }, option.label)));
  if (options.some((option) => option.value === before)) select.value = before;
}

/**
 * @param {Element} editor
 * @param {HTMLFormElement} form
 * @param {HTMLTextAreaElement} area
 * @param {(message: string) => void} say
 */
function build(editor, form, area, say) {
  const place = editor.querySelector("[data-builder]");
  if (!(place instanceof HTMLElement)) return;
  const field = /** @type {HTMLSelectElement} */ (element("select", { id: "builder-field" }));
  const lookup = /** @type {HTMLSelectElement} */ (element("select", { id: "builder-lookup" }));
  const value = /** @type {HTMLInputElement} */ (element("input", { id: "builder-value", autocomplete: "off", spellcheck: "false" }));
  const add = element("button", { type: "button" }, "Add the term");
  const holds = () => fields(form).get(field.value) ?? "text";
  const choose = () => refill(lookup, lookups(holds()).map((each) => ({ value: each.word, label: each.meaning })));
  const list = () => {
    refill(field, Array.from(fields(form).keys(), (name) => ({ value: name, label: name })));
    choose();
  };
  field.addEventListener("change", choose);
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "object_types") list();
  });
  add.addEventListener("click", () => {
    const key = lookup.value ? `${field.value}__${lookup.value}` : field.value;
    const parts = value.value.split(",").filter((part) => part.trim());
    const typed = lookup.value === "in" ? parts.map((part) => one(part, holds())) : one(value.value, holds());
    const text = withTerm(area.value, key, typed);
    if (text === null) {
      say("The constraints are no JSON that a term can be added to. Correct them first.");
      return;
    }
    area.value = text;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  });
  list();
  place.append(labelled("Field", field), labelled("Comparison", lookup), labelled("Value", value), add);
  place.hidden = false;
}

/**
 * @param {Element} editor
 * @param {HTMLFormElement} form
 * @param {HTMLTextAreaElement} area
 */
function watch(editor, form, area) {
  const shown = editor.querySelector("[data-matches]");
  const address = editor.getAttribute("data-preview") ?? "";
  let asked = 0;
  let timer = 0;
  /** @param {(Node | string)[]} lines */
  const show = (...lines) => shown?.replaceChildren(...lines);
  const ask = async () => {
    const mine = ++asked;
    const wanted = types(form);
    if (wanted.length === 0) {
      show(element("p", { class: "quiet" }, "Tick what it may be done to, to see what matches."));
      return;
    }
    const lines = [];
    for (const type of wanted) {
      const query = new URLSearchParams({ type, constraints: area.value });
      const outcome = await call(`${address}?${query}`, { background: true });
      if (mine !== asked) return;
      if (outcome.kind === "data") {
        const { sentence, names, count } = outcome.data;
        const more = count > names.length ? ` and ${count - names.length} more` : "";
        lines.push(element("p", {}, element("strong", {}, `Matches ${sentence}`), ` ${names.join(", ")}${more}`));
      } else if (outcome.kind === "problem") {
        const said = outcome.problem.fields?.constraints ?? outcome.problem.detail;
        lines.push(element("p", { class: "mismatch" }, said));
        break;
      }
    }
    show(...lines);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = window.setTimeout(ask, PAUSE_MS);
  };
  area.addEventListener("input", soon);
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLInputElement && event.target.name === "object_types") soon();
  });
  editor.querySelector("[data-show-matches]")?.addEventListener("click", (event) => {
    event.preventDefault();
    ask();
  });
  return (/** @type {string} */ message) => show(element("p", { class: "mismatch" }, message));
}

export function start() {
  for (const editor of document.querySelectorAll("[data-constraints]")) {
    const form = editor.closest("form");
    const area = editor.querySelector('textarea[name="constraints"]');
    if (!(form instanceof HTMLFormElement) || !(area instanceof HTMLTextAreaElement)) continue;
    build(editor, form, area, watch(editor, form, area));
  }
}
