//! `--vary path=VALUE,VALUE`: one pipeline as several.

use std::ops::Range;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::overrides::Override;
use super::parse::parse;
use super::syntax::{Kind, Node};

/// One combination of values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variation {
    /// What is appended to the pipeline's name.
    pub suffix: String,
    /// What is changed.
    pub changes: Vec<Override>,
}

/// All combinations of the values of `--vary` arguments, the last varying fastest; one that changes nothing
/// without any.
///
/// # Errors
/// An argument that is not `path=VALUE,VALUE`.
pub fn variations(arguments: &[String]) -> Result<Vec<Variation>, Diagnostic> {
    let mut all = vec![Variation::default()];
    for argument in arguments {
        let values = values(argument)?;
        let mut longer = Vec::new();
        for variation in &all {
            for (name, change) in &values {
                let mut variation = variation.clone();
                variation.suffix += &format!("_{name}");
                variation.changes.push(change.clone());
                longer.push(variation);
            }
        }
        all = longer;
    }
    Ok(all)
}

/// The values of one argument with what they are called.
fn values(argument: &str) -> Result<Vec<(String, Override)>, Diagnostic> {
    let usage = || {
        Diagnostic::new(format!(
            "--vary {argument}: expected `path.to.field=VALUE,VALUE`"
        ))
        .note("for example `--vary decoder=Sam,HSam`")
    };
    let (path, list) = argument.split_once('=').ok_or_else(usage)?;
    let text = format!("[{list}]");
    let Ok(Node {
        kind: Kind::List(items),
        ..
    }) = parse(&text)
    else {
        return Err(usage().note("values with commas in them are RON: `Lora(rank: 4)`, `\"a,b\"`"));
    };
    let value = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let change = |item: &Node| {
        let written = value(&item.span);
        Ok((
            name(item, written),
            Override::parse(&format!("{path}={written}"))?,
        ))
    };
    let values: Vec<_> = items
        .iter()
        .map(change)
        .collect::<Result<_, Diagnostic>>()?;
    match values.is_empty() {
        true => Err(usage()),
        false => Ok(values),
    }
}

/// What a value is called in names of files: its words, or of a fragment the file's name.
fn name(item: &Node, written: &str) -> String {
    let words = match &item.kind {
        Kind::Tuple { name, items } if name == "include" => {
            let file = items.first().and_then(Node::text).unwrap_or_default();
            let stem = Path::new(file).file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        }
        _ => written.to_owned(),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = words.split(|c| !is_word(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_a_name() {
        let arguments = [
            "adapter=Lora(rank: 2), Nothing".to_string(),
            "encoder=include(\"fragments/sam_vit_b.ron\")".to_string(),
        ];
        let all = variations(&arguments).unwrap();
        let names: Vec<&str> = all.iter().map(|v| v.suffix.as_str()).collect();
        assert_eq!(names, ["_Lora-rank-2_sam_vit_b", "_Nothing_sam_vit_b"]);
        assert_eq!(all[1].changes[0].path, ["adapter"]);
        assert_eq!(variations(&[]).unwrap(), [Variation::default()]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for wrong in ["decoder", "decoder=", "decoder=A(,B"] {
            let error = variations(&[wrong.to_string()]).unwrap_err();
            assert!(
                error.to_string().contains("path.to.field=VALUE,VALUE"),
                "{error}"
            );
        }
    }
}
