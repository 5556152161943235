//! The stages a pipeline is made of.

use std::path::PathBuf;

use samora_engine::models::mae::MaeConfig;
use samora_engine::models::samora::{DenoiseOutput, Regression};
use samora_engine::models::simclr::SimclrConfig;
use samora_engine::nn;
use samora_engine::optim::OptimConfig;
use serde::{Deserialize, Serialize};

use crate::data::input_intensity::InputIntensity;
use crate::data::quirk::Quirk;

/// One stage. Later stages refer to earlier ones by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// A network trained whole on unlabelled images.
    Pretrain(Pretrain),
    /// A LoRA expert trained on unlabelled images (SAMora, stage 1).
    Expert(Expert),
    /// HL-Attn and mask decoder trained on labelled images (SAMora, stage 2).
    Finetune(Finetune),
    /// A fine-tuned network measured on the test volumes.
    Evaluate(Evaluate),
}

/// A network trained whole on unlabelled images: the encoder where no published weights exist, or
/// a teacher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pretrain {
    /// Name of the stage.
    pub name: String,
    /// Name of the data set; its training images are used without labels.
    pub data: String,
    /// What is trained, and on what.
    pub objective: Objective,
    /// Published weights to continue from, PyTorch or safetensors; random ones without.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// What the network sees, here and as a teacher. Weights need the scale they were trained with, so
    /// the default of `Mae` with `weights` is `ImageNet`; that of `Masked` is `Standardised` where
    /// fine-tuning sees `ZScore`; else it is `UnitRange`.
    #[serde(default)]
    pub intensity: Option<InputIntensity>,
    /// Passes over the data.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Stops after this many steps even if epochs remain.
    #[serde(default)]
    pub max_steps: Option<usize>,
    /// Update rule and learning rate.
    pub optimiser: OptimConfig,
}

/// What a [`Pretrain`] stage trains, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Objective {
    /// The pipeline's encoder: hidden patches are reconstructed from its features (SimMIM, Xie et al.
    /// 2022).
    Masked {
        /// Share of the patches hidden, between 0 and 1.
        #[serde(default = "mask_ratio")]
        mask_ratio: f32,
    },
    /// A masked autoencoder, teacher of the patch level (He et al. 2022).
    Mae {
        /// Its sizes.
        network: MaeConfig,
        /// Share of the patches hidden, between 0 and 1.
        #[serde(default = "mask_ratio")]
        mask_ratio: f32,
        /// Whether each target patch is standardised.
        #[serde(default = "yes")]
        normalise_patches: bool,
    },
    /// A SimCLRv2 ResNet, teacher of the image level (Chen et al. 2020).
    Simclr {
        /// Its sizes.
        network: SimclrConfig,
        /// Temperature τ of the contrastive loss.
        #[serde(default = "temperature")]
        temperature: f32,
    },
}

/// One LoRA expert on the frozen encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expert {
    /// Name of the stage.
    pub name: String,
    /// What the expert learns.
    pub level: Level,
    /// Name of the data set; its training images are used without labels.
    pub data: String,
    /// What the encoder sees; a teacher sees the same views on the scale of its own stage. The default of
    /// `Sam(…)` is `Standardised`, as in SAMora's released code, that of `TinyVit(…)` is `UnitRange`, for
    /// which LiteMedSAM's weights are.
    #[serde(default)]
    pub intensity: Option<InputIntensity>,
    /// Passes over the data.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Stops after this many steps even if epochs remain.
    #[serde(default)]
    pub max_steps: Option<usize>,
    /// Update rule and learning rate.
    pub optimiser: OptimConfig,
}

/// The three levels of SAMora's self-supervision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Level {
    /// Pooled features regress those of a SimCLR teacher.
    Image {
        /// Name of the [`Pretrain`] stage that trained the teacher.
        teacher: String,
        /// What is compared.
        #[serde(default)]
        regression: Regression,
        /// Width of the projector's hidden layer.
        #[serde(default = "projector_width")]
        projector_width: usize,
    },
    /// Tokens regress those of an MAE teacher at the patches it sees.
    Patch {
        /// Name of the [`Pretrain`] stage that trained the teacher.
        teacher: String,
        /// What is compared.
        #[serde(default)]
        regression: Regression,
        /// Width of the projector's hidden layer.
        #[serde(default = "projector_width")]
        projector_width: usize,
    },
    /// The clean image is restored from a noisy one.
    Pixel {
        /// Last activation of the denoise decoder.
        #[serde(default)]
        output: DenoiseOutput,
        /// Weight λ of the loss λ·Dice + (1−λ)·MSE.
        #[serde(default = "pixel_dice_weight")]
        dice_weight: f32,
    },
}

/// Supervised training of HL-Attn and the decoder over the frozen encoder and experts (SAMora, stage 2), or
/// of what else the pipeline's variant trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finetune {
    /// Name of the stage.
    pub name: String,
    /// Name of the data set; its labelled slices are used, with the intensities that it declares.
    pub data: String,
    /// Weights of the loss terms.
    pub loss: SegmentationLoss,
    /// Change of the images between epochs.
    pub augmentation: Augmentation,
    /// Behaviour of released code that training, and `runner predict` after it, repeat.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// Passes over the data.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Stops after this many steps even if epochs remain.
    #[serde(default)]
    pub max_steps: Option<usize>,
    /// Update rule and learning rate.
    pub optimiser: OptimConfig,
}

/// Change of the images between epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Augmentation {
    /// The images as they are.
    Off,
    /// SAMed's: 50 % quarter turns and flips, 25 % rotations by up to 20°.
    Samed,
    /// H-SAM's: 45 % rotations by up to 20°, 41 % crops of 0.2 to 0.8 of both sides, 12 % elastic
    /// deformations.
    HSam,
}

/// Weights of the segmentation loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentationLoss {
    /// Weight of cross-entropy.
    pub cross_entropy: f32,
    /// Weight of soft Dice.
    pub dice: f32,
}

/// Volume-level measurement of a fine-tuned network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// Name of the stage.
    pub name: String,
    /// Name of the data set; its test cases are used.
    pub data: String,
    /// Name of the [`Finetune`] stage to measure.
    pub model: String,
    /// Slices per step.
    pub batch: usize,
    /// How many slices are drawn with prediction and truth.
    #[serde(default = "overlays")]
    pub overlays: usize,
    /// Whether the label maps are kept, as `labels/STAGE/CASE.nii.gz` in the run directory.
    #[serde(default)]
    pub save_labels: bool,
    /// Behaviour of released code that the test repeats.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
}

impl Stage {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Pretrain(s) => &s.name,
            Self::Expert(s) => &s.name,
            Self::Finetune(s) => &s.name,
            Self::Evaluate(s) => &s.name,
        }
    }

    /// What kind of stage it is, as written in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pretrain(_) => "Pretrain",
            Self::Expert(_) => "Expert",
            Self::Finetune(_) => "Finetune",
            Self::Evaluate(_) => "Evaluate",
        }
    }

    /// Whether it trains the encoder itself.
    pub fn trains_encoder(&self) -> bool {
        matches!(self, Self::Pretrain(s) if matches!(s.objective, Objective::Masked { .. }))
    }

    /// Name of its data set.
    pub fn data(&self) -> &str {
        match self {
            Self::Pretrain(s) => &s.data,
            Self::Expert(s) => &s.data,
            Self::Finetune(s) => &s.data,
            Self::Evaluate(s) => &s.data,
        }
    }

    /// How it trains, if it does.
    pub fn optimiser(&self) -> Option<&OptimConfig> {
        match self {
            Self::Pretrain(s) => Some(&s.optimiser),
            Self::Expert(s) => Some(&s.optimiser),
            Self::Finetune(s) => Some(&s.optimiser),
            Self::Evaluate(_) => None,
        }
    }

    /// Images per step.
    pub fn batch(&self) -> usize {
        match self {
            Self::Pretrain(s) => s.batch,
            Self::Expert(s) => s.batch,
            Self::Finetune(s) => s.batch,
            Self::Evaluate(s) => s.batch,
        }
    }
}

impl Level {
    /// Which level it is.
    pub fn level(&self) -> nn::Level {
        match self {
            Self::Image { .. } => nn::Level::Image,
            Self::Patch { .. } => nn::Level::Patch,
            Self::Pixel { .. } => nn::Level::Pixel,
        }
    }

    /// Name of the stage that trains its teacher.
    pub fn teacher(&self) -> Option<&String> {
        match self {
            Self::Image { teacher, .. } | Self::Patch { teacher, .. } => Some(teacher),
            Self::Pixel { .. } => None,
        }
    }
}

fn projector_width() -> usize {
    2048
}

fn mask_ratio() -> f32 {
    0.75
}

fn yes() -> bool {
    true
}

fn temperature() -> f32 {
    0.1
}

fn pixel_dice_weight() -> f32 {
    0.9
}

fn overlays() -> usize {
    8
}
