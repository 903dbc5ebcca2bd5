// @ts-check
// Pointer or keyboard use in a visible tab keeps the session from ending by idleness: one small request, seldom.
import { call, sessionEnded } from "./call.js";
import { learn } from "./ending.js";
import { tell } from "./tabs.js";

const AT_MOST_EVERY_MS = 120_000;

export function start() {
  const url = document.body.dataset.sessionUrl;
  if (!url || !document.body.dataset.idleDeadline) return;
  // A short limit wants to be told more often.
  const every = Math.min(AT_MOST_EVERY_MS, 100 * Number(document.body.dataset.idleSeconds || Infinity));
  // Loading the page counted already.
  let last = Date.now();
  const used = () => {
    if (document.hidden || sessionEnded() || Date.now() - last < every) return;
    last = Date.now();
    call(url, { method: "POST" }).then((outcome) => {
      if (outcome.kind !== "data") return;
      learn(outcome.data);
      tell({ kind: "limits", data: outcome.data });
    });
  };
  document.addEventListener("pointerdown", used, { passive: true });
  document.addEventListener("keydown", used, { passive: true });
}
