//! Words for a mismatch between a pipeline's text and its types.

use std::ops::Range;

use ron::error::{Error as RonError, SpannedError};

use super::diagnostic::Diagnostic;
use super::source::Source;
use super::syntax::{Kind, Node};

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
            Diagnostic::at(source, span, message)
                .suggest(found, expected.iter().copied())
                .note(expectation("fields", expected))
        }
        RonError::NoSuchEnumVariant {
            expected,
            found,
            outer,
        } => {
            let span = word_before(text, start..end, found);
            let message = format!("unknown variant `{found}`{}", of(outer));
            Diagnostic::at(source, span, message)
                .suggest(found, expected.iter().copied())
                .note(expectation("variants", expected))
        }
        RonError::MissingStructField { field, outer } => {
            let span = struct_closing_at(root, start).unwrap_or(start..end);
            let message = format!("missing field `{field}`{}", of(outer));
            Diagnostic::at(source, span, message)
        }
        RonError::DuplicateStructField { field, outer } => {
            let message = format!("field `{field}`{} is given twice", of(outer));
            Diagnostic::at(source, start..end, message)
        }
        RonError::ExpectedDifferentStructName { expected, found } => {
            let span = word_before(text, start..end, found);
            Diagnostic::at(
                source,
                span,
                format!("expected `{expected}`, found `{found}`"),
            )
            .suggest(found, [*expected])
        }
        code => match scalar_at(root, None, start..end) {
            Some((key, node)) => {
                let found = text.get(node.span.clone()).unwrap_or_default();
                let subject = key.map(|k| format!("`{k}`: ")).unwrap_or_default();
                let expected = expected_value(code);
                let message = format!("{subject}{expected}, found `{found}`");
                Diagnostic::at(source, node.span.clone(), message)
            }
            None => Diagnostic::at(source, start..end, lower_first(&code.to_string())),
        },
    }
}

/// What a misread scalar should have been.
fn expected_value(code: &RonError) -> String {
    match code {
        RonError::IntegerOutOfBounds => "expected a whole number in range".into(),
        RonError::ExpectedInteger | RonError::InvalidIntegerDigit { .. } => {
            "expected a whole number".into()
        }
        // `1.5` where a whole number belongs is read as `1` and then something else.
        RonError::ExpectedComma | RonError::ExpectedStructLikeEnd => {
            "expected a whole number".into()
        }
        RonError::ExpectedFloat => "expected a number".into(),
        RonError::ExpectedBoolean => "expected `true` or `false`".into(),
        RonError::ExpectedString => "expected a string in quotes".into(),
        RonError::ExpectedArray => "expected a list `[…]`".into(),
        RonError::ExpectedMap => "expected a map `{…}`".into(),
        RonError::InvalidValueForType { expected, .. } => format!("expected {expected}"),
        other => lower_first(&other.to_string()),
    }
}

fn lower_first(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
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

/// The first scalar touching `range`, and the key it stands under.
fn scalar_at<'a>(
    node: &'a Node,
    key: Option<&'a str>,
    range: Range<usize>,
) -> Option<(Option<&'a str>, &'a Node)> {
    let touches = node.span.start <= range.end && range.start <= node.span.end;
    if !touches {
        return None;
    }
    if matches!(node.kind, Kind::Text(_) | Kind::Word) {
        return Some((key, node));
    }
    let children = node.children().into_iter();
    children
        .filter_map(|(own, child)| scalar_at(child, own.or(key), range.clone()))
        .next()
}
