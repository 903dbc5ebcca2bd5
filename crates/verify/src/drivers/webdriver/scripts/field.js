// What a field is, so that it is filled as a person fills it.
const one = arguments[0];
const text = (option) => option.text.split(/\s+/).filter(Boolean).join(" ");
return {
  tag: one.localName,
  type: one.localName === "input" ? one.type : "",
  checked: !!one.checked,
  own: one.value === undefined ? "" : one.matches("[type=checkbox], [type=radio]") ? one.value : "",
  readonly: !!one.readOnly,
  multiple: !!one.multiple,
  editable: one.isContentEditable,
  options: one.localName === "select"
    ? [...one.options].map((option) => ({ value: option.value, text: text(option), chosen: option.selected, disabled: option.disabled }))
    : [],
};
