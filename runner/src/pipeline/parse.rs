//! Text to [`Node`]s, with mistakes put in words.

mod token;

use std::ops::Range;

use token::is_word;

use super::syntax::{Field, Kind, Node};

/// Deepest nesting read; deeper input is refused rather than overflowing the stack.
const MAX_DEPTH: usize = 100;

/// A mistake in the text: what is wrong, at which bytes, and what may help.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Byte range to point at.
    pub span: Range<usize>,
    /// The bracket that is open there, if it may be the one that was forgotten.
    pub opened: Option<usize>,
    /// What to do.
    pub help: Option<String>,
}

/// Reads one value surrounded by spaces and comments.
///
/// # Errors
/// What is not RON, and where.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut parser = Parser {
        text,
        at: 0,
        outdented: None,
    };
    parser.skip_space()?;
    let node = parser.value(0)?;
    parser.skip_space()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.unexpected("the end of the file")),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte that is read next.
    at: usize,
    /// The first bracket that looks as if its closing one were missing.
    outdented: Option<usize>,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Node, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some('(') => self.parenthesised(String::new(), depth)?,
            Some('[') => Kind::List(self.items(']', depth, Self::value)?),
            Some('{') => self.map(depth)?,
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
            _ => return Err(self.unexpected("a value")),
        };
        let span = start..self.at;
        Ok(Node { span, kind })
    }

    /// What follows a name, from `(` to `)`.
    fn parenthesised(&mut self, name: String, depth: usize) -> Result<Kind, SyntaxError> {
        let opening = self.at;
        self.at += 1;
        self.skip_space()?;
        let word = self.word();
        self.skip_space()?;
        // A word before another value is a field without its colon.
        let is_item = matches!(self.peek(), Some(',' | ')' | '(') | None);
        let is_struct = !word.is_empty() && !is_item;
        self.at = opening;
        if is_struct {
            let fields = self.items(')', depth, Self::field)?;
            return Ok(Kind::Struct { name, fields });
        }
        let items = self.items(')', depth, Self::value)?;
        Ok(Kind::Tuple { name, items })
    }

    fn map(&mut self, depth: usize) -> Result<Kind, SyntaxError> {
        let entries = self.items('}', depth, Self::entry)?;
        let key = |entry: &(Node, Node)| self.text.get(entry.0.span.clone());
        // Whoever reads the values would keep the last of equal keys and say nothing.
        let is_second = |at: &usize| {
            let earlier = entries[..*at].iter();
            earlier.map(key).any(|other| other == key(&entries[*at]))
        };
        match (0..entries.len()).find(is_second) {
            Some(at) => Err(SyntaxError {
                message: format!("{} is given twice", key(&entries[at]).unwrap_or_default()),
                span: entries[at].0.span.clone(),
                opened: None,
                help: None,
            }),
            None => Ok(Kind::Map(entries)),
        }
    }

    /// Comma-separated items after an opening bracket, up to and including `close`.
    fn items<T>(
        &mut self,
        close: char,
        depth: usize,
        item: fn(&mut Self, usize) -> Result<T, SyntaxError>,
    ) -> Result<Vec<T>, SyntaxError> {
        let opened = self.at;
        let unclosed = |parser: &Self, expected: String| SyntaxError {
            opened: Some(parser.outdented.unwrap_or(opened)),
            ..parser.unexpected(&expected)
        };
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space()?;
            match self.peek() {
                Some(c) if c == close => {
                    self.note_indents(opened);
                    self.at += 1;
                    return Ok(items);
                }
                None | Some(')' | ']' | '}') => return Err(unclosed(self, format!("`{close}`"))),
                Some(_) => items.push(item(self, depth + 1)?),
            }
            let end = self.at;
            self.skip_space()?;
            match self.peek() {
                Some(',') => self.at += 1,
                Some(c) if c == close => {}
                None => {}
                Some(')' | ']' | '}' | ':') => {
                    return Err(unclosed(self, format!("`,` or `{close}`")));
                }
                // The comma is missing where the item before ends, maybe lines above.
                Some(_) => {
                    return Err(SyntaxError {
                        span: end..end,
                        ..self.unexpected(&format!("`,` or `{close}`"))
                    });
                }
            }
        }
    }

    /// Remembers the bracket at `opened` if the one that closes it, here, begins a line that is indented
    /// less: then it was meant for another.
    fn note_indents(&mut self, opened: usize) {
        let line = |at: usize| self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let indent = |at: usize| {
            let text = &self.text[line(at)..];
            text.len() - text.trim_start_matches([' ', '\t']).len()
        };
        let begins_line = self.at == line(self.at) + indent(self.at);
        if self.outdented.is_none() && begins_line && indent(self.at) < indent(opened) {
            self.outdented = Some(opened);
        }
    }

    fn field(&mut self, depth: usize) -> Result<Field, SyntaxError> {
        let start = self.at;
        let key = self.word();
        let key_span = start..self.at;
        if key.is_empty() {
            return Err(self.unexpected("the name of a field"));
        }
        if key.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
            self.at = start;
            let error = self.unexpected("the name of a field");
            let help = "numbers have a decimal point: `0.5`".to_string();
            let help = self.text[..start].ends_with(',').then_some(help);
            return Err(SyntaxError { help, ..error });
        }
        self.colon(&key)?;
        let value = self.value(depth)?;
        Ok(Field {
            key,
            key_span,
            value,
        })
    }

    fn entry(&mut self, depth: usize) -> Result<(Node, Node), SyntaxError> {
        let key = self.value(depth)?;
        let written = self.text[key.span.clone()].to_string();
        self.colon(&written)?;
        Ok((key, self.value(depth)?))
    }

    fn colon(&mut self, key: &str) -> Result<(), SyntaxError> {
        self.skip_space()?;
        if self.peek() != Some(':') {
            return Err(self.unexpected(&format!("`:` after `{key}`")));
        }
        self.at += 1;
        self.skip_space()
    }
}
