// What has come of it: nothing yet, an answer, none, or another page that knows of no request.
const asked = window.hedgerowAsked;
if (!asked) return "left";
if (asked.readyState !== XMLHttpRequest.DONE) return null;
if (!asked.status) return { error: "the request ended without an answer" };
const lines = asked.getAllResponseHeaders().split("\r\n").filter(Boolean);
const headers = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
return { status: asked.status, url: asked.responseURL, headers, body: asked.responseText };
