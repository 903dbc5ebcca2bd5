// @ts-check
// Errors of the scripts themselves: shown, and reported to the server, a few a page. The page works without script.
import { element, strip } from "./dom.js";

const LIMIT = 5;
/** @type {Set<string>} */
const seen = new Set();

/** @param {unknown} error */
export function report(error) {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const place = error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 4).join(" ").trim() : "";
  if (seen.has(message) || seen.size >= LIMIT) return;
  seen.add(message);
  strip(
    "script",
    "bad",
    element("p", {}, element("strong", {}, "A script of this page failed."), " Reload the page; every action also works without script."),
    element("p", { class: "code-word" }, `client_script_error · ${message}`),
  );
  const url = document.body.dataset.clientErrorUrl;
  if (!url) return;
  const body = JSON.stringify({ message: message.slice(0, 500), place: place.slice(0, 1_000), page: location.pathname });
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-Hedgerow-Background": "1" };
  // Not through call(): what failed may be call() itself. Nothing waits for the answer.
  fetch(url, { method: "POST", headers, body, credentials: "same-origin", keepalive: true }).catch(() => {});
}

export function start() {
  window.addEventListener("error", (event) => report(event.error ?? event.message));
  window.addEventListener("unhandledrejection", (event) => report(event.reason));
}
