//! What intensities the networks of a stage see where the file does not say.

use super::schema::Pipeline;
use super::stages::{Expert, Objective, Pretrain, Stage};
use crate::data::input_intensity::InputIntensity;
use crate::data::source::{Intensity, Source};

impl Pipeline {
    /// What the network of a [`Pretrain`] stage sees, there and as a teacher.
    pub fn pretrain_intensity(&self, stage: &Pretrain) -> InputIntensity {
        stage.intensity.unwrap_or_else(|| {
            let data = self.data.get(&stage.data).map(Source::intensity);
            match (&stage.objective, &stage.weights) {
                (Objective::Masked { .. }, _)
                    if self.tuned_intensity() == InputIntensity::ImageNet =>
                {
                    InputIntensity::ImageNet
                }
                (Objective::Masked { .. }, _) if data == Some(Intensity::ZScore) => {
                    InputIntensity::Standardised
                }
                (Objective::Mae { .. }, Some(_)) => InputIntensity::ImageNet,
                _ => InputIntensity::UnitRange,
            }
        })
    }

    /// What the encoder sees in an [`Expert`] stage.
    pub fn expert_intensity(&self, stage: &Expert) -> InputIntensity {
        stage.intensity.unwrap_or(self.encoder.expert_intensity())
    }

    /// What the encoder sees in a Finetune stage and after it.
    pub fn tuned_intensity(&self) -> InputIntensity {
        self.intensity.unwrap_or(self.encoder.tuned_intensity())
    }

    /// Writes down what the file leaves to the defaults.
    pub(super) fn spell_out_intensities(&mut self) {
        self.intensity = Some(self.tuned_intensity());
        let chosen = |stage: &Stage| match stage {
            Stage::Pretrain(s) => Some(self.pretrain_intensity(s)),
            Stage::Expert(s) => Some(self.expert_intensity(s)),
            Stage::Finetune(_) | Stage::Evaluate(_) => None,
        };
        let all: Vec<_> = self.stages.iter().map(chosen).collect();
        for (stage, intensity) in self.stages.iter_mut().zip(all) {
            match stage {
                Stage::Pretrain(s) => s.intensity = intensity,
                Stage::Expert(s) => s.intensity = intensity,
                Stage::Finetune(_) | Stage::Evaluate(_) => {}
            }
        }
    }
}
