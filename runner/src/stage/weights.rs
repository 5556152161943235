//! The weights that finished stages and published checkpoints give to later stages.

use std::path::Path;

use samora_engine::models::sam::SamConfig;
use samora_engine::weights::{Weights, resize_positions, resize_relative};

use crate::error::Result;
use crate::pipeline::{Encoder, Finetune, Pipeline, Stage};
use crate::run_dir::checkpoint;

/// Weights of the encoder, and of SAM's decoder where published ones are used. `root` is the run
/// directory.
///
/// # Errors
/// A file that is missing, damaged or of another configuration.
pub(super) fn encoder_weights(pipeline: &Pipeline, root: &Path) -> Result<Weights> {
    let published = match &pipeline.weights {
        Some(path) => {
            let Encoder::Sam(config) = &pipeline.encoder;
            resized(Weights::read(path)?, config)?
        }
        None => Weights::default(),
    };
    let trained = pipeline.stages.iter().filter(|s| s.trains_encoder());
    let finished = trained.filter(|s| checkpoint(root, s.name()).exists());
    finished
        .map(Stage::name)
        .try_fold(published, |all, stage| with_trained(all, root, stage))
}

/// `weights` with those of a finished stage, which win.
///
/// # Errors
/// A checkpoint that is missing or damaged.
pub(super) fn with_trained(mut weights: Weights, root: &Path, stage: &str) -> Result<Weights> {
    let trained = Weights::read(&checkpoint(root, stage))?;
    weights.tensors.extend(trained.tensors);
    Ok(weights)
}

/// Encoder and experts, as `stage` finds them.
///
/// # Errors
/// A checkpoint that is missing or damaged.
pub(super) fn expert_weights(
    pipeline: &Pipeline,
    root: &Path,
    stage: &Finetune,
) -> Result<Weights> {
    let encoder = encoder_weights(pipeline, root)?;
    stage
        .experts
        .iter()
        .try_fold(encoder, |all, expert| with_trained(all, root, expert))
}

/// Everything a fine-tuned network consists of. `root` is the run directory.
///
/// # Errors
/// A checkpoint that is missing or damaged.
pub fn finetuned_weights(pipeline: &Pipeline, root: &Path, stage: &Finetune) -> Result<Weights> {
    with_trained(expert_weights(pipeline, root, stage)?, root, &stage.name)
}

/// Adapts SAM's position tables to another image size: `pos_embed` bilinearly, the relative
/// positions of global blocks linearly; leaves out decoder tensors that depend on the number of
/// masks (SAMed, sam_lora_image_encoder.py).
fn resized(mut weights: Weights, config: &SamConfig) -> Result<Weights> {
    let grid = config.grid();
    for (name, tensor) in &mut weights.tensors {
        if name == "image_encoder.pos_embed" && tensor.shape.get(1) != Some(&grid) {
            *tensor = resize_positions(tensor, grid, grid)?;
        }
        let rows = 2 * grid - 1;
        let global =
            |b: &usize| name.starts_with(&format!("image_encoder.blocks.{b}.attn.rel_pos_"));
        if config.global_blocks.iter().any(global) && tensor.shape.first() != Some(&rows) {
            *tensor = resize_relative(tensor, rows)?;
        }
    }
    let counts_masks = |name: &String| {
        name.starts_with("mask_decoder.mask_tokens.")
            || name.starts_with("mask_decoder.output_hypernetworks_mlps.")
            || name.starts_with("mask_decoder.iou_prediction_head.")
    };
    weights.tensors.retain(|name, _| !counts_masks(name));
    Ok(weights)
}
