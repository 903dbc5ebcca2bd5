// What changes when a page reacts: another document, another address, other elements.
const text = document.documentElement ? document.documentElement.outerHTML : "";
let sum = 0;
for (let at = 0; at < text.length; at++) sum = (Math.imul(sum, 31) + text.charCodeAt(at)) | 0;
return {
  document: performance.timeOrigin,
  url: location.href,
  content: text.length + ":" + sum,
  ready: document.readyState === "complete",
  busy: !!document.querySelector("[aria-busy=true]"),
};
