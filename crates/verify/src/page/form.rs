//! A form as a browser reads it: which controls are sent, and what a person can put into each. A field that the page
//! does not offer, or a choice that it does not list, is an error: nobody sends here what no person could.

use crate::obstacle::{Obstacle, Taken};
use reqwest::Method;
use scraper::{ElementRef, Html, Selector};
use url::Url;

/// A form, ready to be filled in.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent.
    pub action: String,
    /// GET or POST.
    pub method: Method,
    controls: Vec<Control>,
}

#[derive(Debug, Clone)]
struct Control {
    name: String,
    kind: Kind,
    /// Whether a person can change it.
    editable: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    Text(String),
    /// A checkbox or one radio button: its value, and whether it is on.
    Switch {
        value: String,
        on: bool,
        radio: bool,
    },
    /// The values that can be chosen, and those that are.
    Select {
        options: Vec<String>,
        chosen: Vec<String>,
        many: bool,
    },
    /// The button that was pressed.
    Button(String),
}

impl Form {
    /// Reads the form that `element` is, or that it is a button of.
    pub(super) fn read(document: &Html, element: ElementRef<'_>, page: &Url) -> Taken<Self> {
        let is_form = element.value().name() == "form";
        let form = if is_form {
            element
        } else {
            owner(document, element).ok_or_else(|| Obstacle::missing("it belongs to no form"))?
        };
        let button = (!is_form).then_some(element);
        if let Some(button) = button {
            let kind = button.value().attr("type").unwrap_or("submit").to_ascii_lowercase();
            if !["submit", "image"].contains(&kind.as_str()) {
                return Err(Obstacle::unusable("it is a button that sends nothing"));
            }
            if button.value().attr("disabled").is_some() {
                return Err(Obstacle::unusable("the button is disabled"));
            }
        }
        let setting = |name: &str| {
            let by_button = button.and_then(|button| button.value().attr(&format!("form{name}")));
            by_button.or_else(|| form.value().attr(name)).filter(|value| !value.is_empty())
        };
        let method = match setting("method").unwrap_or("get").to_ascii_lowercase().as_str() {
            "get" => Method::GET,
            "post" => Method::POST,
            other => return Err(Obstacle::unusable(format!("its method is {other}"))),
        };
        let encoding = setting("enctype").unwrap_or("application/x-www-form-urlencoded");
        if encoding != "application/x-www-form-urlencoded" {
            return Err(Obstacle::unusable(format!("it is sent as {encoding}, which is not played here")));
        }
        let action = setting("action").map_or_else(|| page.to_string(), str::to_owned);
        let every = Selector::parse("input, textarea, select, button").expect("a selector of four plain names");
        let controls: Vec<Control> = document
            .select(&every)
            .filter(|control| owner(document, *control).is_some_and(|owner| owner.id() == form.id()))
            .filter_map(|element| match button {
                // The button that was pressed is sent, in its place; others are not.
                Some(pressed) if pressed.id() == element.id() => {
                    let name = element.value().attr("name").filter(|name| !name.is_empty())?.to_owned();
                    let value = element.value().attr("value").unwrap_or_default().to_owned();
                    Some(Control { name, kind: Kind::Button(value), editable: false })
                }
                _ => control(element),
            })
            .collect();
        Ok(Self { action, method, controls })
    }

    /// Fills a field in, as a person can: text into a text field; one of the offered values into a choice, several with
    /// commas between where several can be chosen; `on` or `off` into a checkbox. Hidden fields are not a person's.
    pub fn set(&mut self, name: &str, value: &str) -> Taken<()> {
        let names: Vec<&str> = self.controls.iter().map(|control| control.name.as_str()).collect();
        if !names.contains(&name) {
            return Err(Obstacle::missing(format!("the form has no field {name}; it has {names:?}")));
        }
        // A list over several pages keeps what was ticked elsewhere beside its boxes.
        let is_box = |control: &Control| control.editable && matches!(control.kind, Kind::Switch { .. });
        let has_boxes = self.controls.iter().any(|control| control.name == name && is_box(control));
        let mut done = false;
        for control in self.controls.iter_mut().filter(|control| control.name == name) {
            if !control.editable && has_boxes {
                continue;
            }
            if !control.editable {
                return Err(Obstacle::unusable(format!("nobody can change the field {name}")));
            }
            match &mut control.kind {
                Kind::Text(text) => {
                    if done {
                        return Err(Obstacle::unusable(format!("there are several fields {name}")));
                    }
                    value.clone_into(text);
                    done = true;
                }
                Kind::Switch { value: own, on, radio: true } => {
                    *on = own == value;
                    done |= *on;
                }
                Kind::Switch { value: own, on, radio: false } if own == value || ["on", "off"].contains(&value) => {
                    *on = value != "off";
                    done = true;
                }
                Kind::Switch { .. } | Kind::Button(_) => {}
                Kind::Select { options, chosen, many } => {
                    *chosen =
                        if *many { value.split(',').map(str::to_owned).collect() } else { vec![value.to_owned()] };
                    chosen.retain(|one| !(*many && one.is_empty()));
                    let missing = chosen.iter().find(|one| !options.contains(one));
                    if missing.is_some() {
                        return Err(Obstacle::unusable(format!("{name} offers no {missing:?}, but {options:?}")));
                    }
                    done = true;
                }
            }
        }
        if !done {
            return Err(Obstacle::unusable(format!("the field {name} cannot become {value:?}")));
        }
        Ok(())
    }

    /// What a field holds now; `None` when there is none or it is not sent.
    pub fn value(&self, name: &str) -> Option<String> {
        self.fields().into_iter().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The values that a choice offers.
    pub fn options(&self, name: &str) -> Vec<String> {
        let mut offered = Vec::new();
        for control in self.controls.iter().filter(|control| control.name == name) {
            match &control.kind {
                Kind::Select { options, .. } => offered.extend(options.iter().cloned()),
                Kind::Switch { value, .. } => offered.push(value.clone()),
                _ => {}
            }
        }
        offered
    }

    /// Everything that is sent, in the page's order.
    pub fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        for Control { name, kind, .. } in &self.controls {
            match kind {
                Kind::Text(value) | Kind::Button(value) | Kind::Switch { value, on: true, .. } => {
                    fields.push((name.clone(), with_line_ends(value)));
                }
                Kind::Switch { .. } => {}
                Kind::Select { chosen, .. } => {
                    fields.extend(chosen.iter().map(|value| (name.clone(), value.clone())));
                }
            }
        }
        fields
    }
}

/// Browsers send every line end as CR LF.
fn with_line_ends(value: &str) -> String {
    value.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

/// The form that a control belongs to: by its `form` attribute, or by standing in it.
fn owner<'a>(document: &'a Html, control: ElementRef<'a>) -> Option<ElementRef<'a>> {
    if let Some(id) = control.value().attr("form") {
        let forms = Selector::parse("form").expect("a selector of one plain name");
        return document.select(&forms).find(|form| form.value().attr("id") == Some(id));
    }
    control.ancestors().filter_map(ElementRef::wrap).find(|ancestor| ancestor.value().name() == "form")
}

fn control(element: ElementRef<'_>) -> Option<Control> {
    let attribute = |name: &str| element.value().attr(name);
    let name = attribute("name").filter(|name| !name.is_empty())?.to_owned();
    let in_disabled = element
        .ancestors()
        .filter_map(ElementRef::wrap)
        .any(|one| one.value().name() == "fieldset" && one.value().attr("disabled").is_some());
    if attribute("disabled").is_some() || in_disabled {
        return None;
    }
    let mut editable = attribute("readonly").is_none();
    let kind = match element.value().name() {
        // The first line end after the tag is not part of it.
        "textarea" => {
            let text: String = element.text().collect();
            Kind::Text(text.strip_prefix('\n').unwrap_or(&text).to_owned())
        }
        "select" => select(element),
        "button" => return None,
        _ => match attribute("type").unwrap_or("text").to_ascii_lowercase().as_str() {
            "submit" | "button" | "reset" | "image" | "file" => return None,
            kind @ ("checkbox" | "radio") => Kind::Switch {
                value: attribute("value").unwrap_or("on").to_owned(),
                on: attribute("checked").is_some(),
                radio: kind == "radio",
            },
            kind => {
                editable &= kind != "hidden";
                Kind::Text(attribute("value").unwrap_or_default().to_owned())
            }
        },
    };
    Some(Control { name, kind, editable })
}

fn select(element: ElementRef<'_>) -> Kind {
    let many = element.value().attr("multiple").is_some();
    let every = Selector::parse("option").expect("a selector of one plain name");
    let mut options = Vec::new();
    let mut chosen = Vec::new();
    for option in element.select(&every).filter(|option| option.value().attr("disabled").is_none()) {
        let text = || option.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
        let value = option.value().attr("value").map_or_else(text, str::to_owned);
        if option.value().attr("selected").is_some() {
            chosen.push(value.clone());
        }
        options.push(value);
    }
    if !many {
        // One is always chosen: the last that says so, else the first.
        chosen = chosen.pop().or_else(|| options.first().cloned()).into_iter().collect();
    }
    Kind::Select { options, chosen, many }
}
