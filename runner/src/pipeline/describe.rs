//! Words for a mismatch between a pipeline's text and its types.

use std::ops::Range;

use ron::error::{Error as RonError, SpannedError};

use super::diagnostic::Diagnostic;
use super::source::Source;
use super::syntax::{Kind, Node};

/// Enum, a spelling that pipeline files once had, and what it is called.
const RENAMED: &[(&str, &str, &str)] = &[("HlAttnMode", "Paper", "ZeroStart")];
/// Struct, a field that pipeline files once had, and what says the same.
const MOVED: &[(&str, &str, &str)] = &[
    ("Pipeline", "lora", "`adapter: Experts(rank: 4)`"),
    ("Finetune", "adapter", "the pipeline's `adapter`"),
    (
        "Finetune",
        "experts",
        "the pipeline's `adapter`: Experts, or Nothing",
    ),
    (
        "Finetune",
        "hl_attn",
        "the pipeline's `adapter: Experts(hl_attn: …)`",
    ),
];
/// Longest text of a value that is quoted.
const LONGEST: usize = 32;

/// Describes what `ron` found, at the value or key it is about. `text` is the assembled text and
/// `root` its shape.
pub(super) fn describe(
    source: &Source,
    text: &str,
    root: &Node,
    error: &SpannedError,
) -> Diagnostic {
    let start = offset(text, error.span.start.line, error.span.start.col);
    let end = offset(text, error.span.end.line, error.span.end.col).max(start);
    let of = |outer: &Option<String>| match outer {
        Some(outer) => format!(" of `{outer}`"),
        None => String::new(),
    };
    match &error.code {
        RonError::NoSuchStructField {
            expected,
            found,
            outer,
        } => {
            let span = word_before(text, start..end, found);
            let message = format!("unknown field `{found}`{}", of(outer));
            let diagnostic = Diagnostic::at(source, span, message);
            let moved =
                |(of, old, _): &&(&str, &str, &str)| outer.as_deref() == Some(*of) && found == old;
            match MOVED.iter().find(moved) {
                Some((.., now)) => diagnostic.note(format!("this is now said by {now}")),
                None => diagnostic.suggest(found, expected.iter().copied()),
            }
            .note(expectation("fields", expected))
        }
        RonError::NoSuchEnumVariant {
            expected,
            found,
            outer,
        } => {
            let span = word_before(text, start..end, found);
            let message = format!("unknown variant `{found}`{}", of(outer));
            let diagnostic = Diagnostic::at(source, span, message);
            let mut renamed = RENAMED.iter();
            let renamed =
                renamed.find(|(of, old, _)| outer.as_deref() == Some(*of) && found == old);
            match renamed {
                Some((_, old, new)) => diagnostic.note(format!("`{old}` is now called `{new}`")),
                None => diagnostic.suggest(found, expected.iter().copied()),
            }
            .note(expectation("variants", expected))
        }
        RonError::MissingStructField { field, outer } => {
            let span = struct_closing_at(root, start).unwrap_or(start..end);
            let message = format!("missing field `{field}`{}", of(outer));
            Diagnostic::at(source, span, message).note(format!("add `{field}: …`"))
        }
        RonError::DuplicateStructField { field, outer } => {
            let span = word_before(text, start..end, field);
            let message = format!("field `{field}`{} is given twice", of(outer));
            Diagnostic::at(source, span, message)
        }
        RonError::ExpectedDifferentStructName { expected, found } => {
            let span = word_before(text, start..end, found);
            let message = format!("expected `{expected}`, found `{found}`");
            Diagnostic::at(source, span, message).suggest(found, [*expected])
        }
        code => of_value(
            source,
            text,
            (value_at(text, root, start..end), start),
            code,
        ),
    }
}

/// A value of the wrong kind, which was noticed at byte `noticed`.
fn of_value(
    source: &Source,
    text: &str,
    (at, noticed): (At<'_>, usize),
    code: &RonError,
) -> Diagnostic {
    let written = text.get(at.node.span.clone()).unwrap_or_default();
    let expected = match code {
        // What the project's own types say.
        RonError::Message(message) => message.clone(),
        code => format!("expected {}", expected(code, (&at, noticed), written)),
    };
    let subject = match &at.key {
        Some(key) => format!("`{key}`: "),
        None => String::new(),
    };
    let shown = shown(source, at.node, written);
    let message = format!("{subject}{expected}, found `{shown}`");
    let diagnostic = Diagnostic::at(source, at.node.span.clone(), message);
    match (code, at.node.text()) {
        (RonError::ExpectedIdentifier, Some(name)) if is_name(name) && !at.in_tuple => {
            diagnostic.note(format!("names have no quotes: `{name}`"))
        }
        _ => diagnostic,
    }
}

/// What should have been there.
fn expected(code: &RonError, (at, noticed): (&At<'_>, usize), written: &str) -> String {
    let node = at.node;
    let name = match &node.kind {
        Kind::Struct { name, .. } | Kind::Tuple { name, .. } => name.as_str(),
        _ => written,
    };
    // `1.5` where a whole number belongs is read as `1` and then something else.
    let is_rest = node.kind == Kind::Word && noticed > node.span.start;
    match code {
        RonError::IntegerOutOfBounds => "a whole number in range".into(),
        RonError::ExpectedInteger
        | RonError::InvalidIntegerDigit { .. }
        | RonError::UnderscoreAtBeginning => "a whole number".into(),
        RonError::ExpectedFloat | RonError::FloatUnderscore => "a number".into(),
        RonError::ExpectedBoolean => "`true` or `false`".into(),
        RonError::ExpectedString | RonError::ExpectedChar => "a string in quotes".into(),
        RonError::ExpectedArray => "a list `[…]`".into(),
        RonError::ExpectedMap => "a map `{…}`".into(),
        RonError::ExpectedDifferentLength { expected, .. }
        | RonError::InvalidValueForType { expected, .. } => of_serde(expected),
        RonError::ExpectedNamedStructLike(_) | RonError::ExpectedStructLike
            if node.kind == Kind::Word && is_name(written) =>
        {
            format!("`{name}(…)`")
        }
        RonError::ExpectedNamedStructLike(_) | RonError::ExpectedStructLike => {
            "values in parentheses `(…)`".into()
        }
        RonError::ExpectedIdentifier
        | RonError::InvalidIdentifier(_)
        | RonError::SuggestRawIdentifier(_)
            if at.in_tuple =>
        {
            "fields by name, `(name: value, …)`".into()
        }
        RonError::ExpectedIdentifier
        | RonError::InvalidIdentifier(_)
        | RonError::SuggestRawIdentifier(_) => "a name".into(),
        _ if is_rest && written.parse::<f64>().is_ok() => "a whole number".into(),
        _ if is_rest => "a number".into(),
        RonError::ExpectedStructLikeEnd | RonError::ExpectedArrayEnd => "no further value".into(),
        // A name with `(…)` behind it, where the name alone was read.
        _ if is_name(name) && name != written => format!("`{name}` without parentheses"),
        _ => "another value".into(),
    }
}

/// What serde expects, in the words of a pipeline file.
fn of_serde(expected: &str) -> String {
    let last = |name: &str| name.rsplit("::").next().unwrap_or(name).to_string();
    let mut words = expected.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("u8"), None, _) => "a whole number from 0 to 255".into(),
        (Some("usize" | "u64" | "u32" | "u16" | "i64" | "i32"), None, _) => "a whole number".into(),
        (Some("f32" | "f64"), None, _) => "a number".into(),
        (Some("a"), Some("boolean"), _) => "`true` or `false`".into(),
        (Some("path"), Some("string"), _) | (Some("a"), Some("string"), _) => {
            "a string in quotes".into()
        }
        (Some("a"), Some("sequence"), _) => "a list `[…]`".into(),
        (Some("a"), Some("map"), _) => "a map `{…}`".into(),
        (Some("struct" | "tuple"), Some("variant" | "struct"), Some(name)) => {
            format!("`{}(…)`", last(name))
        }
        (Some("struct"), Some(name), _) => format!("`{}(…)`", last(name)),
        (Some("enum"), Some(name), _) => format!("a name of {}", last(name)),
        _ => match expected.rsplit_once(' ') {
            Some((before, count)) if before.ends_with("size") || before.ends_with("length") => {
                format!("{count} values in parentheses")
            }
            _ => expected.to_string(),
        },
    }
}

fn is_name(text: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.chars().all(word) && text.starts_with(char::is_alphabetic)
}

/// A value in one line, as the user wrote it; of long ones the outline.
fn shown(source: &Source, node: &Node, written: &str) -> String {
    let outline = match &node.kind {
        // Paths have been resolved meanwhile.
        Kind::Text(_) | Kind::Word => {
            let place = source.locate(node.span.clone());
            let own = place.and_then(|(origin, range)| Some(origin.text.get(range)?.to_string()));
            return own.unwrap_or_else(|| written.to_string());
        }
        Kind::Struct { name, .. } | Kind::Tuple { name, .. } => format!("{name}(…)"),
        Kind::List(_) => "[…]".into(),
        Kind::Map(_) => "{…}".into(),
    };
    match written.len() <= LONGEST && !written.contains(['"', '\n']) {
        true => written.to_string(),
        false => outline,
    }
}

fn expectation(what: &str, names: &[&str]) -> String {
    match names {
        [] => format!("it has no {what}"),
        names => format!("{what}: {}", names.join(", ")),
    }
}

/// Byte offset of a line and column counted from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    let line_text = text.get(before..).unwrap_or("");
    let columns = line_text.chars().take(column.saturating_sub(1));
    before + columns.map(char::len_utf8).sum::<usize>()
}

/// The place of `word` at or shortly before the end of `range`.
fn word_before(text: &str, range: Range<usize>, word: &str) -> Range<usize> {
    let limit = (range.end + word.len()).min(text.len());
    let found = text.get(..limit).and_then(|head| head.rfind(word));
    found.map_or(range, |at| at..at + word.len())
}

/// The name of the struct whose closing parenthesis is at `at`.
fn struct_closing_at(node: &Node, at: usize) -> Option<Range<usize>> {
    let children = node.children().into_iter();
    let mut inner = children.filter_map(|(_, child)| struct_closing_at(child, at));
    inner.next_back().or_else(|| {
        let closes = node.span.end == at + 1;
        match &node.kind {
            Kind::Struct { name, .. } | Kind::Tuple { name, .. } if closes => {
                Some(node.span.start..node.span.start + name.len().max(1))
            }
            _ => None,
        }
    })
}

/// A value, and the key it stands under.
struct At<'a> {
    key: Option<String>,
    node: &'a Node,
    /// Whether it is one of several without names.
    in_tuple: bool,
}

/// The value that begins where `range` does, or else the innermost one that touches it.
fn value_at<'a>(text: &str, root: &'a Node, range: Range<usize>) -> At<'a> {
    let mut found = At {
        key: None,
        node: root,
        in_tuple: false,
    };
    let touching = |node: &Node| node.span.start <= range.end && range.start <= node.span.end;
    while found.node.span.start != range.start || found.key.is_none() {
        // Of neighbours that both touch, the first: it was being read.
        let inner = match &found.node.kind {
            Kind::Map(entries) => {
                let mut entries = entries.iter();
                let entry = entries.find(|(key, value)| touching(key) || touching(value));
                entry.map(|(key, value)| match touching(key) {
                    true => (found.key.clone(), key),
                    false => (text.get(key.span.clone()).map(unquoted), value),
                })
            }
            _ => {
                let mut children = found.node.children().into_iter();
                let child = children.find(|(_, child)| touching(child));
                child.map(|(own, node)| (own.map(str::to_string).or(found.key.clone()), node))
            }
        };
        let Some((key, node)) = inner else { break };
        let in_tuple = matches!(found.node.kind, Kind::Tuple { .. });
        found = At {
            key,
            node,
            in_tuple,
        };
    }
    found
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_string()
}
