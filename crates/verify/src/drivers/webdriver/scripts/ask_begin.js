// Begins what a script of the page would ask, in a page that calls no script back: no promise, no event, no timer.
const [method, address, headers, body, patience] = arguments;
const asked = new XMLHttpRequest();
asked.open(method, address);
asked.timeout = patience;
for (const [name, value] of headers) asked.setRequestHeader(name, value);
asked.send(method === "GET" || method === "HEAD" ? null : body);
window.hedgerowAsked = asked;
