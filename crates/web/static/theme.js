// @ts-check
// The theme changes at once; the server keeps the choice in a cookie, so that pages come in it from the first byte.
import { call } from "./call.js";

export function start() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.matches("[data-theme-form]")) return;
    const theme = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "system";
    event.preventDefault();
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-form] button")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("value") === theme));
    }
    call(form.action, { method: "POST", form: new URLSearchParams({ theme }), background: true });
  });
}
