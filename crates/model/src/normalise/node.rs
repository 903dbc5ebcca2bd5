//! The canonical tree of an object: what counts of it, in canonical order, each node with the place it came from.
//!
//! It borrows from the object: building one for a typical object costs a few short vectors, and no copies of texts
//! that are canonical already. Values that a server would default have no source.

use super::scalar::{canonical_mac, canonical_text, is_zero};
use super::shape::Shape;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// One canonical value.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    /// A scalar that is not absent.
    Scalar(Cow<'a, Value>),
    /// An object, sorted by canonical key; empty only where presence counts.
    Map(Fields<'a>),
    /// A list.
    List(List<'a>),
}

/// The fields of a map.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(pub Vec<Field<'a>>);

/// One field of a map.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    /// The canonical key.
    pub key: Cow<'a, str>,
    /// The key as written, and what stands there; `None` for what the server would default.
    pub source: Option<(&'a str, &'a Value)>,
    /// Left to the cluster when Git does not name it.
    pub hydrated: bool,
    /// The canonical value.
    pub node: Node<'a>,
}

/// A list.
#[derive(Debug)]
pub(crate) struct List<'a> {
    /// Items; of a set in canonical order.
    pub items: Vec<Item<'a>>,
    /// Whether order means nothing.
    pub set: bool,
}

/// One item of a list.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    /// The place as written, and what stands there; `None` for what the server would default.
    pub source: Option<(usize, &'a Value)>,
    /// The canonical value; an empty map for an empty item.
    pub node: Node<'a>,
}

impl<'a> Node<'a> {
    /// The canonical form of a value. `None` when it is as good as absent.
    pub fn build(value: &'a Value, shape: &'static Shape) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Array(list) => {
                let items: Vec<Item<'a>> = list
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Item {
                        source: Some((n, item)),
                        node: Node::build(item, shape.items).unwrap_or(Node::EMPTY),
                    })
                    .collect();
                (!items.is_empty()).then(|| {
                    let mut list = List { items, set: shape.set };
                    list.sort();
                    Node::List(list)
                })
            }
            Value::Object(map) => {
                let fields = Fields::build(map, shape);
                (!fields.0.is_empty() || shape.present).then_some(Node::Map(fields))
            }
            Value::String(text) => (!text.is_empty() || shape.keep_zero).then(|| {
                Node::Scalar(match canonical_text(text, shape.text) {
                    Cow::Borrowed(canonical) if canonical.len() == text.len() => Cow::Borrowed(value),
                    canonical => Cow::Owned(Value::String(canonical.into_owned())),
                })
            }),
            Value::Bool(_) | Value::Number(_) => {
                (shape.keep_zero || !is_zero(value)).then_some(Node::Scalar(Cow::Borrowed(value)))
            }
        }
    }

    /// What stands for an empty entry whose presence counts.
    pub const EMPTY: Self = Node::Map(Fields(Vec::new()));

    /// The canonical form as plain JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Node::Scalar(value) => match value.as_f64() {
                // One writing for one number: 1000.0 is 1000.
                Some(f) if value.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => Value::from(f as i64),
                _ => value.as_ref().clone(),
            },
            Node::Map(fields) => fields.to_value(),
            Node::List(list) => Value::Array(list.items.iter().map(|item| item.node.to_value()).collect()),
        }
    }

    /// Whether two canonical values are the same, including what Git would leave to the cluster.
    pub fn same(&self, other: &Node<'_>) -> bool {
        self.order(other) == Ordering::Equal
    }

    /// A total order over canonical values; sets are sorted by it.
    pub fn order(&self, other: &Node<'_>) -> Ordering {
        match (self, other) {
            (Node::Scalar(a), Node::Scalar(b)) => order_scalars(a, b),
            (Node::Map(a), Node::Map(b)) => {
                order_each(&a.0, &b.0, |x, y| x.key.cmp(&y.key).then_with(|| x.node.order(&y.node)))
            }
            (Node::List(a), Node::List(b)) => order_each(&a.items, &b.items, |x, y| x.node.order(&y.node)),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Node::Scalar(_) => 0,
            Node::Map(_) => 1,
            Node::List(_) => 2,
        }
    }
}

fn order_each<A, B>(a: &[A], b: &[B], order: impl Fn(&A, &B) -> Ordering) -> Ordering {
    a.iter().zip(b).map(|(x, y)| order(x, y)).find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn order_scalars(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(x), Value::String(y)) => x.cmp(y),
        (Value::Number(x), Value::Number(y)) => match (x.as_i64(), y.as_i64()) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => x.as_f64().partial_cmp(&y.as_f64()).unwrap_or(Ordering::Equal),
        },
        (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
        _ => kind_of(a).cmp(&kind_of(b)),
    }
}

fn kind_of(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

impl<'a> Fields<'a> {
    /// The canonical fields of an object.
    pub fn build(map: &'a Map<String, Value>, shape: &'static Shape) -> Self {
        let mut fields = Vec::with_capacity(map.len());
        for (key, value) in map {
            let child = shape.field(key);
            if child.ignored {
                continue;
            }
            let node = match Node::build(value, child) {
                Some(node) => node,
                None if shape.keyed => Node::EMPTY,
                None => continue,
            };
            let canonical = match shape.mac_keys.then(|| canonical_mac(key)).flatten() {
                Some(mac) => Cow::Owned(mac),
                None => Cow::Borrowed(key.as_str()),
            };
            fields.push(Field { key: canonical, source: Some((key, value)), hydrated: child.hydrated, node });
        }
        fields.sort_by(|a, b| a.key.cmp(&b.key));
        Self(fields)
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|field| field.key.as_ref().cmp(key))
    }

    /// A field's value by canonical key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.place(key).ok().map(|n| &self.0[n].node)
    }

    /// A field by canonical key.
    pub fn field(&self, key: &str) -> Option<&Field<'a>> {
        self.place(key).ok().map(|n| &self.0[n])
    }

    /// A map below, by canonical key.
    pub fn map_mut(&mut self, key: &str) -> Option<&mut Fields<'a>> {
        match self.place(key) {
            Ok(n) => match &mut self.0[n].node {
                Node::Map(fields) => Some(fields),
                _ => None,
            },
            Err(_) => None,
        }
    }

    /// A list below, by canonical key.
    pub fn list_mut(&mut self, key: &str) -> Option<&mut List<'a>> {
        match self.place(key) {
            Ok(n) => match &mut self.0[n].node {
                Node::List(list) => Some(list),
                _ => None,
            },
            Err(_) => None,
        }
    }

    /// Every map below, whatever its key.
    pub fn maps_mut(&mut self) -> impl Iterator<Item = &mut Fields<'a>> {
        self.0.iter_mut().filter_map(|field| match &mut field.node {
            Node::Map(fields) => Some(fields),
            _ => None,
        })
    }

    /// A text by canonical key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key) {
            Some(Node::Scalar(value)) => value.as_str(),
            _ => None,
        }
    }

    /// Whether a flag is set.
    pub fn is_true(&self, key: &str) -> bool {
        matches!(self.get(key), Some(Node::Scalar(value)) if value.as_bool() == Some(true))
    }

    /// Adds what the server would fill in, unless something stands there.
    pub fn fill(&mut self, key: &'static str, value: impl FnOnce() -> Value) {
        self.fill_node(key, || Node::Scalar(Cow::Owned(value())));
    }

    /// Adds what the server would fill in, unless something stands there.
    pub fn fill_node(&mut self, key: &'static str, node: impl FnOnce() -> Node<'a>) {
        if let Err(n) = self.place(key) {
            self.0.insert(n, Field { key: Cow::Borrowed(key), source: None, hydrated: false, node: node() });
        }
    }

    /// The map at a key, made when it is absent.
    pub fn map_or_new(&mut self, key: &'static str) -> Option<&mut Fields<'a>> {
        self.fill_node(key, || Node::EMPTY);
        self.map_mut(key)
    }

    /// Takes a field away.
    pub fn remove(&mut self, key: &str) {
        if let Ok(n) = self.place(key) {
            self.0.remove(n);
        }
    }

    /// Takes a map away when it holds nothing.
    pub fn remove_if_empty(&mut self, key: &str) {
        if matches!(self.get(key), Some(Node::Map(fields)) if fields.0.is_empty()) {
            self.remove(key);
        }
    }

    /// Whether both say the same, including what Git would leave to the cluster.
    pub fn same(&self, other: &Fields<'_>) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(a, b)| a.key == b.key && a.node.same(&b.node))
    }

    /// The fields as plain JSON.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|field| (field.key.to_string(), field.node.to_value())).collect())
    }
}

impl<'a> List<'a> {
    /// Brings a set into canonical order; a list keeps its own.
    pub fn sort(&mut self) {
        if self.set {
            self.items.sort_by(|a, b| a.node.order(&b.node));
        }
    }

    /// Adds an item that the server would add.
    pub fn add_default(&mut self, value: Value) {
        let node = Node::Scalar(Cow::Owned(value));
        if !self.items.iter().any(|item| item.node.same(&node)) {
            self.items.push(Item { source: None, node });
            self.sort();
        }
    }

    /// A list of one item that the server would make.
    pub fn defaulted(node: Node<'a>) -> Node<'a> {
        Node::List(List { items: vec![Item { source: None, node }], set: true })
    }
}
