// @ts-check
// A button beside every text that is there to be copied. What came of a press is said, too, for those who do not see
// the button's words change.
import { element } from "./dom.js";

/** @param {string} words */
function announce(words) {
  const place = document.getElementById("announce");
  if (place) place.textContent = words;
}

/**
 * Copies, or selects where the browser does not let a page copy.
 * @param {HTMLElement} text
 * @param {string} what
 */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text.textContent ?? "");
    return { word: "Copied", sentence: `Copied ${what}.` };
  } catch {
    const range = document.createRange();
    range.selectNodeContents(text);
    const selection = document.getSelection();
    selection?.removeAllRanges();
    selection?.addRange(range);
    return { word: "Selected", sentence: `The browser does not let this page copy. Selected ${what}; copy it with the keyboard.` };
  }
}

export function start() {
  for (const text of document.querySelectorAll("pre[data-copy]")) {
    if (!(text instanceof HTMLElement)) continue;
    const what = text.dataset.copy || "the text";
    const button = element("button", { type: "button", class: "slim", "aria-label": `Copy ${what}` }, "Copy");
    button.addEventListener("click", async () => {
      const { word, sentence } = await copy(text, what);
      button.textContent = word;
      announce(sentence);
      setTimeout(() => (button.textContent = "Copy"), 2_000);
    });
    text.after(button);
  }
}
