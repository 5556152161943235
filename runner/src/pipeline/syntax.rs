//! The shape of a RON text with the place of every key and value, which serde's view does not keep.
//!
//! It is what includes, overrides and error messages work on; values themselves are read by `ron`.

use std::ops::Range;

/// Deepest nesting read; deeper input is refused rather than overflowing the stack.
const MAX_DEPTH: usize = 100;

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

/// A syntax error: what is wrong and at which byte.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Byte range to point at.
    pub span: Range<usize>,
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

/// Reads one value surrounded by spaces and comments.
///
/// # Errors
/// What is not RON, and where.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser { text, at: 0 };
    parser.skip_space()?;
    let node = parser.value(0)?;
    parser.skip_space()?;
    match parser.peek() {
        None => Ok(node),
        Some(c) => Err(parser.error(format!("expected the end of the file, found `{c}`"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let start = self.at;
        let kind = match self.peek() {
            None => return Err(self.error("expected a value, found the end of the file".into())),
            Some('(') => self.parenthesised(String::new(), depth)?,
            Some('[') => {
                self.at += 1;
                Kind::List(self.items(']', depth, Self::value)?)
            }
            Some('{') => {
                self.at += 1;
                Kind::Map(self.items('}', depth, Self::entry)?)
            }
            Some('"') => self.string()?,
            Some('r') if self.rest().starts_with("r\"") || self.rest().starts_with("r#\"") => {
                self.raw_string()?
            }
            Some('\'') => self.character()?,
            Some(c) if is_word(c) => {
                let word = self.word();
                let after_word = self.at;
                self.skip_space()?;
                if self.peek() == Some('(') {
                    self.parenthesised(word, depth)?
                } else {
                    self.at = after_word;
                    Kind::Word
                }
            }
            Some(c) => return Err(self.error(format!("expected a value, found `{c}`"))),
        };
        let span = start..self.at;
        Ok(Node { span, kind })
    }

    /// What follows a name, from `(` to `)`.
    fn parenthesised(&mut self, name: String, depth: usize) -> Result<Kind, SyntaxError> {
        self.at += 1;
        self.skip_space()?;
        let start = self.at;
        let word = self.word();
        self.skip_space()?;
        let is_struct = !word.is_empty() && self.peek() == Some(':');
        self.at = start;
        if is_struct {
            let fields = self.items(')', depth, Self::field)?;
            return Ok(Kind::Struct { name, fields });
        }
        let items = self.items(')', depth, Self::value)?;
        Ok(Kind::Tuple { name, items })
    }

    /// Comma-separated items up to and including `close`.
    fn items<T>(
        &mut self,
        close: char,
        depth: usize,
        item: fn(&mut Self, usize) -> Result<T, SyntaxError>,
    ) -> Result<Vec<T>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            self.skip_space()?;
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(items);
            }
            if self.peek().is_none() {
                return Err(self.error(format!("expected `{close}`, found the end of the file")));
            }
            items.push(item(self, depth + 1)?);
            self.skip_space()?;
            match self.peek() {
                Some(',') => self.at += 1,
                Some(c) if c != close => {
                    return Err(self.error(format!("expected `,` or `{close}`, found `{c}`")));
                }
                _ => {}
            }
        }
    }

    fn field(&mut self, depth: usize) -> Result<Field, SyntaxError> {
        let start = self.at;
        let key = self.word();
        let key_span = start..self.at;
        if key.is_empty() {
            return Err(self.error("expected a field name".into()));
        }
        self.colon()?;
        let value = self.value(depth)?;
        Ok(Field {
            key,
            key_span,
            value,
        })
    }

    fn entry(&mut self, depth: usize) -> Result<(Node, Node), SyntaxError> {
        let key = self.value(depth)?;
        self.colon()?;
        Ok((key, self.value(depth)?))
    }

    fn colon(&mut self) -> Result<(), SyntaxError> {
        self.skip_space()?;
        if self.peek() != Some(':') {
            return Err(self.error("expected `:`".into()));
        }
        self.at += 1;
        self.skip_space()
    }

    fn string(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut content = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Kind::Text(content)),
                // RON lets strings span lines; here that is a forgotten quote.
                '\n' => break,
                '\\' => {
                    let Some(escaped) = self.peek() else { break };
                    self.at += escaped.len_utf8();
                    if !matches!(escaped, '"' | '\\') {
                        content.push('\\');
                    }
                    content.push(escaped);
                }
                c => content.push(c),
            }
        }
        self.at = start;
        Err(self.error("this string has no closing `\"` on its line".into()))
    }

    fn raw_string(&mut self) -> Result<Kind, SyntaxError> {
        let hashes = self.rest()[1..].chars().take_while(|&c| c == '#').count();
        let opening = 2 + hashes;
        let closing = format!("\"{}", "#".repeat(hashes));
        let body = self.rest().get(opening..).unwrap_or_default();
        let Some(length) = body.find(&closing) else {
            return Err(self.error("this string has no closing quote".into()));
        };
        let content = body[..length].to_string();
        self.at += opening + length + closing.len();
        Ok(Kind::Text(content))
    }

    fn character(&mut self) -> Result<Kind, SyntaxError> {
        let body = &self.rest()[1..];
        let skip = usize::from(body.starts_with('\\'));
        let end = body.char_indices().skip(skip + 1).find(|(_, c)| *c == '\'');
        let Some((length, _)) = end else {
            return Err(self.error("this character has no closing `'`".into()));
        };
        self.at += length + 2;
        Ok(Kind::Word)
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest[..length].to_string();
        self.at += length;
        word
    }

    /// Skips white space, `// …` and nested `/* … */`.
    fn skip_space(&mut self) -> Result<(), SyntaxError> {
        loop {
            let spaces = self.rest().len() - self.rest().trim_start().len();
            self.at += spaces;
            let trimmed = self.rest();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn block_comment(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        let mut depth = 0;
        while !self.rest().is_empty() {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                self.at += self.peek().map_or(1, char::len_utf8);
            }
        }
        self.at = start;
        Err(self.error("this comment has no closing `*/`".into()))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, message: String) -> SyntaxError {
        let end = self.at + self.peek().map_or(0, char::len_utf8);
        let span = self.at..end;
        SyntaxError { message, span }
    }
}

/// Characters of names and numbers.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '#')
}
