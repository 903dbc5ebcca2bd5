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

const SHAPES = /** @type {const} */ ({
  good: ["M1 8a7 7 0 1 0 14 0A7 7 0 1 0 1 8z", "M4.7 8.3l2.3 2.3 4.3-4.9"],
  bad: ["M3.5 1h9A2.5 2.5 0 0 1 15 3.5v9a2.5 2.5 0 0 1-2.5 2.5h-9A2.5 2.5 0 0 1 1 12.5v-9A2.5 2.5 0 0 1 3.5 1z", "M8 4.2v4.6M8 11.7v.1"],
  busy: ["M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2zm0 2.4a3.6 3.6 0 1 1 0 7.2 3.6 3.6 0 1 1 0-7.2z", ""],
});

/** @param {keyof typeof SHAPES} tone */
export function icon(tone) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  SHAPES[tone].forEach((d, index) => {
    if (!d) return;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    if (index === 0) path.setAttribute("fill", "currentColor");
    else {
      path.setAttribute("class", "cut");
      path.setAttribute("stroke-width", "1.8");
    }
    svg.append(path);
  });
  return svg;
}

/**
 * One strip above the page. A strip of the same name is replaced.
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
