// Brings an element into view, and says why a person cannot use it, if so.
const one = arguments[0];
const tell = (what) => {
  const id = what.id ? "#" + what.id : "";
  const sort = [...what.classList].map((name) => "." + name).join("");
  const text = (what.textContent || "").split(/\s+/).filter(Boolean).join(" ").slice(0, 60);
  return what.localName + id + sort + (text ? " “" + text + "”" : "");
};
if (one.matches(":disabled") || one.getAttribute("aria-disabled") === "true") return "it is disabled";
if (!one.checkVisibility({ visibilityProperty: true })) return "it is not shown";
one.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
if (getComputedStyle(one).pointerEvents === "none") return "it takes no clicks (pointer-events: none)";
const box = one.getClientRects()[0];
if (!box || !box.width || !box.height) return "it has no size";
const left = Math.max(0, box.left), right = Math.min(innerWidth, box.right);
const top = Math.max(0, box.top), bottom = Math.min(innerHeight, box.bottom);
if (left >= right || top >= bottom) return "it lies outside of the window";
const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
if (hit && hit !== one && !one.contains(hit)) return "it is covered by " + tell(hit);
return null;
