//! What the mutating webhooks fill in, sort and drop.

use super::{FabricSettings, fields, net};
use fields::{is_zero, object_mut, set_if_zero, sort_texts};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

/// Applies the defaults of a kind to an object, in place.
pub(super) fn apply(kind: &str, object: &mut Value, _settings: &FabricSettings) {
    let Some(fields) = object.as_object_mut() else { return };
    if let Some(metadata) = object_mut(fields, "metadata") {
        set_if_zero(metadata, "namespace", "default");
    }
    let Some(spec) = object_mut(fields, "spec") else { return };
    match kind {
        "VPC" => vpc(spec),
        "VPCAttachment" => {
            if let Some(subnet) = spec.get("subnet").and_then(Value::as_str)
                && !subnet.is_empty()
                && !subnet.contains('/')
            {
                let full = format!("{subnet}/default");
                spec.insert("subnet".to_owned(), full.into());
            }
        }
        "IPv4Namespace" => sort_texts(spec.get_mut("subnets")),
        "VLANNamespace" => vlan_namespace(spec),
        "Switch" => switch(spec),
        "External" => set_if_zero(spec, "ipv4Namespace", "default"),
        "ExternalPeering" => {
            let Some(permit) = spec.get_mut("permit") else { return };
            sort_texts(permit.pointer_mut("/vpc/subnets"));
            if let Some(Value::Array(prefixes)) = permit.pointer_mut("/external/prefixes") {
                prefixes.sort_by(|a, b| a["prefix"].as_str().cmp(&b["prefix"].as_str()));
            }
        }
        "Gateway" => gateway(spec),
        "GatewayPeering" => gateway_peering(spec),
        _ => {}
    }
}

fn vpc(spec: &mut Map<String, Value>) {
    set_if_zero(spec, "ipv4Namespace", "default");
    set_if_zero(spec, "vlanNamespace", "default");
    for subnet in spec.get_mut("subnets").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(subnet) = subnet.as_object_mut() {
            vpc_subnet(subnet);
        }
    }
}

fn vpc_subnet(subnet: &mut Map<String, Value>) {
    let Some(block) = subnet.get("subnet").and_then(Value::as_str).and_then(net::cidr) else { return };
    let at = |offset: u32| Ipv4Addr::from(u32::from(block.network()).saturating_add(offset)).to_string();
    if subnet.get("hostBGP").is_none_or(is_zero) {
        set_if_zero(subnet, "gateway", at(1));
    }
    if block.prefix_len() > 30 {
        return;
    }
    let Some(dhcp) = subnet.get_mut("dhcp").and_then(Value::as_object_mut) else { return };
    if dhcp.get("enable").is_none_or(is_zero) {
        dhcp.shift_remove("range");
        dhcp.shift_remove("options");
        return;
    }
    if let Some(range) = object_mut(dhcp, "range") {
        set_if_zero(range, "start", at(2));
        set_if_zero(range, "end", block.broadcast().to_string());
    }
    if let Some(options) = dhcp.get_mut("options") {
        match options.as_object_mut() {
            Some(options) if !options.values().all(is_zero) => dhcp_options(options),
            // Nothing but zero values: dropped, and the MAC addresses below stay as they were written.
            _ => {
                dhcp.shift_remove("options");
                return;
            }
        }
    }
    if let Some(Value::Object(hosts)) = dhcp.get_mut("static") {
        let named = std::mem::take(hosts);
        hosts.extend(named.into_iter().map(|(mac, host)| (net::mac(&mac).unwrap_or(mac), host)));
    }
}

fn dhcp_options(options: &mut Map<String, Value>) {
    set_if_zero(options, "interfaceMTU", 9036);
    set_if_zero(options, "leaseTimeSeconds", 3600);
    for list in ["dnsServers", "timeServers"] {
        set_if_zero(options, list, json!([]));
        sort_texts(options.get_mut(list));
    }
    if let Some(Value::Array(routes)) = options.get_mut("advertisedRoutes") {
        let key = |r: &Value| (fields::text(r, "/destination").to_owned(), fields::text(r, "/gateway").to_owned());
        routes.sort_by_key(key);
    }
}

/// An invalid range makes the webhook forget all ranges, as the real one does: the list is stored empty.
fn vlan_namespace(spec: &mut Map<String, Value>) {
    let Some(Value::Array(ranges)) = spec.get_mut("ranges") else { return };
    for range in ranges.iter_mut().filter_map(Value::as_object_mut) {
        let from = range.get("from").cloned().unwrap_or(json!(0));
        set_if_zero(range, "to", from);
    }
    if ranges.iter().any(|r| vlan_range(r).is_none()) {
        spec.shift_remove("ranges");
        return;
    }
    ranges.sort_by_key(|r| fields::number(r, "/from"));
}

/// First and last VLAN of a range, when it is one.
pub(super) fn vlan_range(range: &Value) -> Option<(u16, u16)> {
    let (from, to) = (fields::number(range, "/from"), fields::number(range, "/to"));
    if 1 <= from && from <= to && to <= 4094 {
        Some((u16::try_from(from).ok()?, u16::try_from(to).ok()?))
    } else {
        None
    }
}

fn switch(spec: &mut Map<String, Value>) {
    for map in ["portSpeeds", "portGroupSpeeds"] {
        for value in spec.get_mut(map).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            if let Some(cut) = value.as_str().and_then(|v| v.strip_prefix("SPEED_")) {
                *value = json!(cut);
            }
        }
    }
    if spec.get("vlanNamespaces").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("vlanNamespaces".to_owned(), json!(["default"]));
    }
    let group = spec.get("redundancy").map(|r| fields::text(r, "/group").to_owned()).unwrap_or_default();
    if !group.is_empty() {
        let groups = spec.entry("groups").or_insert(Value::Null);
        if groups.is_null() {
            *groups = json!([]);
        }
        if let Some(groups) = groups.as_array_mut()
            && !groups.iter().any(|g| g == group.as_str())
        {
            groups.push(json!(group));
        }
    }
    sort_texts(spec.get_mut("groups"));
    sort_texts(spec.get_mut("vlanNamespaces"));
}

fn gateway(spec: &mut Map<String, Value>) {
    if let Some(logs) = object_mut(spec, "logs") {
        set_if_zero(logs, "default", "info");
        if logs.get("tags").and_then(Value::as_object).is_none_or(Map::is_empty) {
            logs.insert("tags".to_owned(), json!({"all": "info"}));
        }
        if let Some(limit) = logs.get_mut("rateLimit").and_then(Value::as_object_mut) {
            set_if_zero(limit, "burst", 50);
            set_if_zero(limit, "replenishPerSecond", 5);
        }
    }
    set_if_zero(spec, "workers", 4);
    match spec.get_mut("groups") {
        Some(Value::Array(groups)) if !groups.is_empty() => {
            groups.sort_by_key(|g| fields::text(g, "/name").to_owned());
        }
        _ => _ = spec.insert("groups".to_owned(), json!([{"name": "default"}])),
    }
}

fn gateway_peering(spec: &mut Map<String, Value>) {
    let Some(sides) = spec.get_mut("peering").and_then(Value::as_object_mut).filter(|s| s.len() == 2) else { return };
    for side in sides.values_mut() {
        for expose in side.get_mut("expose").and_then(Value::as_array_mut).into_iter().flatten() {
            for kind in ["masquerade", "portForward"] {
                if let Some(nat) = expose.get_mut("nat").and_then(|n| n.get_mut(kind)).and_then(Value::as_object_mut) {
                    set_if_zero(nat, "idleTimeout", "2m0s");
                    if let Some(canonical) = nat.get("idleTimeout").and_then(Value::as_str).and_then(go_duration) {
                        nat.insert("idleTimeout".to_owned(), canonical.into());
                    }
                }
            }
        }
    }
    set_if_zero(spec, "gatewayGroup", "default");
    if let Some(acl) = spec.get_mut("acl").and_then(Value::as_object_mut) {
        set_if_zero(acl, "default", "deny-unless-exposed");
        for rule in acl.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(rule) = rule.as_object_mut() {
                set_if_zero(rule, "scope", "flow");
            }
        }
    }
}

/// A duration of hours, minutes and seconds as Go writes it: `5m` and `300s` are `5m0s`.
fn go_duration(text: &str) -> Option<String> {
    let mut seconds = 0_u64;
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            'h' | 'm' | 's' => {
                let unit = match c {
                    'h' => 3600,
                    'm' => 60,
                    _ => 1,
                };
                seconds = seconds.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
                digits.clear();
            }
            _ => return None,
        }
    }
    if !digits.is_empty() {
        return None;
    }
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(match (h, m) {
        (0, 0) => format!("{s}s"),
        (0, _) => format!("{m}m{s}s"),
        _ => format!("{h}h{m}m{s}s"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_one_form() {
        for text in ["5m", "300s", "5m0s"] {
            assert_eq!(go_duration(text).as_deref(), Some("5m0s"));
        }
        assert_eq!(go_duration("90m").as_deref(), Some("1h30m0s"));
        assert_eq!(go_duration("1.5h"), None);
        assert_eq!(go_duration("5"), None);
    }
}
