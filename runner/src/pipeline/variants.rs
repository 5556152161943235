//! What a file says for several stages or variants at once, put where it belongs: `common` and `variants`.

use std::ops::Range;

use super::assemble::parse_source;
use super::diagnostic::Diagnostic;
use super::overrides::Override;
use super::source::Source;
use super::syntax::{Field, Kind, Node};

/// Fields that say which variant a pipeline is, their defaults, and the names they take.
const SWITCHES: [(&str, Option<&str>, &[&str]); 3] = [
    (
        "adapter",
        Some("Experts"),
        &[
            "Experts",
            "UntrainedExperts",
            "SummedExperts",
            "Lora",
            "Nothing",
        ],
    ),
    ("decoder", Some("Sam"), &["Sam", "HSam"]),
    ("encoder", None, &["Sam", "TinyVit", "Sam2"]),
];
/// Fields that stages have in common; the last three of those that train.
const COMMON: [&str; 5] = ["data", "batch", "epochs", "max_steps", "optimiser"];

/// Writes down the variant's fields that are left to their defaults, so that they can be changed and asked for.
///
/// # Errors
/// A text that is not RON.
pub(super) fn spell_out(source: &mut Source) -> Result<(), Diagnostic> {
    for (key, default, _) in SWITCHES {
        let root = parse_source(source)?;
        if let Some(default) = default
            && root.member(key).is_none()
            && let Kind::Struct { fields, .. } = &root.kind
            && let Some(first) = fields.first()
        {
            let at = first.key_span.start;
            source.splice(at..at, Source::spelled_out(format!("{key}: {default}, ")));
        }
    }
    Ok(())
}

/// Takes `variants` out of the text and returns the changes of those that apply, in the order of the file:
/// `variants: {"adapter=Lora, decoder=HSam": {"path.to.field": value}}`.
///
/// # Errors
/// A variant that no pipeline can be.
pub(super) fn take(source: &mut Source) -> Result<Vec<Override>, Diagnostic> {
    let root = parse_source(source)?;
    let Some(field) = field(&root, "variants") else {
        return Ok(Vec::new());
    };
    let usage = |node: &Node| {
        let message =
            "expected a map of variants, `{\"decoder=NAME\": {\"path.to.field\": value}}`";
        Diagnostic::at(source, node.span.clone(), message)
    };
    let Kind::Map(entries) = &field.value.kind else {
        return Err(usage(&field.value));
    };
    let text = source.text();
    let mut changes = Vec::new();
    for (key, value) in entries {
        let conditions = key.text().ok_or_else(|| usage(key))?;
        let mut applies = true;
        for condition in conditions.split(',') {
            let (switch, wanted) = condition.trim().split_once('=').ok_or_else(|| usage(key))?;
            let fault = |message: String| Diagnostic::at(source, key.span.clone(), message);
            let known = SWITCHES.iter().find(|(name, ..)| *name == switch);
            let Some((_, _, names)) = known else {
                let names = SWITCHES.map(|(name, ..)| name);
                return Err(fault(format!("`{switch}` does not make a variant"))
                    .suggest(switch, names)
                    .note(format!("what does: {}", names.join(", "))));
            };
            if !names.contains(&wanted) {
                return Err(fault(format!("there is no {switch} `{wanted}`"))
                    .suggest(wanted, names.iter().copied())
                    .note(format!("{switch}: {}", names.join(", "))));
            }
            applies &= root.member(switch).and_then(|node| name(node, &text)) == Some(wanted);
        }
        let own = Override::of_map(source, value)?;
        if applies {
            changes.extend(own);
        }
    }
    let range = with_comma(field, &text);
    source.splice(range, Source::spelled_out(String::new()));
    Ok(changes)
}

/// Takes `common` out of the text and gives its fields to every stage that has such a field and does not write it.
///
/// # Errors
/// A field that stages do not share.
pub(super) fn share(source: &mut Source) -> Result<(), Diagnostic> {
    let root = parse_source(source)?;
    let Some(common) = field(&root, "common") else {
        return Ok(());
    };
    let Kind::Struct { fields, .. } = &common.value.kind else {
        let message = "expected what stages have in common, `(data: \"…\", batch: …)`";
        return Err(Diagnostic::at(source, common.value.span.clone(), message));
    };
    if let Some(unknown) = fields.iter().find(|f| !COMMON.contains(&f.key.as_str())) {
        let message = format!("unknown field `{}` of `common`", unknown.key);
        return Err(Diagnostic::at(source, unknown.key_span.clone(), message)
            .suggest(&unknown.key, COMMON)
            .note(format!("fields: {}", COMMON.join(", "))));
    }
    // From the end of the text on, so that places before stay what they are.
    let mut edits = vec![(
        with_comma(common, &source.text()),
        Source::spelled_out(String::new()),
    )];
    if let Some(Kind::List(stages)) = root.member("stages").map(|node| &node.kind) {
        for stage in stages {
            let Kind::Struct { name, fields: own } = &stage.kind else {
                continue;
            };
            let taken = if name == "Evaluate" {
                &COMMON[..2]
            } else {
                &COMMON[..]
            };
            let Some(first) = own.first() else { continue };
            for shared in fields {
                let key = shared.key.as_str();
                if taken.contains(&key) && stage.member(key).is_none() {
                    let mut text = source.slice(shared.key_span.start..shared.value.span.end);
                    let end = text.text().len();
                    text.splice(end..end, Source::spelled_out(", ".into()));
                    let at = first.key_span.start;
                    edits.push((at..at, text));
                }
            }
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, text) in edits {
        source.splice(range, text);
    }
    Ok(())
}

/// Gives a variant's bare name its empty parentheses: `HSam` is `HSam()`, with all fields left to defaults.
///
/// # Errors
/// A text that is not RON.
pub(super) fn complete_names(source: &mut Source) -> Result<(), Diagnostic> {
    for key in ["adapter", "decoder"] {
        let root = parse_source(source)?;
        let text = source.text();
        if let Some(node) = root.member(key)
            && node.kind == Kind::Word
            && text[node.span.clone()].starts_with(char::is_alphabetic)
        {
            let end = node.span.end;
            let place = source.locate(node.span.clone());
            if let Some((origin, written)) = place {
                source.splice(end..end, Source::standing_for("()".into(), origin, written));
            }
        }
    }
    Ok(())
}

fn field<'a>(root: &'a Node, key: &str) -> Option<&'a Field> {
    match &root.kind {
        Kind::Struct { fields, .. } => fields.iter().find(|f| f.key == key),
        _ => None,
    }
}

/// The name of a variant, with or without fields.
fn name<'a>(node: &'a Node, text: &'a str) -> Option<&'a str> {
    match &node.kind {
        Kind::Struct { name, .. } | Kind::Tuple { name, .. } => Some(name),
        Kind::Word => text.get(node.span.clone()),
        _ => None,
    }
}

/// A field from its key to the comma behind it.
fn with_comma(field: &Field, text: &str) -> Range<usize> {
    let end = field.value.span.end;
    let rest = text.get(end..).unwrap_or_default();
    let comma = rest.trim_start().starts_with(',');
    let end = if comma {
        end + rest.find(',').map_or(0, |at| at + 1)
    } else {
        end
    };
    field.key_span.start..end
}
