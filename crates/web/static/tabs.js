// @ts-check
// The tabs of one browser share one session, and tell each other what one of them learned: that it lasts longer, that it
// has ended, that somebody is logged in again. None believes an end without asking the server itself, once.
import { onSessionEnd, onSessionReturn, resume, sessionEnded } from "./call.js";
import { ask, learn } from "./ending.js";

/** @typedef {{ kind: "limits", data: any } | { kind: "ended" } | { kind: "back" }} Word */

const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel("hedgerow-session") : null;

/** @param {Word} word */
export function tell(word) {
  channel?.postMessage(word);
}

/** @param {Word} word */
function hear(word) {
  if (word.kind === "limits" && !sessionEnded()) learn(word.data);
  else if (word.kind === "ended" && !sessionEnded()) ask();
  else if (word.kind === "back" && sessionEnded()) resume();
}

export function start() {
  if (!channel || !document.body.dataset.sessionUrl) return;
  channel.addEventListener("message", (event) => hear(event.data));
  onSessionEnd(() => tell({ kind: "ended" }));
  onSessionReturn(() => tell({ kind: "back" }));
  // Whoever opens a page has a session: a tab that lost its own, and led here to log in elsewhere, goes on with it.
  tell({ kind: "back" });
}
