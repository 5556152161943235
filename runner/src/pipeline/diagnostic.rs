//! Mistakes in pipeline files, shown with the line they are on.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::source::{Origin, Source};

/// A mistake in a pipeline file: what, where, and what to write instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where it is wrong, when it is one place.
    pub place: Option<Place>,
    /// What was expected or what to do, one line each.
    pub notes: Vec<String>,
}

/// A place in a file, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// File, or `--set`.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line itself.
    pub line_text: String,
    /// How many characters to underline.
    pub width: usize,
}

impl Diagnostic {
    /// A mistake that has no place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            notes: Vec::new(),
        }
    }

    /// A mistake at `range` of the assembled text.
    pub(super) fn at(source: &Source, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            place: Place::of(source, range),
            ..Self::new(message)
        }
    }

    /// Adds a line of help.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds "did you mean …?" when one of `known` is close to `found`.
    #[must_use]
    pub fn suggest<'a>(self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(found, known) {
            Some(name) => self.note(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut margin = String::new();
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            margin = " ".repeat(number.len());
            let indent = " ".repeat(place.column - 1);
            let carets = "^".repeat(place.width.max(1));
            let Place {
                name, line, column, ..
            } = place;
            write!(f, "\n{margin}--> {name}:{line}:{column}")?;
            write!(f, "\n{margin} |\n{number} | {}", place.line_text)?;
            write!(f, "\n{margin} | {indent}{carets}")?;
        }
        for note in &self.notes {
            write!(f, "\n{margin} = {note}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

impl Place {
    /// The place of a range of the assembled text.
    pub(super) fn of(source: &Source, range: Range<usize>) -> Option<Self> {
        let (origin, range) = source.locate(range)?;
        Some(Self::new(&origin, range))
    }

    fn new(origin: &Origin, range: Range<usize>) -> Self {
        let before = origin.text.get(..range.start).unwrap_or(&origin.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line_text = origin.text[line_start..].lines().next().unwrap_or("");
        // Tabs would shift the carets, which are counted in characters.
        let line_text = line_text.replace('\t', " ");
        let column = before[line_start..].chars().count() + 1;
        let marked = origin.text.get(range).unwrap_or("");
        let width = marked.lines().next().unwrap_or("").chars().count();
        Self {
            name: origin.name.clone(),
            line: before.matches('\n').count() + 1,
            column,
            line_text,
            width,
        }
    }
}

/// The name among `known` closest to `found`, when it is close enough to be a slip.
pub(super) fn nearest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let found = found.to_lowercase();
    let scored = known.into_iter().map(|name| {
        let distance = strsim::damerau_levenshtein(&found, &name.to_lowercase());
        (distance, name)
    });
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    let limit = (found.chars().count().max(3)) / 3 + 1;
    (distance <= limit).then_some(name)
}

/// The way a path is shown: relative to the current directory where it lies below it.
pub(super) fn shown(path: &Path) -> String {
    let below = std::env::current_dir()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    below.as_deref().unwrap_or(path).display().to_string()
}
