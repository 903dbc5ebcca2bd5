//! The accessible tree: what a screen reader is told. Chromium hands out its own; of Firefox, what can be pressed, filled
//! or jumped to is asked one by one. What stands in a field that is typed into is not written down.

use super::element::path;
use super::window::{Watch, Window};
use crate::obstacle::Taken;
use crate::redact::{HIDDEN, Redactor};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// How many elements of Firefox are asked at most.
const MOST: usize = 150;

/// Roles of fields that a person types into.
const TYPED: [&str; 3] = ["textbox", "searchbox", "spinbutton"];

/// Roles that say nothing: their children stand in their place.
const SILENT: [&str; 4] = ["none", "generic", "InlineTextBox", "presentation"];

impl Window {
    /// The accessible tree as it is now.
    pub(super) async fn tree(&mut self) -> Taken<Value> {
        match &self.watch {
            Watch::Chromium(_) => {
                self.wire.cdp("Accessibility.enable", json!({})).await?;
                let told = self.wire.cdp("Accessibility.getFullAXTree", json!({})).await?;
                // Kept on, it slows every page down.
                self.wire.cdp("Accessibility.disable", json!({})).await?;
                Ok(reduce(&told["nodes"], self.traffic.log().redactor()))
            }
            Watch::Firefox(_) => self.list().await,
        }
    }

    async fn list(&self) -> Taken<Value> {
        let elements = self.steady(include_str!("scripts/pressable.js"), json!([MOST])).await?;
        let redactor = self.traffic.log().redactor();
        let mut children = Vec::new();
        for element in elements.as_array().into_iter().flatten() {
            // One that left in between is not there.
            let role = self.wire.get(&format!("{}/computedrole", path(element))).await;
            let name = self.wire.get(&format!("{}/computedlabel", path(element))).await;
            if let (Ok(role), Ok(name)) = (role, name) {
                children.push(json!({"role": role, "name": redactor.text(name.as_str().unwrap_or_default())}));
            }
        }
        let title = self.wire.get("/title").await?;
        Ok(json!({"role": "document", "name": redactor.text(title.as_str().unwrap_or_default()), "children": children}))
    }
}

/// Chromium's nodes as a tree of role, name, value and children.
fn reduce(nodes: &Value, redactor: &Redactor) -> Value {
    let nodes: Vec<&Value> = nodes.as_array().into_iter().flatten().collect();
    let by_id: HashMap<&str, &Value> =
        nodes.iter().filter_map(|node| Some((node["nodeId"].as_str()?, *node))).collect();
    let mut trees = nodes.first().map(|root| branch(root, &by_id, redactor)).unwrap_or_default();
    if trees.len() == 1 { trees.remove(0) } else { Value::Array(trees) }
}

fn branch(node: &Value, by_id: &HashMap<&str, &Value>, redactor: &Redactor) -> Vec<Value> {
    let role = node["role"]["value"].as_str().unwrap_or_default();
    let typed = TYPED.contains(&role);
    let ids = node["childIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let children: Vec<Value> = if typed {
        Vec::new()
    } else {
        ids.filter_map(|id| by_id.get(id)).flat_map(|child| branch(child, by_id, redactor)).collect()
    };
    if node["ignored"] == true || SILENT.contains(&role) {
        return children;
    }
    let text = |value: &Value| match value {
        Value::String(text) => Some(redactor.text(text)),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    let mut reduced = Map::new();
    reduced.insert("role".into(), role.into());
    let name = text(&node["name"]["value"]).unwrap_or_default();
    let value = text(&node["value"]["value"]).filter(|value| !value.is_empty());
    let value = if typed { value.map(|_| HIDDEN.to_owned()) } else { value };
    for property in node["properties"].as_array().into_iter().flatten() {
        let sort = property["name"].as_str().unwrap_or_default();
        if ["disabled", "checked", "expanded", "busy", "modal", "invalid", "pressed", "selected"].contains(&sort) {
            let said = &property["value"]["value"];
            if *said != false && *said != "false" {
                reduced.insert(sort.to_owned(), said.clone());
            }
        }
    }
    reduced.insert("name".into(), name.clone().into());
    if let Some(value) = value {
        reduced.insert("value".into(), value.into());
    }
    // A text that is all that its element says has been said with the name.
    let repeats = matches!(&children[..], [one] if one["role"] == "StaticText" && one["name"] == name.as_str());
    if !children.is_empty() && !repeats {
        reduced.insert("children".into(), children.into());
    }
    vec![Value::Object(reduced)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_short_and_holds_nothing_typed() {
        let nodes = json!([
            {"nodeId": "1", "role": {"value": "RootWebArea"}, "name": {"value": "Login"}, "childIds": ["2", "5"]},
            {"nodeId": "2", "role": {"value": "generic"}, "ignored": true, "childIds": ["3"]},
            {"nodeId": "3", "role": {"value": "textbox"}, "name": {"value": "Name"}, "value": {"value": "ada"}, "childIds": ["4"]},
            {"nodeId": "4", "role": {"value": "StaticText"}, "name": {"value": "ada"}},
            {"nodeId": "5", "role": {"value": "button"}, "name": {"value": "Log in"}, "childIds": ["6"],
             "properties": [{"name": "disabled", "value": {"value": true}}, {"name": "focusable", "value": {"value": true}}]},
            {"nodeId": "6", "role": {"value": "StaticText"}, "name": {"value": "Log in"}},
        ]);
        let tree = reduce(&nodes, &Redactor::default());
        let wanted = json!({"role": "RootWebArea", "name": "Login", "children": [
            {"role": "textbox", "name": "Name", "value": HIDDEN},
            {"role": "button", "disabled": true, "name": "Log in"},
        ]});
        assert_eq!(tree, wanted);
    }
}
