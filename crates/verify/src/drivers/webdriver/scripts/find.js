// The element at a path, if it still is what it was; else the one of the same sort that says the same words.
const [path, tag, name, hint] = arguments;
const plain = (text) => (text || "").split(/\s+/).filter(Boolean).join(" ").toLowerCase();
// What is hidden belongs to no text that is read; to a label it may belong.
let silent = "";
const words = (one) => {
  if (one.matches(silent)) return "";
  let text = "";
  for (const child of one.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) text += child.data;
    else if (child.nodeType === Node.ELEMENT_NODE) text += " " + words(child) + " ";
  }
  return text;
};
// As `page::find` reads a name out of the same page.
const named = (one) => {
  const own = (attribute) => (one.getAttribute(attribute) || "").trim();
  if (own("aria-label")) return own("aria-label");
  if (own("aria-labelledby")) {
    const labels = own("aria-labelledby").split(/\s+/).map((id) => document.getElementById(id)).filter(Boolean);
    return labels.map(words).join(" ");
  }
  if (one.matches("input, select, textarea")) {
    if (one.matches("[type=submit], [type=button], [type=reset]")) return own("value") || "Submit";
    if (one.labels && one.labels.length) return words(one.labels[0]);
    return own("title") || own("placeholder");
  }
  return plain(words(one)) || own("title");
};
const unread = "script, style, template, noscript";
const fits = (one) => [unread, unread + ", [hidden], dialog:not([open])"].some((which) => {
  silent = which;
  return plain(named(one)) === plain(name);
});
const shown = (one) => one.checkVisibility({ visibilityProperty: true });
const here = document.querySelector(path);
if (here && here.localName === tag && (fits(here) || (hint && here.matches(hint)))) return here;
if (!plain(name)) return null;
return [...document.getElementsByTagName(tag)].find((one) => shown(one) && fits(one)) || null;
