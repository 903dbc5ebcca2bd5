// @ts-check
// A button beside every text that is there to be copied.
import { element } from "./dom.js";

export function start() {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll("pre[data-copy]")) {
    const button = element("button", { type: "button", class: "slim" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent ?? "");
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy by hand";
      }
      setTimeout(() => (button.textContent = "Copy"), 2_000);
    });
    text.after(button);
  }
}
