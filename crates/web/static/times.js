// @ts-check
// Relative times and the clock in the bar, kept current by the server's clock, in the same words as the server's (`when.rs`).

/** What says another time each second. */
export const PASSING = "time[data-ago], time[data-left], time[data-since]";

/** @param {number} seconds */
function span(seconds) {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6_000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/**
 * @param {number} distance seconds since the moment; negative when it is to come
 */
export function relative(distance) {
  if (Math.abs(distance) < 2) return "now";
  return distance > 0 ? `${span(distance)} ago` : `in ${span(-distance)}`;
}

/**
 * How long something takes, as `length` in `when.rs` says it, in whole seconds.
 * @param {number} seconds
 */
function length(seconds) {
  if (seconds < 120) return `${Math.max(0, seconds)} s`;
  const rest = seconds % 60;
  return rest === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${rest} s`;
}

/** The server's clock now, in milliseconds. */
export function serverNow() {
  const { now, read } = document.body.dataset;
  const said = Date.parse(now ?? "");
  return Number.isNaN(said) || !read ? Date.now() : said + (Date.now() - Number(read));
}

/** Says every relative time anew, and what time it is. */
export function say() {
  const now = serverNow();
  const clock = document.querySelector("[data-clock]");
  const time = `${new Date(now).toISOString().slice(11, 16)} UTC`;
  if (clock && clock.textContent !== time) clock.textContent = time;
  for (const node of document.querySelectorAll(PASSING)) {
    const at = Date.parse(node.getAttribute("datetime") ?? "");
    if (Number.isNaN(at)) continue;
    const passed = Math.floor((now - at) / 1_000);
    const words = node.hasAttribute("data-ago") ? relative(passed) : length(node.hasAttribute("data-left") ? -passed : passed);
    if (node.textContent !== words) node.textContent = words;
  }
}

export function start() {
  document.body.dataset.read = String(Date.now());
  setInterval(() => {
    if (!document.hidden) say();
  }, 1_000);
}
