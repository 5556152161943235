//! Paths in a pipeline's text: environment variables in place of `${env:NAME}`, and where relative ones lie.

use std::path::{Path, PathBuf};

use super::assemble::parse_source;
use super::diagnostic::Diagnostic;
use super::parse::parse;
use super::source::Source;
use super::syntax::{Kind, Node};

/// Keys whose strings are paths.
const PATH_KEYS: &[&str] = &[
    "root", "roots", "images", "labels", "train", "test", "labelled", "weights",
];

/// Whether environment variables must be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variables {
    /// They must.
    Needed,
    /// Paths with a variable that is not set stay as they are written.
    Optional,
}

/// Makes paths absolute and replaces `${env:NAME}` in them. A relative path is what lies there beside the file
/// that names it, or else it is seen from the current directory.
///
/// # Errors
/// A variable that is not set, or `${…}` of another form or outside a path.
pub(super) fn resolve_paths(source: &Source, variables: Variables) -> Result<Source, Diagnostic> {
    let root = parse_source(source)?;
    let mut strings = Vec::new();
    collect_strings(&root, None, &mut strings);
    let mut replacements = Vec::new();
    for (key, node) in strings {
        let text = node.text().unwrap_or_default();
        let refuse = |message: String| Diagnostic::at(source, node.span.clone(), message);
        if key.is_some_and(|k| PATH_KEYS.contains(&k)) {
            let path = match expand(text) {
                Ok(path) => path,
                Err(_) if variables == Variables::Optional => continue,
                Err(message) => {
                    let help = "set it: `NAME=… runner …`, or write the path itself";
                    return Err(refuse(message).note(help));
                }
            };
            let folder = source
                .locate(node.span.clone())
                .and_then(|(origin, _)| origin.folder.clone());
            let path = found(Path::new(&path), folder.as_deref());
            replacements.push((
                node.span.clone(),
                format!("{:?}", path.display().to_string()),
            ));
        } else if text.contains("${") {
            return Err(refuse("`${…}` is replaced in paths only".into())
                .note(format!("paths are the values of {}", PATH_KEYS.join(", "))));
        }
    }
    let mut expanded = source.clone();
    for (span, path) in replacements.into_iter().rev() {
        if let Some((origin, written)) = source.locate(span.clone()) {
            expanded.splice(span, Source::standing_for(path, origin, written));
        }
    }
    Ok(expanded)
}

fn found(path: &Path, folder: Option<&Path>) -> PathBuf {
    let beside = folder.map(|folder| folder.join(path));
    let path = beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| path.to_path_buf());
    std::path::absolute(&path).unwrap_or(path)
}

/// The paths that a resolved pipeline names: data, lists and weights.
pub fn named_paths(resolved: &str) -> Vec<PathBuf> {
    let Ok(root) = parse(resolved) else {
        return Vec::new();
    };
    let mut strings = Vec::new();
    collect_strings(&root, None, &mut strings);
    let paths = strings.into_iter().filter_map(|(key, node)| {
        let is_path = key.is_some_and(|key| PATH_KEYS.contains(&key));
        Some(PathBuf::from(node.text().filter(|_| is_path)?))
    });
    paths.collect()
}

fn collect_strings<'a>(
    node: &'a Node,
    key: Option<&'a str>,
    found: &mut Vec<(Option<&'a str>, &'a Node)>,
) {
    if node.text().is_some() {
        found.push((key, node));
    }
    let inherits = matches!(node.kind, Kind::List(_) | Kind::Tuple { .. });
    for (own, child) in node.children() {
        let key = if inherits { key } else { own };
        collect_strings(child, key, found);
    }
}

fn expand(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let Some(end) = body.find('}') else {
            return Err("`${` without a closing `}`".into());
        };
        let Some(name) = body[..end].strip_prefix("env:") else {
            return Err(format!(
                "`${{{}}}` is not known; write `${{env:NAME}}`",
                &body[..end]
            ));
        };
        let value = std::env::var(name)
            .map_err(|_| format!("the environment variable `{name}` is not set"))?;
        out.push_str(&value);
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}
