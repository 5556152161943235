//! What intensities the networks of a stage see where the file does not say.

use super::encoder::Encoder;
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
        stage.intensity.unwrap_or(match self.encoder {
            Encoder::Sam(_) => InputIntensity::Standardised,
            Encoder::TinyVit(_) => InputIntensity::UnitRange,
        })
    }

    /// Writes down what the file leaves to the defaults.
    pub(super) fn spell_out_intensities(&mut self) {
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
