// Sets what no keyboard types the same everywhere: dates, times, colours, ranges.
const [one, value] = arguments;
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(one, value);
one.dispatchEvent(new Event("input", { bubbles: true }));
one.dispatchEvent(new Event("change", { bubbles: true }));
