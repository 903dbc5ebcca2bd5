//! Names, addresses and numbers: the checks that several kinds share.

use super::{Verdict, fields};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// What holds for every object: a name of the usual form, in namespace `default`.
pub(super) fn common(object: &Value) -> Verdict {
    let name = fields::name(object);
    if !is_dns_name(name) {
        return Err(format!("name {name} is not valid, must be lower-case letters, digits, '-' and '.'"));
    }
    let namespace = fields::text(object, "/metadata/namespace");
    if namespace != "default" {
        return Err(format!("namespace must be default, not {namespace}"));
    }
    Ok(())
}

/// Labels of lower-case letters, digits and inner dashes, joined by dots.
pub(super) fn is_dns_name(name: &str) -> bool {
    name.split('.').all(|label| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(label.chars().next())
            && edge(label.chars().last())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    })
}

/// Names of these kinds become parts of device names on the switch, which are short.
pub(super) fn short_name(object: &Value) -> Verdict {
    let name = fields::name(object);
    if name.len() > 11 { Err(format!("name {name} is too long, must be <= 11 characters")) } else { Ok(()) }
}

/// A CIDR, host bits allowed.
pub(super) fn cidr(text: &str) -> Option<Ipv4Net> {
    text.parse().ok()
}

/// An address with prefix length /32.
pub(super) fn host(text: &str) -> Option<Ipv4Addr> {
    cidr(text).filter(|net| net.prefix_len() == 32).map(|net| net.addr())
}

/// An address.
pub(super) fn ip(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// Whether two networks share an address.
pub(super) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

/// Whether all of `inner` lies in `outer`.
pub(super) fn within(inner: Ipv4Net, outer: Ipv4Net) -> bool {
    outer.prefix_len() <= inner.prefix_len() && outer.contains(&inner.network())
}

/// The first two that share an address.
pub(super) fn first_overlap(nets: &[Ipv4Net]) -> Option<(Ipv4Net, Ipv4Net)> {
    nets.iter().enumerate().find_map(|(i, a)| nets[i + 1..].iter().find(|b| overlap(*a, **b)).map(|b| (*a, *b)))
}

/// A MAC address in any of the usual forms, as lower-case letters with colons.
pub(super) fn mac(text: &str) -> Option<String> {
    let octets: Vec<String> = if text.contains('.') {
        let groups: Vec<&str> = text.split('.').collect();
        if groups.len() != 3 || groups.iter().any(|g| g.len() != 4 || !g.is_ascii()) {
            return None;
        }
        groups.iter().flat_map(|g| [g[..2].to_owned(), g[2..].to_owned()]).collect()
    } else {
        let separator = if text.contains('-') { '-' } else { ':' };
        text.split(separator).map(str::to_owned).collect()
    };
    if octets.len() != 6 || octets.iter().any(|o| o.len() != 2 || !o.chars().all(|c| c.is_ascii_hexdigit())) {
        return None;
    }
    Some(octets.join(":").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_in_every_form() {
        for text in ["AA-BB-CC-00-00-01", "aa:bb:cc:00:00:01", "aabb.cc00.0001"] {
            assert_eq!(mac(text).as_deref(), Some("aa:bb:cc:00:00:01"));
        }
        for text in ["zz", "aa:bb:cc:00:00", "aa:bb:cc:00:00:0g", "aabbcc000001", "aab.bcc.000001", ""] {
            assert_eq!(mac(text), None, "{text}");
        }
    }

    #[test]
    fn names() {
        assert!(is_dns_name("a.b-c.1"));
        for bad in ["", "A", "-a", "a-", "a..b", "a_b"] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }
}
