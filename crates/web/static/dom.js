// @ts-check
// Small hands for building what scripts show: always from text, never from markup.

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * A code of a failure, with the way to the page that says what it means.
 * @param {string} code
 * @param {string | null | undefined} [docs]
 * @param {string} [more]
 */
export function codeWord(code, docs, more = "") {
  const word = docs ? element("a", { href: docs }, code) : code;
  return element("span", { class: "code-word", "data-code": code }, word, more);
}

/**
 * An icon, as the server draws it.
 * @param {"good" | "bad" | "busy"} tone
 */
export function icon(tone) {
  const icons = document.getElementById("icons");
  const shape = icons instanceof HTMLTemplateElement ? icons.content.querySelector(`[data-icon="${tone}"] svg`) : null;
  return shape ? document.importNode(shape, true) : document.createElement("span");
}

/**
 * One strip over the foot of the page, so that nothing on it moves. A strip of the same name is replaced.
 * @param {string} name
 * @param {"good" | "bad" | "busy"} tone
 * @param {...(Node | string)} content
 */
export function strip(name, tone, ...content) {
  const strips = document.getElementById("strips");
  if (!strips) return;
  removeStrip(name);
  strips.append(element("div", { class: `strip tone-${tone}`, "data-strip": name }, icon(tone), element("div", {}, ...content)));
}

/** @param {string} name */
export function removeStrip(name) {
  document.querySelector(`[data-strip="${name}"]`)?.remove();
}
