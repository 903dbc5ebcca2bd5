// What the accessible tree of a browser without DevTools is made of.
const sorts = "h1, h2, h3, a[href], button, input:not([type=hidden]), select, textarea, summary, dialog[open], [role]";
return [...document.querySelectorAll(sorts)].filter((one) => one.checkVisibility({ visibilityProperty: true })).slice(0, arguments[0]);
