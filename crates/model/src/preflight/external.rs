//! Externals and their attachments, by BGP or static.

use super::connection::variant_of;
use super::read::{address, first_overlap, flag, is_there, list, namespace_of, net, number, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{VPC, WIRING};
use crate::path::Path;
use serde_json::Value;
use std::collections::HashMap;

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let namespace = namespace_of(value, "/spec/ipv4Namespace");
    world.follow(object, "spec.ipv4Namespace", (VPC, "IPv4Namespace"), namespace, out);
    let is_static = is_there(value, "/spec/static");
    for key in ["inboundCommunity", "outboundCommunity"] {
        let Some(community) = text(value, &format!("/spec/{key}")) else { continue };
        let halves = community.split_once(':').map(|(a, b)| (a.parse::<u16>(), b.parse::<u16>()));
        if !matches!(halves, Some((Ok(_), Ok(_)))) {
            let message = format!("{title}: the community '{community}' is not two numbers up to 65535 with a colon.");
            out.error(object, format!("spec.{key}"), "not_allowed", message);
        }
        if is_static {
            let message = format!("{title} is static, and has no communities.");
            out.error(object, format!("spec.{key}"), "not_allowed", message);
        }
    }
    if is_static {
        let mut nets = Vec::new();
        for (n, prefix) in texts(value, "/spec/static/prefixes") {
            match net(prefix) {
                Some(net) => nets.push(net),
                None => {
                    let message = format!("{title}: '{prefix}' is no IPv4 prefix.");
                    out.error(object, format!("spec.static.prefixes[{n}]"), "not_a_prefix", message);
                }
            }
        }
        if list(value, "/spec/static/prefixes").is_empty() {
            let message = format!("{title} is static, and needs one prefix at least.");
            out.error(object, "spec.static.prefixes", "missing_field", message);
        }
        if let Some((a, b)) = first_overlap(&nets) {
            out.error(object, "spec.static.prefixes", "overlap", format!("{title}: {a} and {b} overlap."));
        }
    }
}

pub(super) fn check_attachment(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let mut named = |field: &str, kind| match text(value, &format!("/spec/{field}")) {
        Some(name) => world.follow(object, format!("spec.{field}"), kind, name, out),
        None => {
            out.error(object, format!("spec.{field}"), "missing_field", format!("{title} names no {field}."));
            None
        }
    };
    let external = named("external", (VPC, "External"));
    let connection = named("connection", (WIRING, "Connection"));
    if let Some(connection) = connection.filter(|c| variant_of(&c.value) != Some("external")) {
        let message = format!("{title}: connection {} is not of type external.", connection.name);
        out.error(object, "spec.connection", "not_allowed", message);
    }
    let is_static = is_there(value, "/spec/static");
    if let Some(external) = external
        && is_there(&external.value, "/spec/static") != is_static
    {
        let (mine, theirs) = if is_static { ("static", "by BGP") } else { ("by BGP", "static") };
        let message = format!("{title} is {mine}, and External {} is {theirs}.", external.name);
        out.error(object, "spec.external", "not_allowed", message);
    }
    if is_static {
        static_way(object, out)
    } else {
        bgp_way(object, out)
    }
    acl(object, out);
}

fn bgp_way(object: &Object<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let own = text(value, "/spec/switch/ip").unwrap_or_default();
    let own_net = net(own);
    if own_net.is_none() {
        let message = format!("{title}: switch.ip '{own}' is no address with a prefix length.");
        out.error(object, "spec.switch.ip", "not_a_prefix", message);
    }
    if number(value, "/spec/neighbor/asn").is_none() {
        out.error(
            object,
            "spec.neighbor.asn",
            "missing_field",
            format!("{title}: the neighbour's AS number is missing."),
        );
    }
    let neighbor = text(value, "/spec/neighbor/ip").unwrap_or_default();
    match address(neighbor) {
        None => {
            let message = format!("{title}: neighbor.ip '{neighbor}' is no address.");
            out.error(object, "spec.neighbor.ip", "not_an_address", message);
        }
        Some(ip) if own_net.is_some_and(|net| !net.contains(&ip)) => {
            let message = format!(
                "{title}: the neighbour {ip} is outside of {own}. The server does not look; the session will not come up."
            );
            out.warning(object, "spec.neighbor.ip", "not_inside", message);
        }
        Some(_) => {}
    }
}

fn static_way(object: &Object<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    for key in ["switch", "neighbor"] {
        let given = value.pointer(&format!("/spec/{key}")).and_then(Value::as_object);
        if given.is_some_and(|map| map.values().any(|v| !crate::normalise::scalar::is_zero(v))) {
            let message = format!("{title} is static; {key} is for BGP.");
            out.error(object, format!("spec.{key}"), "not_allowed", message);
        }
    }
    let remote = text(value, "/spec/static/remoteIP").unwrap_or_default();
    if address(remote).is_none() {
        out.error(
            object,
            "spec.static.remoteIP",
            "not_an_address",
            format!("{title}: remoteIP '{remote}' is no address."),
        );
    }
    match (text(value, "/spec/static/ip"), flag(value, "/spec/static/proxy")) {
        (Some(_), true) | (None, false) => {
            let message = format!("{title}: a static attachment has either an ip or proxy.");
            out.error(object, "spec.static", "not_allowed", message);
        }
        (Some(ip), false) if net(ip).is_none() => {
            let message = format!("{title}: static.ip '{ip}' is no address with a prefix length.");
            out.error(object, "spec.static.ip", "not_a_prefix", message);
        }
        _ => {}
    }
}

fn acl(object: &Object<'_>, out: &mut Found) {
    let title = object.title();
    let mut seen: Vec<i64> = Vec::new();
    for (n, statement) in list(&object.value, "/spec/inboundACL/statements").iter().enumerate() {
        let path = Path::root().join("spec").join("inboundACL").join("statements").join(n);
        let mut say = |field: &str, message: String| {
            out.error(object, path.child(field), "not_allowed", format!("{title}: {message}"));
        };
        let seq = number(statement, "/seq").unwrap_or(0);
        if seq < 10 {
            say("seq", format!("the sequence number {seq} is less than 10."));
        }
        if seen.contains(&seq) {
            say("seq", format!("the sequence number {seq} stands twice."));
        }
        seen.push(seq);
        let word = |field: &str| text(statement, &format!("/{field}")).unwrap_or_default();
        if !["permit", "deny", "discard", "transit"].contains(&word("action")) {
            say("action", format!("'{}' is not permit, deny, discard or transit.", word("action")));
        }
        let protocol = word("protocol");
        if !["ip", "tcp", "udp", "icmp"].contains(&protocol) {
            say("protocol", format!("'{protocol}' is not ip, tcp, udp or icmp."));
        }
        for field in ["srcPrefix", "dstPrefix"] {
            if word(field) != "any" && net(word(field)).is_none() {
                say(field, format!("'{}' is neither an IPv4 prefix nor any.", word(field)));
            }
        }
        let (begin, end) = (number(statement, "/portRangeBegin"), number(statement, "/portRangeEnd"));
        if begin.is_some() || end.is_some() {
            let range = (begin.unwrap_or(0), end.or(begin).unwrap_or(0));
            if !["tcp", "udp"].contains(&protocol) || range.0 < 1 || range.0 > range.1 || range.1 > 65_535 {
                say(
                    "portRangeBegin",
                    format!("ports {}–{} need tcp or udp, and lie between 1 and 65535.", range.0, range.1),
                );
            }
        }
        if is_there(statement, "/tcpFilters") && protocol != "tcp" {
            say("tcpFilters", "TCP filters need the protocol tcp.".to_owned());
        }
        for field in ["icmpType", "icmpCode"] {
            if is_there(statement, &format!("/{field}")) && protocol != "icmp" {
                say(field, format!("{field} needs the protocol icmp."));
            }
        }
    }
}

/// One VLAN of a connection belongs to one attachment; no VLAN counts as one.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let mut vlans: HashMap<(&str, i64), &Object<'_>> = HashMap::new();
    for object in world.all((VPC, "ExternalAttachment")) {
        let Some(connection) = text(&object.value, "/spec/connection") else { continue };
        let way = if is_there(&object.value, "/spec/static") { "static" } else { "switch" };
        let vlan = number(&object.value, &format!("/spec/{way}/vlan")).unwrap_or(0);
        if let Some(other) = vlans.insert((connection, vlan), object) {
            for (mine, other) in [(object, other), (other, object)] {
                let message = format!(
                    "{}: VLAN {vlan} of connection {connection} belongs to {} already.",
                    mine.title(),
                    other.title()
                );
                out.error(mine, format!("spec.{way}.vlan"), "vlan_used_twice", message);
            }
        }
    }
}
