//! Networks trained whole on unlabelled images: the encoder where no published weights exist, and the
//! teachers of the image and patch levels.

use std::sync::Arc;

use samora_engine::models::mae::{self, Masking};
use samora_engine::models::sam::{Adapter, pixel_reconstruction_loss, reconstruction_loss};
use samora_engine::models::simclr;
use samora_engine::random::Stream;
use samora_engine::{DType, Graph, Tensor};

use super::train::{Batch, Built, Length, train};
use super::weights::INTENSITY;
use super::{Context, sampler, seen_image, stack};
use crate::data::dataset::{Dataset, Part};
use crate::data::error::DataError;
use crate::data::input_intensity::InputIntensity;
use crate::data::split::SliceId;
use crate::data::views::{mae_mask, mae_view, simclr_view};
use crate::error::Result;
use crate::pipeline::{Encoder, Objective, Pipeline, Pretrain};

/// Trains the stage.
///
/// # Errors
/// See [`train`].
pub(super) fn run(ctx: &Context<'_>, stage: &Pretrain) -> Result<()> {
    let data = Arc::clone(ctx.dataset(&stage.data)?);
    let slices = data.slices(Part::Train);
    let seed = ctx.pipeline.seed;
    let sampler = sampler(&stage.name, slices.len(), stage.batch, seed)?;
    let length = Length::new(&sampler, stage.epochs, stage.max_steps);
    let built = graph(ctx.pipeline, stage, length.steps)?;
    let intensity = ctx.pipeline.pretrain_intensity(stage);
    let given = ctx.weights(&stage.name, &built.graph)?;
    let stream = Stream::named(seed, &stage.name);
    let (objective, size) = (
        stage.objective.clone(),
        ctx.pipeline.encoder.image_size_px(),
    );
    let patches = patches(&objective, ctx.pipeline);
    let make = move |t: u64| {
        let slices: Vec<SliceId> = sampler.batch(t).into_iter().map(|i| slices[i]).collect();
        let seen = (size, patches, intensity);
        batch(&data, &slices, &stream.at(t), &objective, seen)
    };
    train(
        ctx,
        (&stage.name, stage.batch),
        (built, length, stage.epochs),
        &given,
        make,
    )
}

/// The training graph; `steps` is the length of the schedule.
///
/// # Errors
/// A configuration the network cannot take.
pub(super) fn graph(pipeline: &Pipeline, stage: &Pretrain, steps: usize) -> Result<Built> {
    let size = pipeline.encoder.image_size_px();
    let (batch, patches) = (stage.batch, patches(&stage.objective, pipeline));
    let intensity = pipeline.pretrain_intensity(stage);
    let mut g = Graph::new();
    let loss = match &stage.objective {
        Objective::Masked { .. } => {
            let image = seen_image(&mut g, "image", (batch, size), intensity);
            let hidden = g.input("hidden", &[batch, patches], DType::F32);
            match &pipeline.encoder {
                Encoder::Sam(config) => reconstruction_loss(&mut g, config, image, hidden),
                other => pixel_reconstruction_loss(&mut g, image, hidden, |g, image| {
                    other.encode(g, &Adapter::None, image).features
                }),
            }
        }
        Objective::Mae {
            network,
            mask_ratio,
            normalise_patches,
        } => {
            let image = seen_image(&mut g, "image", (batch, size), intensity);
            let masking = Masking::inputs(&mut g, batch, patches, visible(patches, *mask_ratio));
            mae::pretrain_loss(&mut g, network, image, &masking, *normalise_patches)
        }
        Objective::Simclr {
            network,
            temperature,
        } => {
            let views = seen_image(&mut g, "views", (2 * batch, size), intensity);
            simclr::pretrain_loss(&mut g, network, views, *temperature)
        }
    };
    let optimiser = (&stage.optimiser, pipeline.backward());
    let built = Built::new(g, loss, optimiser, steps, |_| true, |_| true)?;
    Ok(built.saying(&[(INTENSITY, format!("{intensity:?}"))]))
}

/// Patches of which an autoencoder sees `1 − mask_ratio`.
pub(super) fn visible(patches: usize, mask_ratio: f32) -> usize {
    // The mask says how many there are, whatever the stream.
    mae_mask(patches, mask_ratio, &mut Stream::named(0, "visible"))
        .keep
        .len()
}

fn batch(
    data: &Dataset,
    slices: &[SliceId],
    stream: &Stream,
    objective: &Objective,
    (size, patches, intensity): (usize, usize, InputIntensity),
) -> Result<Batch, DataError> {
    let planes: Vec<_> = slices
        .iter()
        .map(|id| data.image_slice(*id))
        .collect::<Result<_, _>>()?;
    let streams = || (0..).map(|k| stream.at(k));
    Ok(match objective {
        Objective::Simclr { .. } => {
            let twice = planes.iter().chain(&planes).zip(streams());
            let views = twice.map(|(plane, mut s)| simclr_view(plane, size, &mut s));
            let views = views.map(|view| intensity.of_unit_range(view));
            vec![("views", stack(views, size))]
        }
        Objective::Masked { mask_ratio } | Objective::Mae { mask_ratio, .. } => {
            let mut views = Vec::new();
            let (mut keep, mut restore) = (Vec::new(), Vec::new());
            for (plane, mut s) in planes.iter().zip(streams()) {
                views.push(intensity.of_unit_range(mae_view(plane, size, &mut s)));
                let mask = mae_mask(patches, *mask_ratio, &mut s);
                keep.extend(mask.keep);
                restore.extend(mask.restore);
            }
            let count = views.len();
            let visible = keep.len() / count.max(1);
            let mut batch = vec![("image", stack(views.into_iter(), size))];
            if matches!(objective, Objective::Mae { .. }) {
                batch.push(("ids_keep", Tensor::u32(&[count, visible], keep)));
                batch.push(("ids_restore", Tensor::u32(&[count, patches], restore)));
            } else {
                let is_hidden = |place: &u32| f32::from(u8::from(*place as usize >= visible));
                let hidden = restore.iter().map(is_hidden).collect();
                batch.push(("hidden", Tensor::f32(&[count, patches], hidden)));
            }
            batch
        }
    })
}

/// Patches of an image: a masked autoencoder has its own, otherwise they are the encoder's tokens.
fn patches(objective: &Objective, pipeline: &Pipeline) -> usize {
    let grid = match objective {
        Objective::Mae { network, .. } => network.grid(),
        _ => pipeline.encoder.grid(),
    };
    grid * grid
}
