//! What types cannot say: names that must exist, order, and sizes that must fit.

use std::ops::Range;

use samora_engine::models::mae::MaeConfig;
use samora_engine::optim::OptimConfig;

use super::diagnostic::Diagnostic;
use super::encoder::Encoder;
use super::overrides::Override;
use super::schema::Pipeline;
use super::source::Source as Text;
use super::stages::{
    Adapter, Augmentation, Evaluate, Expert, Finetune, HlAttn, Level, Objective, Pretrain, Stage,
};
use super::syntax::{Kind, Node};
use crate::data::quirk::Quirk;
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
    for index in 0..pipeline.stages.len() {
        check.stage(index)?;
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
        let decoder = self.pipeline.decoder.for_classes(1);
        decoder
            .check(encoder.out_channels())
            .map_err(|(field, rule)| self.fault(&["decoder", field], format!("{field}: {rule}")))?;
        if self.pipeline.lora.rank == 0 {
            return Err(self.fault(&["lora", "rank"], "rank must be at least 1".into()));
        }
        Ok(())
    }

    fn intensities(&self) -> Result<(), Diagnostic> {
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

    fn stage(&self, index: usize) -> Result<(), Diagnostic> {
        let Some(stage) = self.pipeline.stages.get(index) else {
            return Ok(());
        };
        if !self.pipeline.data.contains_key(stage.data()) {
            let known = self.pipeline.data.keys().map(String::as_str);
            let message = format!("there is no data set `{}`", stage.data());
            return Err(self
                .stage_fault(index, "data", message)
                .suggest(stage.data(), known.clone())
                .note(format!(
                    "data sets: {}",
                    known.collect::<Vec<_>>().join(", ")
                )));
        }
        self.positive(index, "batch", stage.batch())?;
        self.scale(index, stage)?;
        let optimiser = stage.optimiser().map_or(Ok(()), OptimConfig::check);
        optimiser.map_err(|(field, rule)| {
            let path = format!("optimiser.{field}");
            self.stage_fault(index, &path, format!("{field}: {rule}"))
        })?;
        match stage {
            Stage::Pretrain(s) => self.pretrain(index, s),
            Stage::Expert(s) => self.expert(index, s),
            Stage::Finetune(s) => self.finetune(index, s),
            Stage::Evaluate(s) => self.evaluate(index, s),
        }
    }

    /// TinyViT's published weights are for images in 0…1, which only teachers and experts see whatever
    /// the data set's intensities.
    fn scale(&self, index: usize, stage: &Stage) -> Result<(), Diagnostic> {
        let intensity = self.pipeline.data.get(stage.data()).map(Source::intensity);
        match (stage, &self.pipeline.encoder, intensity) {
            (
                Stage::Finetune(_) | Stage::Evaluate(_),
                Encoder::TinyVit(_),
                Some(Intensity::ZScore),
            ) => {
                let message = format!(
                    "TinyViT takes images in 0…1, and those of `{}` are ZScore",
                    stage.data()
                );
                let note = "give the data set `intensity: Percentile(low: 1, high: 99)`";
                Err(self.stage_fault(index, "data", message).note(note))
            }
            _ => Ok(()),
        }
    }

    fn pretrain(&self, index: usize, stage: &Pretrain) -> Result<(), Diagnostic> {
        self.positive(index, "epochs", stage.epochs)?;
        if let (Objective::Masked { .. }, Encoder::TinyVit(_)) =
            (&stage.objective, &self.pipeline.encoder)
        {
            let message = "Masked trains SAM's ViT; TinyViT has no patches to hide".to_string();
            let note = "give the pipeline `weights`, or an encoder `Sam(…)`";
            return Err(self.stage_fault(index, "objective", message).note(note));
        }
        if let Objective::Simclr { temperature, .. } = stage.objective
            && !(temperature > 0.0 && temperature.is_finite())
        {
            let message = "temperature must be a positive number".to_string();
            return Err(self.stage_fault(index, "objective.temperature", message));
        }
        let (ratio, sizes) = match &stage.objective {
            Objective::Masked { mask_ratio } => (Some(mask_ratio), Ok(())),
            Objective::Mae {
                network,
                mask_ratio,
                ..
            } => (Some(mask_ratio), self.mae_sizes(network)),
            Objective::Simclr { network, .. } => (None, network.check()),
        };
        sizes.map_err(|(field, rule)| {
            let path = format!("objective.network.{field}");
            self.stage_fault(index, &path, format!("{field}: {rule}"))
        })?;
        if ratio.is_some_and(|ratio| !(*ratio > 0.0 && *ratio < 1.0)) {
            let message = "mask_ratio must lie between 0 and 1".to_string();
            return Err(self.stage_fault(index, "objective.mask_ratio", message));
        }
        if let (Objective::Simclr { .. }, 1) = (&stage.objective, stage.batch) {
            let message = "a contrastive batch needs at least 2 images".to_string();
            return Err(self.stage_fault(index, "batch", message));
        }
        Ok(())
    }

    /// A teacher must see the same image as the encoder, in patches of whole tokens.
    fn mae_sizes(&self, network: &MaeConfig) -> Result<(), (&'static str, String)> {
        network.check()?;
        let (size, stride) = (
            self.pipeline.encoder.image_size_px(),
            self.pipeline.encoder.stride_px(),
        );
        let (own, patch) = (network.image_size_px, network.patch_size_px);
        if own != size {
            let message = format!("{own} differs from the encoder's {size}");
            return Err(("image_size_px", message));
        }
        if patch % stride != 0 {
            let message = format!("{patch} is not a multiple of {stride}, the encoder's stride");
            return Err(("patch_size_px", message));
        }
        Ok(())
    }

    fn expert(&self, index: usize, stage: &Expert) -> Result<(), Diagnostic> {
        self.positive(index, "epochs", stage.epochs)?;
        match &stage.level {
            Level::Image { teacher, .. } => {
                let trains = |s: &Pretrain| matches!(s.objective, Objective::Simclr { .. });
                self.teacher(index, teacher, trains, "objective Simclr")
            }
            Level::Patch { teacher, .. } => {
                let trains = |s: &Pretrain| matches!(s.objective, Objective::Mae { .. });
                self.teacher(index, teacher, trains, "objective Mae")
            }
            Level::Pixel { dice_weight, .. } if !(0.0..=1.0).contains(dice_weight) => {
                let message = "dice_weight must lie between 0 and 1".to_string();
                Err(self.stage_fault(index, "level.dice_weight", message))
            }
            Level::Pixel { .. } => Ok(()),
        }
    }

    fn teacher(
        &self,
        index: usize,
        name: &str,
        accepts: fn(&Pretrain) -> bool,
        what: &str,
    ) -> Result<(), Diagnostic> {
        let accepts = |s: &Stage| matches!(s, Stage::Pretrain(s) if accepts(s));
        let what = format!("a Pretrain stage with {what}");
        self.reference(index, "level.teacher", name, &accepts, &what)
    }

    fn finetune(&self, index: usize, stage: &Finetune) -> Result<(), Diagnostic> {
        self.positive(index, "epochs", stage.epochs)?;
        let mut levels = Vec::new();
        for name in &stage.experts {
            let accepts = |s: &Stage| matches!(s, Stage::Expert(_));
            self.reference(index, "experts", name, &accepts, "an Expert stage")?;
            let level = self.pipeline.stages.iter().find_map(|s| match s {
                Stage::Expert(s) if s.name == *name => Some(s.level.level()),
                _ => None,
            });
            if levels.contains(&level) {
                let message = format!("`{name}` is the second expert of its level");
                return Err(self.stage_fault(index, "experts", message));
            }
            levels.push(level);
        }
        self.adapter(index, stage)?;
        let fault = |message: &str| Err(self.stage_fault(index, "quirks", message.into()));
        if stage.quirks.contains(&Quirk::SamedNearestMask) {
            return fault("SamedNearestMask is about the test; give it to an Evaluate stage");
        }
        let elastic = stage.quirks.contains(&Quirk::HSamElasticLabels);
        if elastic && stage.augmentation != Augmentation::HSam {
            return fault("HSamElasticLabels needs `augmentation: HSam`");
        }
        let weights = [stage.loss.cross_entropy, stage.loss.dice];
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) || weights == [0.0, 0.0] {
            let message = "loss weights must not be negative, nor all zero".to_string();
            return Err(self.stage_fault(index, "loss", message));
        }
        Ok(())
    }

    /// What the encoder carries must go with the experts named and their fusion.
    fn adapter(&self, index: usize, stage: &Finetune) -> Result<(), Diagnostic> {
        let fused = stage.hl_attn != HlAttn::Off;
        let fault = |field: &str, message: String| Err(self.stage_fault(index, field, message));
        match (stage.adapter, stage.experts.len()) {
            (Adapter::Experts, 3) => Ok(()),
            (Adapter::Experts, 0) if !fused => Ok(()),
            (Adapter::Experts, given) if fused => fault(
                "experts",
                format!("HL-Attn fuses three experts, {given} are given"),
            ),
            (Adapter::Experts, given) => fault(
                "experts",
                format!("give one expert for each level, or none; {given} are given"),
            ),
            (adapter, 1..) => fault(
                "experts",
                format!("adapter {adapter:?} takes no trained experts; leave the list empty"),
            ),
            (Adapter::Lora, _) if fused => fault(
                "hl_attn",
                "HL-Attn fuses experts, adapter Lora has none; set `hl_attn: Off`".into(),
            ),
            (Adapter::UntrainedExperts, _) if !fused => fault(
                "hl_attn",
                "the sum of untrained experts is nothing; set `hl_attn: Paper`".into(),
            ),
            _ => Ok(()),
        }
    }

    fn evaluate(&self, index: usize, stage: &Evaluate) -> Result<(), Diagnostic> {
        if stage.quirks.contains(&Quirk::HSamElasticLabels) {
            let message = "HSamElasticLabels is about training; give it to the Finetune stage";
            return Err(self.stage_fault(index, "quirks", message.into()));
        }
        let accepts = |s: &Stage| matches!(s, Stage::Finetune(_));
        self.reference(index, "model", &stage.model, &accepts, "a Finetune stage")?;
        let trained = self
            .pipeline
            .stages
            .iter()
            .find(|s| s.name() == stage.model);
        let classes = |data: &str| self.pipeline.data.get(data).map(Source::classes);
        let (own, trained) = (
            classes(&stage.data),
            trained.and_then(|s| classes(s.data())),
        );
        match (own, trained) {
            (Some(own), Some(trained)) if own != trained => {
                let message = format!("the classes of `{}` are not those trained on", stage.data);
                let (own, trained) = (own.join(", "), trained.join(", "));
                Err(self
                    .stage_fault(index, "data", message)
                    .note(format!("`{}` was trained on {trained}", stage.model))
                    .note(format!("`{}` has {own}", stage.data)))
            }
            _ => Ok(()),
        }
    }

    /// A name in `field` of stage `index` that must be an earlier stage of the right kind.
    fn reference(
        &self,
        index: usize,
        field: &str,
        name: &str,
        accepts: &dyn Fn(&Stage) -> bool,
        what: &str,
    ) -> Result<(), Diagnostic> {
        let stages = &self.pipeline.stages;
        let own = stages.get(index).map_or("", Stage::name);
        match stages.iter().position(|s| s.name() == name) {
            Some(at) if !accepts(&stages[at]) => {
                let message = format!("`{name}` is not {what}");
                let kind = stages[at].kind();
                let note = format!("`{name}` is of kind {kind}");
                Err(self.stage_fault(index, field, message).note(note))
            }
            Some(at) if at >= index => {
                let message = format!("stage `{own}` needs `{name}`, which comes after it");
                let note = format!("move `{name}` before `{own}`");
                Err(self.stage_fault(index, field, message).note(note))
            }
            Some(_) => Ok(()),
            None => {
                let known = stages.iter().filter(|s| accepts(s)).map(Stage::name);
                let known: Vec<&str> = known.collect();
                let message = format!("there is no stage `{name}`");
                let note = match known.as_slice() {
                    [] => format!("this pipeline has no candidate: add {what} before `{own}`"),
                    known => format!("candidates: {}", known.join(", ")),
                };
                Err(self
                    .stage_fault(index, field, message)
                    .suggest(name, known)
                    .note(note))
            }
        }
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
