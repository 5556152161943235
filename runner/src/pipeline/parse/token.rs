//! Strings, words, comments, and what stands where something else should.

use super::{Parser, SyntaxError};
use crate::pipeline::syntax::Kind;

impl Parser<'_> {
    pub(super) fn string(&mut self) -> Result<Kind, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let mut content = String::new();
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(Kind::Text(content)),
                // RON lets strings span lines; here that is a forgotten quote.
                '\n' => break,
                '\\' => content.push(self.escaped()?),
                c => content.push(c),
            }
        }
        self.at = start;
        Err(self.error("this string has no closing `\"` on its line".into()))
    }

    /// What stands for itself, or for another character, after a backslash.
    fn escaped(&mut self) -> Result<char, SyntaxError> {
        let start = self.at - 1;
        let character = self.peek();
        self.at += character.map_or(0, char::len_utf8);
        let meant = match character {
            Some(c @ ('"' | '\\' | '\'')) => Some(c),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('0') => Some('\0'),
            Some('x') => self.hexadecimal(2),
            Some('u') => self.braced_hexadecimal(),
            _ => None,
        };
        meant.ok_or_else(|| SyntaxError {
            message: format!("`{}` stands for no character", &self.text[start..self.at]),
            span: start..self.at,
            opened: None,
            help: Some("a backslash is written twice, `\\\\`; paths may have `/` instead".into()),
        })
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<char> {
        let code = u32::from_str_radix(self.rest().get(..digits)?, 16).ok()?;
        self.at += digits;
        char::from_u32(code)
    }

    fn braced_hexadecimal(&mut self) -> Option<char> {
        let digits = self.rest().strip_prefix('{')?.find('}')?;
        self.at += 1;
        let meant = self.hexadecimal(digits)?;
        self.at += 1;
        Some(meant)
    }

    pub(super) fn raw_string(&mut self) -> Result<Kind, SyntaxError> {
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

    pub(super) fn character(&mut self) -> Result<Kind, SyntaxError> {
        let body = &self.rest()[1..];
        let skip = usize::from(body.starts_with('\\'));
        let end = body.char_indices().skip(skip + 1).find(|(_, c)| *c == '\'');
        let end = end.filter(|(length, _)| !body[..*length].contains('\n'));
        let Some((length, _)) = end else {
            return Err(self.error("this character has no closing `'`".into()));
        };
        self.at += length + 2;
        Ok(Kind::Word)
    }

    pub(super) fn word(&mut self) -> String {
        let rest = self.rest();
        // Names that are also Rust's keywords, such as `r#None`, have a prefix.
        let prefix = if rest.starts_with("r#") { 2 } else { 0 };
        let end = rest[prefix..].find(|c| !is_word(c));
        let length = end.map_or(rest.len(), |end| prefix + end);
        let word = rest[..length].to_string();
        self.at += length;
        word
    }

    /// Skips white space, `// …` and nested `/* … */`.
    pub(super) fn skip_space(&mut self) -> Result<(), SyntaxError> {
        loop {
            let spaces = self.rest().len() - self.rest().trim_start_matches(is_space).len();
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

    pub(super) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Something else stands where `expected` should.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        let word: String = self.rest().chars().take_while(|c| is_word(*c)).collect();
        let (found, length) = match self.peek() {
            None => ("the end of the file".into(), 0),
            Some(c) if c.is_whitespace() || c.is_control() || is_unseen(c) => {
                let code = u32::from(c);
                (
                    format!("the invisible character U+{code:04X}"),
                    c.len_utf8(),
                )
            }
            Some(c) if word.is_empty() => (format!("`{c}`"), c.len_utf8()),
            Some(_) => (format!("`{word}`"), word.len()),
        };
        let help = match self.peek() {
            Some('“' | '”' | '„' | '‘' | '’' | '«' | '»' | '`') => {
                "strings stand between straight quotes: \"…\""
            }
            Some('#') => "comments begin with `//`",
            Some('=') => "a value follows the name of its field after `:`",
            Some(';') => "fields and items are separated by `,`",
            Some(':') if self.text[..self.at].trim_end().ends_with('"') => {
                "names of fields have no quotes"
            }
            Some(c) if c.is_whitespace() || is_unseen(c) => "write a plain space instead",
            _ => "",
        };
        SyntaxError {
            message: format!("expected {expected}, found {found}"),
            span: self.at..self.at + length,
            opened: None,
            help: (!help.is_empty()).then(|| help.to_string()),
        }
    }

    pub(super) fn error(&self, message: String) -> SyntaxError {
        let end = self.at + self.peek().map_or(0, char::len_utf8);
        SyntaxError {
            message,
            span: self.at..end,
            opened: None,
            help: None,
        }
    }
}

/// Characters of names and numbers.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+')
}

/// White space to `ron` (Unicode's Pattern_White_Space).
fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{85}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
    )
}

/// What editors and web pages leave in a text and nobody sees: marks of byte order, joiners, directions.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}')
}
