//! Wiring as a person writes it, before the installer fills in addresses and AS numbers. A running cluster needs them:
//! its webhooks refuse switches and gateways without, and links without break the fabric. What is live already is
//! carried over and is not missed.

use super::read::{entries, list, number, text};
use super::world::{Found, Object};
use crate::path::Path;
use serde_json::Value;

pub(super) fn check(object: &Object<'_>, out: &mut Found) {
    match object.kind {
        "Switch" => switch(object, out),
        "Connection" => connection(object, out),
        "Gateway" => gateway(object, out),
        _ => {}
    }
}

fn say(object: &Object<'_>, missing: &[Path], out: &mut Found) {
    if let Some(first) = missing.first() {
        let list: Vec<String> = missing.iter().map(|path| path.to_string()).collect();
        let message = format!(
            "{} is not hydrated: {} {} not given, and the cluster does not have the object with {} either. Take the installed wiring from the cluster, or fill it in.",
            object.title(),
            list.join(", "),
            if list.len() == 1 { "is" } else { "are" },
            if list.len() == 1 { "it" } else { "them" }
        );
        out.error(object, first, "unhydrated", message);
    }
}

fn spec(key: &str) -> Path {
    Path::root().join("spec").join(key)
}

fn switch(object: &Object<'_>, out: &mut Found) {
    let value = &object.value;
    let mut missing = Vec::new();
    if number(value, "/spec/asn").is_none() {
        missing.push(spec("asn"));
    }
    for key in ["ip", "protocolIP"] {
        if text(value, &format!("/spec/{key}")).is_none() {
            missing.push(spec(key));
        }
    }
    let is_leaf = text(value, "/spec/role").is_some_and(|role| role.ends_with("leaf"));
    if is_leaf && text(value, "/spec/vtepIP").is_none() {
        missing.push(spec("vtepIP"));
    }
    say(object, &missing, out);
}

fn connection(object: &Object<'_>, out: &mut Found) {
    let mut missing = Vec::new();
    for variant in ["fabric", "mesh", "gateway"] {
        for (n, link) in list(&object.value, &format!("/spec/{variant}/links")).iter().enumerate() {
            let ends: Vec<(&String, &Value)> = entries(link, "").collect();
            // A single address is another mistake, and is said of connections.
            if !ends.iter().any(|(_, end)| text(end, "/ip").is_some()) {
                missing.push(spec(variant).join("links").join(n));
            }
        }
    }
    if missing.is_empty() {
        return;
    }
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let message = format!(
        "{} is not hydrated: {} no addresses, and the cluster does not have any for these ports either. Take the installed wiring from the cluster, or fill them in.",
        object.title(),
        if list.len() == 1 { format!("{} has", list[0]) } else { format!("{} have", list.join(", ")) }
    );
    out.error(object, &missing[0], "unhydrated", message);
}

fn gateway(object: &Object<'_>, out: &mut Found) {
    let value = &object.value;
    let mut missing = Vec::new();
    for key in ["protocolIP", "vtepIP", "vtepMAC"] {
        if text(value, &format!("/spec/{key}")).is_none() {
            missing.push(spec(key));
        }
    }
    if number(value, "/spec/asn").is_none() {
        missing.push(spec("asn"));
    }
    if list(value, "/spec/neighbors").is_empty() {
        missing.push(spec("neighbors"));
    }
    for (name, interface) in entries(value, "/spec/interfaces") {
        if list(interface, "/ips").is_empty() {
            missing.push(spec("interfaces").join(name.as_str()).join("ips"));
        }
    }
    say(object, &missing, out);
}
