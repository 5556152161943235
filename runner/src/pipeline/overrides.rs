//! Changes of single fields, `path.to.field=value`.

use std::path::Path;
use std::sync::Arc;

use super::assemble::{including, parse_source};
use super::diagnostic::Diagnostic;
use super::parse::parse;
use super::source::{Origin, Source};
use super::syntax::{Kind, Node};

/// How a change of the command line is shown in messages.
const FLAG: &str = "--set ";
/// Keys of paths that may be `None` in the text.
const OPTIONAL_PATHS: &[&str] = &["weights", "labels"];

/// One change of a field: a `--set` of the command line, or an entry of a file's `set` or `variants`.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Names from the top of the pipeline to the field. Stages and data sets go by their names.
    pub path: Vec<String>,
    /// Where the path is written, and its first byte there.
    place: (Arc<Origin>, usize),
    /// The new value.
    value: Source,
}

impl Override {
    /// Reads `path.to.field=value`.
    ///
    /// # Errors
    /// No `=`, or an empty path.
    pub fn parse(argument: &str) -> Result<Self, Diagnostic> {
        let usage = || {
            Diagnostic::new(format!("--set {argument}: expected `path.to.field=value`"))
                .note("for example `--set stages.finetune.epochs=2`")
        };
        let (path, value) = argument.split_once('=').ok_or_else(usage)?;
        let origin = Arc::new(Origin {
            name: "command line".into(),
            text: format!("{FLAG}{argument}"),
            folder: None,
        });
        let start = origin.text.len() - value.len();
        let whole = start..origin.text.len();
        Ok(Self {
            path: segments(path).ok_or_else(usage)?,
            value: Source::standing_for(value.to_string(), origin.clone(), whole),
            place: (origin, FLAG.len()),
        })
    }

    /// Reads the entries `"path.to.field": value` of a map in a file.
    ///
    /// # Errors
    /// Something else than such a map.
    pub(super) fn of_map(source: &Source, map: &Node) -> Result<Vec<Self>, Diagnostic> {
        let usage = |node: &Node| {
            let message = "expected a map of changes, `{\"path.to.field\": value}`";
            Diagnostic::at(source, node.span.clone(), message)
        };
        let Kind::Map(entries) = &map.kind else {
            return Err(usage(map));
        };
        let entry = |(key, value): &(Node, Node)| {
            let path = key.text().and_then(segments).ok_or_else(|| usage(key))?;
            let place = source.locate(key.span.clone()).ok_or_else(|| usage(key))?;
            Ok(Self {
                path,
                place: (place.0, place.1.start + 1),
                value: source.slice(value.span.clone()),
            })
        };
        entries.iter().map(entry).collect()
    }

    /// The change of a field at the top to a value that stands in `source`.
    pub(super) fn of_field(source: &Source, field: &str, value: &Node) -> Option<Self> {
        let (origin, place) = source.locate(value.span.clone())?;
        Some(Self {
            path: vec![field.to_owned()],
            place: (origin, place.start),
            value: source.slice(value.span.clone()),
        })
    }

    /// Puts fragments in place of every `include("…")` of the value, seen from the pipeline file.
    ///
    /// # Errors
    /// A fragment that cannot be read.
    pub(super) fn including(&self, pipeline: &Path) -> Result<Self, Diagnostic> {
        match parse(&self.value.text()) {
            // A path without quotes.
            Err(_) => Ok(self.clone()),
            Ok(_) => Ok(Self {
                value: including(self.value.clone(), pipeline)?,
                ..self.clone()
            }),
        }
    }

    /// Replaces the field's value if the text spells it out; says whether it did.
    ///
    /// # Errors
    /// A text that is not RON.
    pub(super) fn apply_where_written(&self, source: &mut Source) -> Result<bool, Diagnostic> {
        let root = parse_source(source)?;
        let Ok(node) = self.find(&root) else {
            return Ok(false);
        };
        let value = self.literal(node)?;
        source.splice(node.span.clone(), value);
        Ok(true)
    }

    /// Replaces the field's value in a text that spells out every field.
    ///
    /// # Errors
    /// A path that leads nowhere, with the nearest name.
    pub(super) fn apply(&self, source: &mut Source) -> Result<(), Diagnostic> {
        let root = parse_source(source)?;
        self.find(&root)?;
        self.apply_where_written(source).map(drop)
    }

    /// A mistake in the value.
    pub(super) fn fault(&self, message: &str) -> Diagnostic {
        Diagnostic::at(&self.value, 0..usize::MAX, message)
    }

    fn find<'a>(&self, root: &'a Node) -> Result<&'a Node, Diagnostic> {
        let mut node = root;
        for (depth, segment) in self.path.iter().enumerate() {
            node = node.member(segment).ok_or_else(|| {
                let names = node.member_names();
                let parent = self.path[..depth].join(".");
                let message = match parent.as_str() {
                    "" => format!("a pipeline has no field `{segment}`"),
                    parent => format!("`{parent}` has no `{segment}`"),
                };
                self.diagnostic(message, depth)
                    .suggest(segment, names.iter().map(String::as_str))
                    .note(format!("it has {}", names.join(", ")))
            })?;
        }
        Ok(node)
    }

    /// Points at the path's segment number `depth`.
    fn diagnostic(&self, message: String, depth: usize) -> Diagnostic {
        let (origin, start) = &self.place;
        let parents = self.path[..depth].iter().map(|s| s.len() + 1);
        let from = start + parents.sum::<usize>();
        let range = from..from + self.path[depth].len();
        Diagnostic::at(&Source::new(origin.clone()), range, message)
    }

    /// The value as RON. A string may be given without its quotes.
    fn literal(&self, replaced: &Node) -> Result<Source, Diagnostic> {
        let value = self.value.text();
        if value.trim().is_empty() {
            let path = self.path.join(".");
            return Err(self.fault(&format!("`{path}` is given no value; write it after `=`")));
        }
        let parsed = parse(&value);
        let wants_text = match &replaced.kind {
            Kind::Text(_) => value != "None",
            Kind::Tuple { name, items } => {
                name == "Some" && items.first().is_some_and(|item| item.text().is_some())
            }
            Kind::Word => {
                let key = self.path.last().map_or("", String::as_str);
                OPTIONAL_PATHS.contains(&key) && value != "None"
            }
            _ => false,
        };
        if let Err(error) = &parsed
            && !wants_text
            && opens_bracket(&value)
        {
            let message = error.message.replace("the end of the file", "its end");
            return Err(Diagnostic::at(&self.value, error.span.clone(), message)
                .note("quote the whole for the shell: `--set 'path=[\"a\", \"b\"]'`"));
        }
        let is_word = matches!(&parsed, Ok(node) if node.kind == Kind::Word);
        if !(wants_text && is_word || parsed.is_err()) {
            return Ok(self.value.clone());
        }
        let literal = format!("{value:?}");
        match self.value.locate(0..usize::MAX) {
            Some((origin, written)) => Ok(Source::standing_for(literal, origin, written)),
            None => Ok(self.value.clone()),
        }
    }
}

/// The names of a dotted path, none of them empty.
fn segments(path: &str) -> Option<Vec<String>> {
    let names: Vec<String> = path.split('.').map(str::to_string).collect();
    (!names.iter().any(String::is_empty)).then_some(names)
}

/// Whether a value begins as a list, map, string or `Name(…)` does, and not as a path.
fn opens_bracket(value: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    value
        .trim_start_matches(name)
        .starts_with(['[', '(', '{', '"'])
}
