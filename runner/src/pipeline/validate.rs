//! What types cannot say: names that must exist, order, and sizes that must fit.

mod stage;

use std::ops::Range;

use super::diagnostic::Diagnostic;
use super::encoder::Encoder;
use super::overrides::Override;
use super::schema::Pipeline;
use super::source::Source as Text;
use super::stages::Stage;
use super::syntax::{Kind, Node};
use super::variant::Decoder;
use crate::data::input_intensity::InputIntensity;
use crate::data::source::{Intensity, Source};

/// Checks a typed pipeline; `source` and `root` are the text it came from.
///
/// # Errors
/// The first mistake, with its place.
pub(super) fn validate(
    pipeline: &Pipeline,
    source: &Text,
    root: &Node,
    overrides: &[Override],
) -> Result<(), Diagnostic> {
    let check = Check {
        pipeline,
        source,
        root,
        overrides,
    };
    check.names()?;
    check.sizes()?;
    check.intensities()?;
    let unneeded = pipeline.unneeded();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        // What this variant leaves out need not fit it.
        if !unneeded.iter().any(|name| name == stage.name()) {
            check.stage(index)?;
        }
    }
    Ok(())
}

struct Check<'a> {
    pipeline: &'a Pipeline,
    source: &'a Text,
    root: &'a Node,
    overrides: &'a [Override],
}

impl Check<'_> {
    fn names(&self) -> Result<(), Diagnostic> {
        let pipeline = self.pipeline;
        if !is_name(&pipeline.name) {
            return Err(self.fault(&["name"], bad_name(&pipeline.name)));
        }
        if let Some(name) = pipeline.data.keys().find(|name| !is_name(name)) {
            return Err(self.fault(&["data", name], bad_name(name)));
        }
        if pipeline.stages.is_empty() {
            return Err(self.fault(&["stages"], "a pipeline needs at least one stage".into()));
        }
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let name = stage.name();
            if !is_name(name) {
                return Err(self.stage_fault(index, "name", bad_name(name)));
            }
            if pipeline.stages[..index].iter().any(|s| s.name() == name) {
                let message = format!("two stages are called `{name}`");
                return Err(self.stage_fault(index, "name", message));
            }
        }
        Ok(())
    }

    fn sizes(&self) -> Result<(), Diagnostic> {
        let encoder = &self.pipeline.encoder;
        encoder
            .check()
            .map_err(|(field, rule)| self.fault(&["encoder", field], format!("{field}: {rule}")))?;
        let decoder = self.pipeline.transformer.for_classes(1);
        decoder
            .check(encoder.out_channels())
            .map_err(|(field, rule)| {
                self.fault(&["transformer", field], format!("{field}: {rule}"))
            })?;
        if let Decoder::HSam { noise, .. } = &self.pipeline.decoder {
            noise.check().map_err(|(field, rule)| {
                self.fault(&["decoder", "noise", field], format!("{field}: {rule}"))
            })?;
            let channels = encoder.out_channels();
            // LayerNorm of a sixteenth of fewer, two channels, keeps their order alone and has next to no gradient.
            if !channels.is_multiple_of(16) || channels < 64 {
                let message = format!(
                    "H-SAM divides the encoder's {channels} channels by 16; they must be a multiple, and at least 64"
                );
                return Err(self.fault(&["decoder"], message));
            }
            if let Encoder::Sam2(_) = encoder {
                let message =
                    "H-SAM's decoders are for SAM's features; SAM 2 has a decoder of its own";
                return Err(self
                    .fault(&["decoder"], message.into())
                    .note("write `decoder: Sam`"));
            }
        }
        let adapter = self.pipeline.adapter.check();
        adapter.map_err(|(field, rule)| self.fault(&["adapter", field], format!("{field}: {rule}")))
    }

    fn intensities(&self) -> Result<(), Diagnostic> {
        if self.pipeline.intensity == Some(InputIntensity::Standardised) {
            let message = "fine-tuning sees a data set's own intensities: UnitRange or ImageNet";
            return Err(self.fault(&["intensity"], message.into()));
        }
        for (name, source) in &self.pipeline.data {
            let (good, rule) = match source.intensity() {
                Intensity::Window { low, high } => (
                    low < high && (high - low).is_finite(),
                    "a window needs two values, the lower one first",
                ),
                Intensity::Percentile { low, high } => (
                    0.0 <= low && low < high && high <= 100.0,
                    "percentiles lie in 0 to 100, the lower one first",
                ),
                Intensity::ZScore => (true, ""),
            };
            let field = match source {
                Source::Synapse { .. } => "window_hu",
                _ => "intensity",
            };
            if !good {
                return Err(self.fault(&["data", name, field], format!("{field}: {rule}")));
            }
        }
        Ok(())
    }

    fn positive(&self, index: usize, field: &str, value: usize) -> Result<(), Diagnostic> {
        match value {
            0 => Err(self.stage_fault(index, field, format!("{field} must be at least 1"))),
            _ => Ok(()),
        }
    }

    /// A mistake at a dotted field of stage `index`, or at the `--set` that gave it.
    fn stage_fault(&self, index: usize, field: &str, message: String) -> Diagnostic {
        let name = self.pipeline.stages.get(index).map_or("", Stage::name);
        let segments: Vec<&str> = field.split('.').collect();
        let path = [&["stages", name], segments.as_slice()].concat();
        if let Some(diagnostic) = self.override_fault(&path, &message) {
            return diagnostic;
        }
        let stages = self.root.member("stages").map(|node| &node.kind);
        let node = match stages {
            Some(Kind::List(items)) => items.get(index),
            _ => None,
        };
        let range = node.map_or(self.root.span.clone(), |node| deepest(node, &segments));
        Diagnostic::at(self.source, range, message)
    }

    /// A mistake at a field of the pipeline, or at the `--set` that gave it.
    fn fault(&self, path: &[&str], message: String) -> Diagnostic {
        self.override_fault(path, &message)
            .unwrap_or_else(|| Diagnostic::at(self.source, deepest(self.root, path), message))
    }

    fn override_fault(&self, path: &[&str], message: &str) -> Option<Diagnostic> {
        let change = self.overrides.iter().rev().find(|o| o.path == path)?;
        Some(change.fault(message))
    }
}

/// The place of the last segment that is written down; of a whole struct only its name.
fn deepest(node: &Node, path: &[&str]) -> Range<usize> {
    let mut node = node;
    for segment in path {
        match node.member(segment) {
            Some(member) => node = member,
            None => break,
        }
    }
    match &node.kind {
        Kind::Struct { name, .. } => node.span.start..node.span.start + name.len().max(1),
        _ => node.span.clone(),
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(allowed)
}

fn bad_name(name: &str) -> String {
    format!("`{name}` is not a name: use letters, digits, `_` and `-`")
}
