// Asks as a script of the page does.
const [method, address, headers, body, patience] = arguments;
const done = arguments[arguments.length - 1];
const options = { method, headers, redirect: "follow", credentials: "same-origin", signal: AbortSignal.timeout(patience) };
if (body !== null && method !== "GET" && method !== "HEAD") options.body = body;
fetch(address, options)
  .then(async (answer) => done({ status: answer.status, url: answer.url, headers: [...answer.headers], body: await answer.text() }))
  .catch((error) => done({ error: String(error && error.message || error), timed_out: !!error && error.name === "TimeoutError" }));
