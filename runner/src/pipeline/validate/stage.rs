//! What a stage may not say, and what it needs of others.

use samora_engine::models::mae::MaeConfig;
use samora_engine::nn;
use samora_engine::optim::OptimConfig;

use super::Check;
use crate::data::quirk::Quirk;
use crate::data::source::{Intensity, Source};
use crate::pipeline::diagnostic::Diagnostic;
use crate::pipeline::encoder::Encoder;
use crate::pipeline::stages::{
    Augmentation, Evaluate, Expert, Finetune, Level, Objective, Pretrain, Stage,
};

impl Check<'_> {
    /// Checks stage `index`.
    pub(super) fn stage(&self, index: usize) -> Result<(), Diagnostic> {
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

    /// TinyViT's and SAM 2's published weights are for images in 0…1, which only teachers and experts see whatever
    /// the data set's intensities.
    fn scale(&self, index: usize, stage: &Stage) -> Result<(), Diagnostic> {
        let intensity = self.pipeline.data.get(stage.data()).map(Source::intensity);
        match (stage, &self.pipeline.encoder, intensity) {
            (
                Stage::Finetune(_) | Stage::Evaluate(_),
                Encoder::TinyVit(_) | Encoder::Sam2(_),
                Some(Intensity::ZScore),
            ) => {
                let name = match self.pipeline.encoder {
                    Encoder::Sam2(_) => "SAM 2",
                    _ => "TinyViT",
                };
                let message = format!(
                    "{name} takes images in 0…1, and those of `{}` are ZScore",
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
        let level = stage.level.level();
        let same = |s: &Stage| matches!(s, Stage::Expert(e) if e.level.level() == level);
        if self.pipeline.stages[..index].iter().any(same) {
            let message = format!("`{}` is the second expert of its level", stage.name);
            return Err(self.stage_fault(index, "level", message));
        }
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
        self.experts(index)?;
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

    /// An adapter of trained experts needs one of each level, from stages before this one.
    fn experts(&self, index: usize) -> Result<(), Diagnostic> {
        if !self.pipeline.adapter.takes_experts() {
            return Ok(());
        }
        for level in nn::Level::ALL {
            let trains = |s: &Stage| matches!(s, Stage::Expert(e) if e.level.level() == level);
            match self.pipeline.stages.iter().position(trains) {
                Some(at) if at < index => {}
                Some(at) => {
                    let stages = &self.pipeline.stages;
                    let (own, expert) = (stages[index].name(), stages[at].name());
                    let message = format!("stage `{own}` needs `{expert}`, which comes after it");
                    let note = format!("move `{expert}` before `{own}`");
                    return Err(self.stage_fault(index, "name", message).note(note));
                }
                None => {
                    let message = format!(
                        "the adapter takes three trained experts, and no Expert stage has `level: {level:?}`"
                    );
                    let note = "add one, or give the pipeline another `adapter`: \
                                UntrainedExperts, Lora or Nothing";
                    return Err(self.fault(&["adapter"], message).note(note));
                }
            }
        }
        Ok(())
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
}
