//! `--set path.to.field=value`.

use std::sync::Arc;

use super::assemble::parse_source;
use super::diagnostic::Diagnostic;
use super::parse::parse;
use super::source::{Origin, Source};
use super::syntax::{Kind, Node};

/// How an override is shown in messages.
const FLAG: &str = "--set ";
/// Keys of paths that may be `None` in the text.
const OPTIONAL_PATHS: &[&str] = &["weights", "labels"];

/// One `--set` of the command line.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// Names from the top of the pipeline to the field. Stages and data sets go by their names.
    pub path: Vec<String>,
    /// What was written after `=`.
    pub value: String,
    origin: Arc<Origin>,
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
        let path: Vec<String> = path.split('.').map(str::to_string).collect();
        if path.iter().any(String::is_empty) {
            return Err(usage());
        }
        Ok(Self {
            path,
            value: value.to_string(),
            origin: Arc::new(Origin {
                name: "command line".into(),
                text: format!("{FLAG}{argument}"),
            }),
        })
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
        let literal = self.literal(node)?;
        let start = self.origin.text.len() - self.value.len();
        let written = start..self.origin.text.len();
        let replacement = Source::standing_for(literal, self.origin.clone(), written);
        source.splice(node.span.clone(), replacement);
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
        let source = Source::new(self.origin.clone());
        let end = self.origin.text.len();
        Diagnostic::at(&source, end - self.value.len()..end, message)
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
        let parents = self.path[..depth].iter().map(|s| s.len() + 1);
        let before = FLAG.len() + parents.sum::<usize>();
        let source = Source::new(self.origin.clone());
        let end = before + self.path[depth].len();
        Diagnostic::at(&source, before..end, message)
    }

    /// The value as RON. A string may be given without its quotes.
    fn literal(&self, replaced: &Node) -> Result<String, Diagnostic> {
        if self.value.trim().is_empty() {
            let path = self.path.join(".");
            return Err(self.fault(&format!("`{path}` is given no value; write it after `=`")));
        }
        let parsed = parse(&self.value);
        let wants_text = match &replaced.kind {
            Kind::Text(_) => self.value != "None",
            Kind::Tuple { name, items } => {
                name == "Some" && items.first().is_some_and(|item| item.text().is_some())
            }
            Kind::Word => {
                let key = self.path.last().map_or("", String::as_str);
                OPTIONAL_PATHS.contains(&key) && self.value != "None"
            }
            _ => false,
        };
        if let Err(error) = &parsed
            && !wants_text
            && opens_bracket(&self.value)
        {
            let start = self.origin.text.len() - self.value.len();
            let source = Source::new(self.origin.clone());
            let span = start + error.span.start..start + error.span.end;
            let message = error.message.replace("the end of the file", "its end");
            return Err(Diagnostic::at(&source, span, message)
                .note("quote the whole for the shell: `--set 'path=[\"a\", \"b\"]'`"));
        }
        let is_word = matches!(&parsed, Ok(node) if node.kind == Kind::Word);
        Ok(match wants_text && is_word || parsed.is_err() {
            true => format!("{:?}", self.value),
            false => self.value.clone(),
        })
    }
}

/// Whether a value begins as a list, map, string or `Name(…)` does, and not as a path.
fn opens_bracket(value: &str) -> bool {
    let name = |c: char| c.is_alphanumeric() || c == '_';
    value
        .trim_start_matches(name)
        .starts_with(['[', '(', '{', '"'])
}
