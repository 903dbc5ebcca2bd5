// @ts-check
// Relative times and the clock in the bar, kept current by the server's clock, in the same words as the server's (`when.rs`).

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
  for (const node of document.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(node.getAttribute("datetime") ?? "");
    if (Number.isNaN(at)) continue;
    const words = relative(Math.floor((now - at) / 1_000));
    if (node.textContent !== words) node.textContent = words;
  }
}

export function start() {
  document.body.dataset.read = String(Date.now());
  setInterval(() => {
    if (!document.hidden) say();
  }, 1_000);
}
