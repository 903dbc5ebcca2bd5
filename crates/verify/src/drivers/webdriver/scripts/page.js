// The page as it is now. The copy is made in a document that loads and runs nothing; nothing is taken out of it, so that
// the places of elements stay what they are. What nobody can see or reach is marked in the copy only.
const root = document.documentElement;
const type = document.contentType;
const timing = performance.getEntriesByType("navigation")[0];
const answer = { uri: document.documentURI, url: location.href, type, status: (timing && timing.responseStatus) || 0 };
if (type === "text/html" || type === "application/xhtml+xml") {
  const copy = document.implementation.createHTMLDocument("").importNode(root, true);
  const pressable = "button, input, select, textarea, a, summary, [role]";
  const live = root.querySelectorAll(pressable);
  const copied = copy.querySelectorAll(pressable);
  const modal = root.querySelector("dialog:modal");
  live.forEach((one, at) => {
    const style = getComputedStyle(one);
    const shown = style.display === "contents" || one.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true });
    const reached = !one.closest("[inert]") && (!modal || one.closest("dialog:modal"));
    if (copied[at] && !(shown && reached)) copied[at].setAttribute("aria-hidden", "true");
  });
  const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) : "";
  answer.body = doctype + copy.outerHTML;
} else if (type.endsWith("xml")) {
  answer.body = new XMLSerializer().serializeToString(document);
} else {
  const text = document.querySelector("pre");
  answer.body = text ? text.textContent : "";
}
return answer;
