//! The shape of a RON text with the place of every key and value, which serde's view does not keep.
//!
//! It is what includes, overrides and error messages work on; values themselves are read by `ron`.

use std::ops::Range;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Byte range of the whole value.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `Name(key: value, …)`, the name being optional.
    Struct {
        /// The name, or empty.
        name: String,
        /// Fields in order.
        fields: Vec<Field>,
    },
    /// `Name(value, …)`, the name being optional.
    Tuple {
        /// The name, or empty.
        name: String,
        /// Items in order.
        items: Vec<Node>,
    },
    /// `[value, …]`.
    List(Vec<Node>),
    /// `{key: value, …}`.
    Map(Vec<(Node, Node)>),
    /// A string literal, unescaped where it has no escapes other than `\"` and `\\`.
    Text(String),
    /// A number, boolean, character or bare name.
    Word,
}

/// A key of a struct and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// The key.
    pub key: String,
    /// Byte range of the key.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The member called `segment`: a field, the value of a string key, or the list element whose
    /// `name` field is `segment`.
    pub(super) fn member(&self, segment: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Struct { fields, .. } => {
                let field = fields.iter().find(|f| f.key == segment);
                field.map(|f| &f.value)
            }
            Kind::Map(entries) => {
                let entry = entries.iter().find(|(key, _)| key.is_text(segment));
                entry.map(|(_, value)| value)
            }
            Kind::List(items) => items.iter().find(|item| {
                let named = |f: &Field| f.key == "name" && f.value.is_text(segment);
                matches!(&item.kind, Kind::Struct { fields, .. } if fields.iter().any(named))
            }),
            // A newtype such as `Some(...)` is transparent.
            Kind::Tuple { items, .. } if items.len() == 1 => items[0].member(segment),
            Kind::Tuple { .. } | Kind::Text(_) | Kind::Word => None,
        }
    }

    /// Names [`Node::member`] knows.
    pub(super) fn member_names(&self) -> Vec<String> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields.iter().map(|f| f.key.clone()).collect(),
            Kind::Map(entries) => {
                let keys = entries.iter().filter_map(|(key, _)| key.text());
                keys.map(str::to_string).collect()
            }
            Kind::List(items) => {
                let names = items
                    .iter()
                    .filter_map(|item| item.member("name")?.text().map(str::to_string));
                names.collect()
            }
            Kind::Tuple { items, .. } if items.len() == 1 => items[0].member_names(),
            Kind::Tuple { .. } | Kind::Text(_) | Kind::Word => Vec::new(),
        }
    }

    /// The content of a string literal.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Direct children, with the struct key each stands under.
    pub(super) fn children(&self) -> Vec<(Option<&str>, &Node)> {
        match &self.kind {
            Kind::Struct { fields, .. } => fields
                .iter()
                .map(|f| (Some(f.key.as_str()), &f.value))
                .collect(),
            Kind::Tuple { items, .. } | Kind::List(items) => {
                items.iter().map(|item| (None, item)).collect()
            }
            Kind::Map(entries) => entries.iter().map(|(_, value)| (None, value)).collect(),
            Kind::Text(_) | Kind::Word => Vec::new(),
        }
    }

    fn is_text(&self, text: &str) -> bool {
        self.text() == Some(text)
    }
}
