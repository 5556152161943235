//! Text to typed pipeline and back.

use std::path::Path;
use std::sync::Arc;

use ron::Options;
use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::assemble::{Assembled, assemble, parse_source};
use super::describe::describe;
use super::diagnostic::Diagnostic;
use super::overrides::Override;
use super::paths::{Variables, resolve_paths};
use super::schema::Pipeline;
use super::source::{Origin, Source};
use super::validate::validate;
use super::variants;

/// Reads, completes and validates a pipeline.
///
/// # Errors
/// The first mistake, with its place.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Pipeline, Diagnostic> {
    read(path, overrides, Variables::Needed)
}

/// As [`load`], for uses that touch no data: environment variables need not be set, and paths keep
/// `${env:NAME}` where they are not.
///
/// # Errors
/// The first mistake, with its place.
pub fn load_without_data(path: &Path, overrides: &[Override]) -> Result<Pipeline, Diagnostic> {
    read(path, overrides, Variables::Optional)
}

/// A pipeline as RON with every field spelled out; reading it gives the same pipeline.
///
/// # Errors
/// A value RON cannot express.
pub fn to_ron(pipeline: &Pipeline) -> Result<String, Diagnostic> {
    let pretty = PrettyConfig::new()
        .new_line("\n")
        .struct_names(true)
        .compact_arrays(false);
    options()
        .to_string_pretty(pipeline, pretty)
        .map(|text| text + "\n")
        .map_err(|e| Diagnostic::new(format!("cannot write the pipeline as RON: {e}")))
}

/// A part of a pipeline as RON in one line.
///
/// # Errors
/// A value RON cannot express.
pub fn part_to_ron<T: Serialize>(part: &T) -> Result<String, Diagnostic> {
    options()
        .to_string(part)
        .map_err(|e| Diagnostic::new(format!("cannot write a part of the pipeline as RON: {e}")))
}

/// Reads a part of a pipeline, such as its encoder: a fragment file (`….ron`), or RON written on the
/// command line.
///
/// # Errors
/// The first mistake, with its place.
pub fn read_part<T: DeserializeOwned>(written: &str) -> Result<T, Diagnostic> {
    if written.ends_with(".ron") {
        return typed(&assemble(Path::new(written))?.source);
    }
    let name = "the command line".into();
    let text = written.into();
    let folder = None;
    typed(&Source::new(Arc::new(Origin { name, text, folder })))
}

fn read(path: &Path, overrides: &[Override], variables: Variables) -> Result<Pipeline, Diagnostic> {
    let Assembled {
        mut source,
        mut changes,
    } = assemble(path)?;
    for change in overrides {
        changes.push(change.including(path)?);
    }
    variants::spell_out(&mut source)?;
    let mut is_made = apply(&changes, &mut source)?;
    // What a variant changes depends on the changes, and they win over it.
    let mut all = variants::take(&mut source)?;
    is_made.splice(0..0, vec![false; all.len()]);
    all.extend(changes);
    variants::share(&mut source)?;
    for (made, now) in is_made.iter_mut().zip(apply(&all, &mut source)?) {
        *made |= now;
    }
    variants::complete_names(&mut source)?;
    let source = resolve_paths(&source, variables)?;
    let mut pipeline: Pipeline = typed(&source)?;
    if is_made.contains(&false) {
        // Fields left to their defaults are not in the file: spell all of them out and look again.
        let mut complete = Source::spelled_out(to_ron(&pipeline)?);
        for (change, _) in all.iter().zip(&is_made).filter(|(_, made)| !**made) {
            change.apply(&mut complete)?;
        }
        pipeline = typed(&resolve_paths(&complete, variables)?)?;
    }
    let root = parse_source(&source)?;
    validate(&pipeline, &source, &root, &all)?;
    pipeline.leave_out_unneeded();
    pipeline.spell_out_intensities();
    Ok(pipeline)
}

/// Makes the changes of what the text spells out, and says of each whether it was made.
fn apply(changes: &[Override], source: &mut Source) -> Result<Vec<bool>, Diagnostic> {
    let apply = |change: &Override| change.apply_where_written(source);
    changes.iter().map(apply).collect()
}

fn options() -> Options {
    Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

fn typed<T: DeserializeOwned>(source: &Source) -> Result<T, Diagnostic> {
    let root = parse_source(source)?;
    let text = source.text();
    options()
        .from_str(&text)
        .map_err(|e| describe(source, &text, &root, &e))
}
