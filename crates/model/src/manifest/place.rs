//! Where things stand in a document: a tree of positions beside the values, built only when a place is asked for.

use super::split::to_u32;
use crate::path::{Path, Segment};
use serde_saphyr::granit_parser::{Event, Parser};

/// A line and a column, both from 1 and relative to the document.
pub(super) type Position = (u32, u32);

/// Deeper documents are not followed; the parser refuses them long before.
const DEEPEST: usize = 512;

/// One node of a document, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Where the node begins; a mapping begins at its first key.
    pub at: Position,
    /// What it is.
    pub node: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A scalar as it is written, without its quotes.
    Scalar(String),
    /// Keys with where they stand, and values, in order; a key may stand twice.
    Map(Vec<(String, Position, Place)>),
    /// Items.
    List(Vec<Place>),
    /// A reference to an anchor, or something that has no place of its own.
    Other,
}

/// A key that stands twice in one mapping.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DuplicateKey {
    /// The path of the key.
    pub path: Path,
    /// Where it stands first.
    pub first: Position,
    /// Where it stands again.
    pub again: Position,
}

enum Open {
    Map { at: Position, entries: Vec<(String, Position, Place)>, key: Option<(String, Position)> },
    List { at: Position, items: Vec<Place> },
}

impl Place {
    /// The places of one document. `None` when it cannot be read.
    pub fn read(text: &str) -> Option<Self> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            let at = (to_u32(span.start.line()), to_u32(span.start.col()) + 1);
            let done = match event {
                Event::Scalar(text, ..) => Place { at, node: Node::Scalar(text.into_owned()) },
                Event::Alias(_) => Place { at, node: Node::Other },
                Event::MappingStart(..) => {
                    open.push(Open::Map { at, entries: Vec::new(), key: None });
                    if open.len() > DEEPEST { return None } else { continue }
                }
                Event::SequenceStart(..) => {
                    open.push(Open::List { at, items: Vec::new() });
                    if open.len() > DEEPEST { return None } else { continue }
                }
                Event::MappingEnd | Event::SequenceEnd => match open.pop()? {
                    Open::Map { at, entries, .. } => {
                        Place { at: entries.first().map_or(at, |(_, at, _)| *at), node: Node::Map(entries) }
                    }
                    Open::List { at, items } => Place { at, node: Node::List(items) },
                },
                _ => continue,
            };
            match open.last_mut() {
                None => {
                    root.get_or_insert(done);
                }
                Some(Open::List { items, .. }) => items.push(done),
                Some(Open::Map { entries, key, .. }) => match key.take() {
                    Some((key, at)) => entries.push((key, at, done)),
                    None => {
                        let at = done.at;
                        let text = if let Node::Scalar(text) = done.node { text } else { String::new() };
                        *key = Some((text, at));
                    }
                },
            }
        }
        root
    }

    fn child(&self, segment: &Segment) -> Option<(Position, &Place)> {
        match (&self.node, segment) {
            (Node::Map(entries), Segment::Key(key)) => {
                entries.iter().find(|(k, ..)| k == key).map(|(_, at, place)| (*at, place))
            }
            (Node::List(items), Segment::Index(index)) => items.get(*index).map(|place| (place.at, place)),
            _ => None,
        }
    }

    /// The node at a path.
    pub fn get(&self, path: &Path) -> Option<&Place> {
        path.segments().iter().try_fold(self, |place, segment| place.child(segment).map(|(_, place)| place))
    }

    /// Where a field stands: its key, or its item. Of a field that is missing, where the deepest of its holders stands.
    pub fn position(&self, path: &Path) -> Position {
        let (mut at, mut place) = (self.at, self);
        for segment in path.segments() {
            match place.child(segment) {
                Some((position, below)) => (at, place) = (position, below),
                None => break,
            }
        }
        at
    }

    /// The node that begins at a position: the root, or an item of a list of objects.
    pub fn beginning_at(&self, at: Position) -> Option<&Place> {
        if self.at == at {
            return Some(self);
        }
        match &self.get(&Path::root().join("items"))?.node {
            Node::List(items) => items.iter().find_map(|item| item.beginning_at(at)),
            _ => None,
        }
    }

    /// The first key that stands twice in one mapping.
    pub fn duplicate_key(&self) -> Option<DuplicateKey> {
        let mut todo = vec![(Path::root(), self)];
        while let Some((path, place)) = todo.pop() {
            match &place.node {
                Node::Map(entries) => {
                    for (n, (key, again, below)) in entries.iter().enumerate() {
                        let twin = entries[..n].iter().find(|(other, ..)| other == key && key != "<<");
                        if let Some((_, first, _)) = twin {
                            let path = path.child(key.as_str());
                            return Some(DuplicateKey { path, first: *first, again: *again });
                        }
                        todo.push((path.child(key.as_str()), below));
                    }
                }
                Node::List(items) => {
                    todo.extend(items.iter().enumerate().map(|(n, item)| (path.child(n), item)));
                }
                Node::Scalar(_) | Node::Other => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_items_have_places() {
        let text = "# head\n---\na:\n  b: 1\n  \"c/d\": [x, y]\nlist:\n- p: 1\n  q: 2\n-   r: 3\n";
        let place = Place::read(text).unwrap();
        let at = |path: &str| place.position(&path.parse().unwrap());
        assert_eq!(place.at, (3, 1));
        assert_eq!(at("a"), (3, 1));
        assert_eq!(at("a.b"), (4, 3));
        assert_eq!(at("a[\"c/d\"][1]"), (5, 14));
        assert_eq!(at("list[0].q"), (8, 3));
        assert_eq!(at("list[1]"), (9, 5));
        assert_eq!(at("a.missing.more"), (3, 1));
        assert_eq!(Place::read("a: [").map(|p| p.at), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_found_with_both_places() {
        let place = Place::read("a:\n  b: 1\n  c: 2\n  b: 3\n").unwrap();
        let twice = place.duplicate_key().unwrap();
        assert_eq!((twice.path.to_string().as_str(), twice.first, twice.again), ("a.b", (2, 3), (4, 3)));
        assert_eq!(Place::read("a: 1\nb: {a: 1}\n").unwrap().duplicate_key(), None);
    }
}
