// A form of somebody else's page.
const [address, fields] = arguments;
const form = document.createElement("form");
form.method = "post";
form.action = address;
for (const [name, value] of fields) {
  const field = document.createElement("input");
  field.type = "hidden";
  field.name = name;
  field.value = value;
  form.append(field);
}
const button = document.createElement("button");
button.textContent = "Send";
form.append(button);
document.body.append(form);
return button;
