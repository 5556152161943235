//! From a file on disk to one text and the changes to it: fragments are put in place of `include("…")`, and a
//! file of `Changes(…)` stands on the one it names.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use samora_engine::io_reason;

use super::diagnostic::{Diagnostic, Place, shown};
use super::overrides::Override;
use super::parse::parse;
use super::source::{Origin, Source};
use super::syntax::{Kind, Node};
use crate::text_file;

/// The name of a file that changes another one.
const CHANGES: &str = "Changes";

/// A pipeline's text, and what is to be changed in it.
pub(super) struct Assembled {
    /// The text.
    pub source: Source,
    /// Changes in the order in which they are made.
    pub changes: Vec<Override>,
}

/// Reads a pipeline file, everything it includes, and the file that it changes:
/// `Changes(of: "base.ron", name: "…", set: {"path.to.field": value})`. Paths of includes and bases are
/// relative to the file they stand in; an included list in a list adds its items to it.
///
/// # Errors
/// A file that cannot be read or is not RON, a file that is named and does not exist, or a cycle.
pub(super) fn assemble(path: &Path) -> Result<Assembled, Diagnostic> {
    let text = read_text(path).map_err(|problem| {
        let message = format!("cannot read {}: {problem}", path.display());
        beside(Diagnostic::new(message), path)
    })?;
    assemble_text(path, text, &mut vec![identity(path)])
}

fn assemble_text(
    path: &Path,
    text: String,
    chain: &mut Vec<PathBuf>,
) -> Result<Assembled, Diagnostic> {
    let source = with_includes(path, text, chain)?;
    let root = parse_source(&source)?;
    let Kind::Struct { name, fields } = &root.kind else {
        let changes = Vec::new();
        return Ok(Assembled { source, changes });
    };
    if name != CHANGES {
        let changes = Vec::new();
        return Ok(Assembled { source, changes });
    }
    let known = ["of", "name", "set"];
    if let Some(field) = fields.iter().find(|f| !known.contains(&f.key.as_str())) {
        let message = format!("unknown field `{}` of `{CHANGES}`", field.key);
        return Err(Diagnostic::at(&source, field.key_span.clone(), message)
            .note(format!("fields: {}", known.join(", "))));
    }
    let missing = |field: &str| {
        let message = format!("missing field `{field}` of `{CHANGES}`");
        Diagnostic::at(
            &source,
            root.span.start..root.span.start + CHANGES.len(),
            message,
        )
    };
    let base = root.member("of").ok_or_else(|| missing("of"))?;
    let name = root.member("name").ok_or_else(|| missing("name"))?;
    let Some(file) = base.text().filter(|file| !file.is_empty()) else {
        let message = "`of` takes the name of a pipeline file, in quotes";
        return Err(Diagnostic::at(&source, base.span.clone(), message));
    };
    let file = path.parent().unwrap_or(Path::new("")).join(file);
    let text = chained_text(&source, base.span.clone(), &file, chain)?;
    let mut assembled = assemble_text(&file, text, chain)?;
    chain.pop();
    assembled
        .changes
        .extend(Override::of_field(&source, "name", name));
    if let Some(set) = root.member("set") {
        assembled.changes.extend(Override::of_map(&source, set)?);
    }
    Ok(assembled)
}

/// Parses the assembled text.
///
/// # Errors
/// What is not RON, at the place where it was written.
pub(super) fn parse_source(source: &Source) -> Result<Node, Diagnostic> {
    parse(&source.text()).map_err(|e| {
        let mut diagnostic = Diagnostic::at(source, e.span, e.message);
        if let Some(bracket) = e.opened
            && let Some(Place {
                name, line, column, ..
            }) = Place::of(source, bracket..bracket + 1)
        {
            let note = format!("the bracket at {name}:{line}:{column} may be the one not closed");
            diagnostic = diagnostic.note(note);
        }
        match e.help {
            Some(help) => diagnostic.note(help),
            None => diagnostic,
        }
    })
}

fn with_includes(
    path: &Path,
    text: String,
    chain: &mut Vec<PathBuf>,
) -> Result<Source, Diagnostic> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let source = Source::new(Arc::new(Origin {
        name: shown(path),
        text,
        folder: Some(folder.to_path_buf()),
    }));
    included(source, folder, chain)
}

/// Puts fragments in place of every `include("…")` of a change, seen from the pipeline file.
///
/// # Errors
/// As for [`assemble`].
pub(super) fn including(source: Source, pipeline: &Path) -> Result<Source, Diagnostic> {
    let folder = pipeline.parent().unwrap_or(Path::new(""));
    included(source, folder, &mut vec![identity(pipeline)])
}

fn included(
    mut source: Source,
    folder: &Path,
    chain: &mut Vec<PathBuf>,
) -> Result<Source, Diagnostic> {
    let root = parse_source(&source)?;
    let mut includes = Vec::new();
    collect_includes(&root, false, &mut includes)
        .map_err(|span| Diagnostic::at(&source, span, "include takes one file name in quotes"))?;
    for Include {
        span,
        file,
        in_list,
    } in includes.into_iter().rev()
    {
        let fragment = include(&source, span.clone(), &folder.join(file), in_list, chain)?;
        source.splice(span, fragment);
    }
    Ok(source)
}

struct Include {
    span: Range<usize>,
    file: String,
    in_list: bool,
}

/// Finds `include("…")` in order of position.
///
/// # Errors
/// The place of one that names no file.
fn collect_includes(
    node: &Node,
    in_list: bool,
    found: &mut Vec<Include>,
) -> Result<(), Range<usize>> {
    if let Kind::Tuple { name, items } = &node.kind
        && name == "include"
    {
        let file = match items.as_slice() {
            [item] => item.text().filter(|file| !file.is_empty()),
            _ => None,
        };
        found.push(Include {
            span: node.span.clone(),
            file: file.ok_or(node.span.clone())?.to_string(),
            in_list,
        });
        return Ok(());
    }
    let is_list = matches!(node.kind, Kind::List(_));
    for (_, child) in node.children() {
        collect_includes(child, is_list, found)?;
    }
    Ok(())
}

/// The fragment that an `include` at `span` names. `chain` holds the files being read.
fn include(
    source: &Source,
    span: Range<usize>,
    path: &Path,
    in_list: bool,
    chain: &mut Vec<PathBuf>,
) -> Result<Source, Diagnostic> {
    let text = chained_text(source, span, path, chain)?;
    let fragment = with_includes(path, text, chain)?;
    chain.pop();
    let root = parse_source(&fragment)?;
    let range = match &root.kind {
        Kind::List(items) if in_list => match (items.first(), items.last()) {
            (Some(first), Some(last)) => first.span.start..last.span.end,
            _ => {
                let message = "an included list must not be empty";
                return Err(Diagnostic::at(&fragment, root.span, message));
            }
        },
        _ => root.span,
    };
    Ok(fragment.slice(range))
}

/// The text of a file that another one names at `span`; it becomes the last of the `chain` of files being read.
fn chained_text(
    source: &Source,
    span: Range<usize>,
    path: &Path,
    chain: &mut Vec<PathBuf>,
) -> Result<String, Diagnostic> {
    let through = |chain: &[PathBuf]| {
        let names: Vec<String> = chain.iter().map(|p| shown(p)).collect();
        names.join(" → ")
    };
    let identity = identity(path);
    if chain.contains(&identity) {
        chain.push(identity);
        let message = format!("the include of {} leads back to itself", shown(path));
        return Err(Diagnostic::at(source, span, message).note(through(chain)));
    }
    let text = read_text(path).map_err(|problem| {
        let message = format!("cannot read the included file {}: {problem}", shown(path));
        let diagnostic = Diagnostic::at(source, span, message);
        let diagnostic = diagnostic.note(format!("included from {}", through(chain)));
        beside(diagnostic, path)
    })?;
    chain.push(identity);
    Ok(text)
}

/// The text of a file, without a mark of byte order.
fn read_text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        _ if path.is_dir() => "it is a folder".into(),
        _ => io_reason(&e),
    })?;
    text_file::decode(bytes)
}

/// Suggests the nearest name beside a file that is missing.
fn beside(diagnostic: Diagnostic, path: &Path) -> Diagnostic {
    if path.exists() {
        return diagnostic;
    }
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
    let entries = folder.unwrap_or(Path::new(".")).read_dir();
    let names: Vec<String> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    let found = path.file_name().unwrap_or_default().to_string_lossy();
    diagnostic.suggest(&found, names.iter().map(String::as_str))
}

/// The same file has the same identity however its path is written.
fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
