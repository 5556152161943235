//! Which keys differ between two resolved pipelines.

use super::parse::parse;
use super::syntax::{Kind, Node};

/// One line for each key in which two RON texts differ, as `path.to.key: old → new`.
pub fn differences(old: &str, new: &str) -> Vec<String> {
    let (Ok(old_root), Ok(new_root)) = (parse(old), parse(new)) else {
        return vec!["the whole file (it is damaged)".into()];
    };
    let mut found = Vec::new();
    let texts = (old, new);
    compare(texts, &old_root, &new_root, &mut Vec::new(), &mut found);
    found
}

fn compare(
    texts: (&str, &str),
    old: &Node,
    new: &Node,
    path: &mut Vec<String>,
    found: &mut Vec<String>,
) {
    let names = old.member_names();
    let comparable = !names.is_empty()
        && names.len() == old.children().len()
        && names == new.member_names()
        && struct_name(old) == struct_name(new);
    if !comparable {
        if flat(texts.0, old) != flat(texts.1, new) {
            let (before, after) = (shown(texts.0, old), shown(texts.1, new));
            found.push(format!("{}: {before} → {after}", path.join(".")));
        }
        return;
    }
    for name in names {
        if let (Some(a), Some(b)) = (old.member(&name), new.member(&name)) {
            path.push(name);
            compare(texts, a, b, path, found);
            path.pop();
        }
    }
}

fn struct_name(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Struct { name, .. } => Some(name),
        _ => None,
    }
}

/// The text of a value without its layout.
fn flat(text: &str, node: &Node) -> String {
    let text = text.get(node.span.clone()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value short enough to stand in a line.
fn shown(text: &str, node: &Node) -> String {
    let text = flat(text, node);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
