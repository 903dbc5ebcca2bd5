//! The built-in switch profiles: facts about each model, from a compact table to SwitchProfile objects. The fabric
//! controller creates them at start; nobody else may.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

#[derive(Deserialize)]
struct Table {
    profiles: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    display_name: String,
    #[serde(default)]
    other_names: Vec<String>,
    silicon: String,
    platform: String,
    nos_type: String,
    notes: Option<String>,
    max_ports: Option<u32>,
    features: Vec<String>,
    #[serde(rename = "maxPathsEBGP")]
    max_paths_ebgp: Option<u32>,
    /// Annotation with the ports in one line; some models have none.
    summary: Option<String>,
    onie: String,
    pipelines: Option<String>,
    port_groups: Option<String>,
    port_profiles: BTreeMap<String, String>,
    ports: Vec<String>,
}

static PROFILES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    match serde_saphyr::from_str::<Table>(include_str!("../assets/profiles.yaml")) {
        Ok(table) => table.profiles.iter().map(object).collect(),
        // The table is part of the program; the test below reads all of it.
        Err(error) => unreachable!("assets/profiles.yaml: {error}"),
    }
});

/// All built-in SwitchProfiles, as objects of namespace `default`.
pub fn built_in() -> &'static [Value] {
    &PROFILES
}

/// The built-in SwitchProfile of that name.
pub fn find(name: &str) -> Option<&'static Value> {
    PROFILES.iter().find(|p| p["metadata"]["name"] == name)
}

fn object(entry: &Entry) -> Value {
    let mut spec = json!({
        "displayName": entry.display_name,
        "switchSilicon": entry.silicon,
        "platform": entry.platform,
        "nosType": entry.nos_type,
        "features": entry.features.iter().map(|f| (f.clone(), json!(true))).collect::<Map<_, _>>(),
        "config": entry.max_paths_ebgp.map_or(json!({}), |n| json!({"maxPathsEBGP": n})),
        "portProfiles": entry.port_profiles.iter().map(|(n, t)| (n.clone(), port_profile(t))).collect::<Map<_, _>>(),
        "ports": ports(entry),
    });
    if !entry.other_names.is_empty() {
        spec["otherNames"] = json!(entry.other_names);
    }
    if let Some(notes) = &entry.notes {
        spec["notes"] = json!(notes);
    }
    if let Some(max) = entry.max_ports {
        spec["maxPorts"] = json!(max);
    }
    if let Some((count, max)) = entry.pipelines.as_deref().and_then(times) {
        let max: u32 = max.parse().unwrap_or_default();
        spec["pipelines"] = (1..=count).map(|i| (i.to_string(), json!({"maxPorts": max}))).collect();
    }
    if let Some((count, profile)) = entry.port_groups.as_deref().and_then(times) {
        spec["portGroups"] =
            (1..=count).map(|i| (i.to_string(), json!({"nos": i.to_string(), "profile": profile}))).collect();
    }
    let mut metadata = json!({"name": entry.name, "namespace": "default"});
    if let Some(summary) = &entry.summary {
        metadata["annotations"] = json!({"fabric.githedgehog.com/ports": summary});
    }
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "SwitchProfile", "metadata": metadata, "spec": spec})
}

/// `8 x 18`.
fn times(text: &str) -> Option<(u32, &str)> {
    let (count, what) = text.split_once(" x ")?;
    Some((count.parse().ok()?, what))
}

fn port_profile(text: &str) -> Value {
    let mut profile = json!({});
    for word in text.split(' ') {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "breakout" => {
                let modes: Vec<(&str, Vec<&str>)> = value
                    .split(',')
                    .filter_map(|m| m.split_once(':'))
                    .map(|(mode, offsets)| (mode, offsets.split('.').collect()))
                    .collect();
                let default = modes.first().map_or("", |(mode, _)| mode);
                let supported: Map<String, Value> =
                    modes.iter().map(|(m, offsets)| ((*m).to_owned(), json!({"offsets": offsets}))).collect();
                profile["breakout"] = json!({"default": default, "supported": supported});
            }
            "speed" => {
                let (default, supported) = value.split_once(':').unwrap_or((value, value));
                let supported: Vec<&str> = supported.split(',').collect();
                profile["speed"] = json!({"default": default, "supported": supported});
            }
            _ => {
                profile["autoNegAllowed"] = json!(true);
                if value == "default" {
                    profile["autoNegDefault"] = json!(true);
                }
            }
        }
    }
    profile
}

fn ports(entry: &Entry) -> Map<String, Value> {
    let mut all = Map::new();
    for line in &entry.ports {
        let mut words = line.split(' ');
        let range = words.next().and_then(|w| w.strip_prefix("E1/")).unwrap_or_default();
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().unwrap_or(1), last.parse().unwrap_or(0));
        let values: Vec<(&str, &str)> = words.filter_map(|w| w.split_once('=')).collect();
        for (i, number) in (first..=last).enumerate() {
            let port = values.iter().map(|(k, v)| ((*k).to_owned(), json!(counted(v, i)))).collect();
            all.insert(format!("E1/{number}"), Value::Object(port));
        }
    }
    all.insert("M1".to_owned(), json!({"management": true, "nos": "Management0", "oniePortName": entry.onie}));
    all
}

/// The value of the port at place `i` of a range.
fn counted(value: &str, i: usize) -> String {
    let Some((prefix, rule)) = value.split_once('@') else { return value.to_owned() };
    let Some(at) = rule.find(['+', '/']) else { return value.to_owned() };
    let (start, step) = (&rule[..at], rule[at + 1..].parse::<usize>().unwrap_or(1));
    let block: Vec<usize> = start.split(',').filter_map(|n| n.parse().ok()).collect();
    let Some(&first) = block.get(i % block.len().max(1)) else { return value.to_owned() };
    let n = if rule[at..].starts_with('/') { first + i / step } else { first + i / block.len() * step };
    format!("{prefix}{n}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_rules() {
        let along = |rule: &str| (0..6).map(|i| counted(rule, i)).collect::<Vec<_>>().join(" ");
        assert_eq!(along("Ethernet@0+4"), "Ethernet0 Ethernet4 Ethernet8 Ethernet12 Ethernet16 Ethernet20");
        assert_eq!(along("@1/4"), "1 1 1 1 2 2");
        assert_eq!(along("@1,2,2,1+2"), "1 2 2 1 3 4");
        assert_eq!(along("SFP28-25G"), ["SFP28-25G"; 6].join(" "));
    }

    #[test]
    fn every_port_has_a_profile() {
        assert_eq!(built_in().len(), 16);
        for object in built_in() {
            let spec = &object["spec"];
            for (name, port) in spec["ports"].as_object().unwrap() {
                if port["management"] == true {
                    continue;
                }
                let profile = port["profile"].as_str().unwrap_or_else(|| {
                    spec["portGroups"][port["group"].as_str().unwrap()]["profile"].as_str().unwrap()
                });
                assert!(spec["portProfiles"][profile].is_object(), "{} {name}", object["metadata"]["name"]);
            }
        }
    }
}
