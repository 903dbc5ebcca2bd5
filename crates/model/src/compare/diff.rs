//! The differences of two canonical trees, as leaf paths in the spelling of the manifest.

use crate::normalise::node::{Field, Fields, Item, List, Node};
use crate::path::{Path, Segment};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// One leaf that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Where it stands on the desired side, or on the live side when only there.
    pub path: Path,
    /// Where it stands on the live side, for managedFields; `None` when only on the desired side.
    pub live_path: Option<Path>,
    /// Where it stands in the canonical tree; the same for both sides and for the base.
    pub canonical: Path,
    /// The desired value as written.
    pub desired: Option<Value>,
    /// The live value as written.
    pub live: Option<Value>,
}

/// The leaves in which two trees differ. What Git leaves to the cluster and only the live side has is no difference.
pub(super) fn leaves(desired: &Fields<'_>, live: &Fields<'_>) -> Vec<Leaf> {
    let walk = |with_defaults| {
        let mut walk = Walk { with_defaults, ..Walk::default() };
        walk.maps(desired, live);
        walk.found
    };
    // A value that is a default on one side and absent on the other explains nothing: what it was derived from
    // differs as well. It is shown only when nothing else is left to show.
    if !differ(desired, live) {
        return Vec::new();
    }
    let written = walk(false);
    if written.is_empty() { walk(true) } else { written }
}

/// Whether two trees differ at all; allocates nothing.
fn differ(desired: &Fields<'_>, live: &Fields<'_>) -> bool {
    let mut pairs = Pairs::new(desired, live);
    pairs.any(|(d, l)| match (d, l) {
        (Some(d), Some(l)) => differ_nodes(&d.node, &l.node),
        (None, Some(l)) => !l.hydrated,
        _ => true,
    })
}

fn differ_nodes(desired: &Node<'_>, live: &Node<'_>) -> bool {
    match (desired, live) {
        (Node::Map(d), Node::Map(l)) => differ(d, l),
        (Node::List(d), Node::List(l)) => {
            d.items.len() != l.items.len() || d.items.iter().zip(&l.items).any(|(d, l)| differ_nodes(&d.node, &l.node))
        }
        (d, l) => !d.same(l),
    }
}

/// The fields of two maps side by side, by canonical key.
struct Pairs<'m, 'd, 'l> {
    desired: &'m [Field<'d>],
    live: &'m [Field<'l>],
}

impl<'m, 'd, 'l> Pairs<'m, 'd, 'l> {
    fn new(desired: &'m Fields<'d>, live: &'m Fields<'l>) -> Self {
        Self { desired: &desired.0, live: &live.0 }
    }
}

impl<'m, 'd, 'l> Iterator for Pairs<'m, 'd, 'l> {
    type Item = (Option<&'m Field<'d>>, Option<&'m Field<'l>>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.desired.first(), self.live.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(d), Some(l)) => d.key.cmp(&l.key),
        };
        let mut pair = (None, None);
        if order.is_le()
            && let Some((first, rest)) = self.desired.split_first()
        {
            pair.0 = Some(first);
            self.desired = rest;
        }
        if order.is_ge()
            && let Some((first, rest)) = self.live.split_first()
        {
            pair.1 = Some(first);
            self.live = rest;
        }
        Some(pair)
    }
}

#[derive(Default)]
struct Walk {
    desired: Path,
    live: Path,
    canonical: Path,
    with_defaults: bool,
    found: Vec<Leaf>,
}

impl Walk {
    fn at(&mut self, desired: Segment, live: Segment, canonical: Segment, act: impl FnOnce(&mut Self)) {
        self.desired.push(desired);
        self.live.push(live);
        self.canonical.push(canonical);
        act(self);
        self.desired.pop();
        self.live.pop();
        self.canonical.pop();
    }

    fn maps(&mut self, desired: &Fields<'_>, live: &Fields<'_>) {
        for (d, l) in Pairs::new(desired, live) {
            let key = |field: Option<&Field<'_>>, other: Option<&Field<'_>>| {
                let spelt = |f: &Field<'_>| f.source.map(|(key, _)| key.to_owned());
                let key = field.and_then(spelt).or_else(|| other.and_then(spelt));
                Segment::Key(key.or_else(|| d.or(l).map(|f| f.key.to_string())).unwrap_or_default())
            };
            let canonical = Segment::Key(d.or(l).map(|f| f.key.to_string()).unwrap_or_default());
            match (d, l) {
                (None, Some(l)) if l.hydrated => {}
                (Some(d), Some(l)) => {
                    if differ_nodes(&d.node, &l.node) {
                        self.at(key(Some(d), Some(l)), key(Some(l), Some(d)), canonical, |walk| {
                            walk.nodes(&d.node, d.source.map(|s| s.1), &l.node, l.source.map(|s| s.1));
                        });
                    }
                }
                (Some(d), None) => self.at(key(Some(d), None), key(Some(d), None), canonical, |walk| {
                    walk.one_side(&d.node, d.source.map(|s| s.1), true);
                }),
                (None, Some(l)) => self.at(key(Some(l), None), key(Some(l), None), canonical, |walk| {
                    walk.one_side(&l.node, l.source.map(|s| s.1), false);
                }),
                (None, None) => {}
            }
        }
    }

    fn nodes(&mut self, d: &Node<'_>, d_source: Option<&Value>, l: &Node<'_>, l_source: Option<&Value>) {
        match (d, l) {
            (Node::Map(d), Node::Map(l)) => self.maps(d, l),
            (Node::List(d), Node::List(l)) => self.lists(d, l),
            (d, l) => self.leaf(Some((d, d_source)), Some((l, l_source))),
        }
    }

    /// Lists item by item; of sets, what both have is set aside first, so that one item more is one difference.
    fn lists(&mut self, desired: &List<'_>, live: &List<'_>) {
        let (mut d, mut l): (Vec<_>, Vec<_>) =
            (desired.items.iter().map(Some).collect(), live.items.iter().map(Some).collect());
        if desired.set || live.set {
            for one in &mut d {
                if let Some(twin) =
                    l.iter_mut().find(|x| matches!((&one, x), (Some(a), Some(b)) if !differ_nodes(&a.node, &b.node)))
                {
                    (*one, *twin) = (None, None);
                }
            }
            d.retain(Option::is_some);
            l.retain(Option::is_some);
        }
        for n in 0..d.len().max(l.len()) {
            let (one, other) = (d.get(n).copied().flatten(), l.get(n).copied().flatten());
            let place = |item: Option<&Item<'_>>, other: Option<&Item<'_>>| {
                let source = |i: &Item<'_>| i.source.map(|s| s.0);
                Segment::Index(item.and_then(source).or_else(|| other.and_then(source)).unwrap_or(n))
            };
            self.at(place(one, other), place(other, one), Segment::Index(n), |walk| match (one, other) {
                (Some(d), Some(l)) => {
                    if differ_nodes(&d.node, &l.node) {
                        walk.nodes(&d.node, d.source.map(|s| s.1), &l.node, l.source.map(|s| s.1));
                    }
                }
                (Some(d), None) => walk.one_side(&d.node, d.source.map(|s| s.1), true),
                (None, Some(l)) => walk.one_side(&l.node, l.source.map(|s| s.1), false),
                (None, None) => {}
            });
        }
    }

    /// The leaves of what only one side has.
    fn one_side(&mut self, node: &Node<'_>, source: Option<&Value>, desired: bool) {
        match node {
            Node::Map(fields) if !fields.0.is_empty() => {
                let empty = Fields::default();
                if desired { self.maps(fields, &empty) } else { self.maps(&empty, fields) }
            }
            Node::List(list) => {
                for (n, item) in list.items.iter().enumerate() {
                    let place = Segment::Index(item.source.map_or(n, |s| s.0));
                    self.at(place.clone(), place, Segment::Index(n), |walk| {
                        walk.one_side(&item.node, item.source.map(|s| s.1), desired);
                    });
                }
            }
            leaf if desired => self.leaf(Some((leaf, source)), None),
            leaf => self.leaf(None, Some((leaf, source))),
        }
    }

    fn leaf(&mut self, d: Option<(&Node<'_>, Option<&Value>)>, l: Option<(&Node<'_>, Option<&Value>)>) {
        let value = |side: Option<(&Node<'_>, Option<&Value>)>| {
            let (node, source) = side?;
            match source {
                Some(written) => Some(Cow::Borrowed(written).into_owned()),
                None => self.with_defaults.then(|| node.to_value()),
            }
        };
        let (desired, live) = (value(d), value(l));
        if desired.is_none() && live.is_none() {
            return;
        }
        self.found.push(Leaf {
            path: if desired.is_some() { self.desired.clone() } else { self.live.clone() },
            live_path: live.is_some().then(|| self.live.clone()),
            canonical: self.canonical.clone(),
            desired,
            live,
        });
    }
}
