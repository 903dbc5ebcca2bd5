//! Reads values out of objects, leniently: types are the schema's business, and zero is absent.

use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// A text that is not empty, by JSON pointer.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// A list; empty when there is none.
pub(super) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list with their places.
pub(super) fn texts<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (usize, &'v str)> + use<'v> {
    list(value, pointer).iter().enumerate().filter_map(|(n, item)| Some((n, item.as_str()?)))
}

/// The entries of a map; none when there is none.
pub(super) fn entries<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v String, &'v Value)> + use<'v> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

/// A number that is not zero.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64().filter(|number| *number != 0)
}

/// Whether a flag is set.
pub(super) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// Whether something other than null stands there.
pub(super) fn is_there(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(|value| !value.is_null())
}

/// An IPv4 network, as written.
pub(super) fn net(text: &str) -> Option<Ipv4Net> {
    text.parse().ok()
}

/// An IPv4 address.
pub(super) fn address(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// Whether two networks share an address.
pub(super) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.trunc()) || b.contains(&a.trunc())
}

/// The first two of some networks that overlap.
pub(super) fn first_overlap(nets: &[Ipv4Net]) -> Option<(Ipv4Net, Ipv4Net)> {
    nets.iter().enumerate().find_map(|(n, a)| nets[..n].iter().find(|b| overlap(*a, **b)).map(|b| (*b, *a)))
}

/// The name of a VPC's IPv4 namespace or VLAN namespace, with its default.
pub(super) fn namespace_of<'v>(value: &'v Value, pointer: &str) -> &'v str {
    text(value, pointer).unwrap_or("default")
}

/// The ranges of a VLAN namespace; `to` is `from` when it is not given.
pub(super) fn vlan_ranges(value: &Value) -> Vec<(i64, i64)> {
    list(value, "/spec/ranges")
        .iter()
        .map(|range| {
            let from = number(range, "/from").unwrap_or(0);
            (from, number(range, "/to").unwrap_or(from))
        })
        .collect()
}

/// Whether a VLAN is in one of some ranges.
pub(super) fn in_ranges(vlan: i64, ranges: &[(i64, i64)]) -> bool {
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&vlan))
}
