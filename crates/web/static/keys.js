// @ts-check
// The keyboard: / search, g f fabrics, g a activity, ? help, arrows in tables.

/** @param {EventTarget | null} target */
function writes(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** @param {number} step */
function moveInTable(step) {
  const active = document.activeElement;
  const table = active?.closest("table[data-rows]") ?? document.querySelector("table[data-rows]");
  const links = Array.from(table?.querySelectorAll("tbody tr td:first-child a") ?? []);
  if (links.length === 0) return false;
  const row = active?.closest("tr");
  const at = links.findIndex((link) => link.closest("tr") === row);
  const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
  if (next instanceof HTMLElement) next.focus();
  return true;
}

export function start() {
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
    const dialog = document.getElementById("keys");
    const go = Date.now() - afterG < 1_000;
    afterG = 0;
    if (go && event.key === "f") location.assign(document.body.dataset.fabricsUrl ?? "");
    else if (go && event.key === "a") location.assign(document.querySelector(".nav-link[data-key='a']")?.getAttribute("href") ?? "");
    else if (event.key === "g") afterG = Date.now();
    else if (event.key === "/") {
      const field = Array.from(document.querySelectorAll("input[type='search']")).find((each) => /** @type {HTMLElement} */ (each).offsetParent);
      if (!(field instanceof HTMLElement)) return;
      event.preventDefault();
      field.focus();
    } else if (event.key === "?" && dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (document.activeElement === document.body || document.activeElement?.closest("table[data-rows]"))) {
      if (document.activeElement === document.body && event.key === "ArrowUp") return;
      if (moveInTable(event.key === "ArrowDown" ? 1 : -1)) event.preventDefault();
    }
  });
}
