//! SAMora's second stage: HL-Attn and mask decoder on labelled slices, over the frozen encoder and
//! experts (SAMora §3.3; loss and schedule as SAMed).

use std::sync::Arc;

use samora_engine::models::hsam::hsam_loss;
use samora_engine::models::sam::{Adapter, Fusion};
use samora_engine::nn::Level;
use samora_engine::nn::loss::segmentation;
use samora_engine::optim::epoch;
use samora_engine::random::Stream;
use samora_engine::{DType, Graph, Tensor};

use super::Context;
use super::segment::{Logits, network};
use super::train::{Batch, Built, Length, train};
use crate::data::augment::{hsam, samed};
use crate::data::dataset::{Dataset, Part};
use crate::data::error::DataError;
use crate::data::loader::Sampler;
use crate::data::prepare::{example, resized_label, stored};
use crate::data::quirk::Quirk;
use crate::data::split::SliceId;
use crate::error::{Error, Result};
use crate::pipeline::{Augmentation, Decoder, Finetune, Pipeline};

/// Trains the stage.
///
/// # Errors
/// See [`train`].
pub(super) fn run(ctx: &Context<'_>, stage: &Finetune) -> Result<()> {
    let data = Arc::clone(ctx.dataset(&stage.data)?);
    let slices = data.slices(Part::Labelled);
    let seed = ctx.pipeline.seed;
    let Some(sampler) = Sampler::new(slices.len(), stage.batch, seed) else {
        return Err(Error::Usage(format!(
            "stage {}: data set `{}` has no labelled slices",
            stage.name, stage.data
        )));
    };
    let length = Length::new(&sampler, stage.epochs, stage.max_steps);
    let built = graph(ctx.pipeline, stage, data.classes().len(), length)?;
    let given = ctx.weights(&stage.name, &built.graph)?;
    let encoder = &ctx.pipeline.encoder;
    let grid = encoder.grid();
    let full = match ctx.pipeline.decoder {
        Decoder::Sam {} => None,
        Decoder::HSam { .. } => Some(16 * grid),
    };
    let sizes = (encoder.image_size_px(), 4 * grid, full);
    let stream = Stream::named(seed, &stage.name);
    let (augmentation, quirks) = (stage.augmentation, stage.quirks.clone());
    let make = move |t: u64| {
        let items = sampler.batch(t);
        let picked = items.into_iter().enumerate();
        let streams = picked.map(|(k, i)| (slices[i], stream.at(t).at(k as u64)));
        batch(&data, streams, sizes, (augmentation, &quirks))
    };
    train(
        ctx,
        (&stage.name, stage.batch),
        (built, length, stage.epochs),
        &given,
        make,
    )
}

/// The training graph; `length` is that of the schedule.
///
/// # Errors
/// A configuration the networks cannot take.
pub(super) fn graph(
    pipeline: &Pipeline,
    stage: &Finetune,
    classes: usize,
    length: Length,
) -> Result<Built> {
    let mut g = Graph::new();
    let weights = (stage.loss.cross_entropy, stage.loss.dice);
    let grid = pipeline.encoder.grid();
    let labels = |g: &mut Graph, name: &str, extent: usize| {
        g.input(name, &[stage.batch * extent * extent], DType::U32)
    };
    let loss = match network(&mut g, pipeline, (classes, stage.batch), true) {
        Logits::One(logits) => {
            let labels = labels(&mut g, "label", 4 * grid);
            segmentation(&mut g, logits, labels, weights)
        }
        Logits::Two(masks) => {
            let low = labels(&mut g, "label", 4 * grid);
            let full = labels(&mut g, "full_label", 16 * grid);
            let epoch = epoch(&mut g, length.per_epoch);
            hsam_loss(&mut g, masks, [low, full], weights, epoch).total
        }
    };
    let is_lora = matches!(pipeline.adapter.network(), Adapter::Lora { .. });
    let trains = |name: &str| {
        let decoders = ["mask_decoder.", "mask_decoder2."];
        let of_encoder = [".samora_adapter.fuser.", ".attn.qkv.linear_"];
        // SAMed and H-SAM train the prompt encoder too, of which only this has an effect.
        let prompt = is_lora && name == "prompt_encoder.no_mask_embed.weight";
        prompt
            || decoders.iter().any(|prefix| name.starts_with(prefix))
            || of_encoder.iter().any(|part| name.contains(part))
    };
    let saves = |name: &str| trains(name) || name.starts_with("prompt_encoder.");
    let built = Built::new(
        g,
        loss,
        (&stage.optimiser, pipeline.backward()),
        length.steps,
        trains,
        saves,
    )?;
    Ok(match pipeline.adapter.network() {
        Adapter::Experts { rank, fusion } => {
            let mut facts = vec![
                ("state_dict_type", "samora_stage2".to_string()),
                ("rank", rank.to_string()),
            ];
            if let Fusion::HlAttn(form) = fusion {
                facts.push(("hl_attn", format!("{:?}", form.mode)));
                facts.push(("fusion_order", form.order.map(Level::name).join(",")));
            }
            built.saying(&facts)
        }
        _ => built,
    })
}

fn batch(
    data: &Dataset,
    slices: impl Iterator<Item = (SliceId, Stream)>,
    (size, low_res, full): (usize, usize, Option<usize>),
    (augmentation, quirks): (Augmentation, &[Quirk]),
) -> Result<Batch, DataError> {
    let (mut images, mut labels, mut count) = (Vec::new(), Vec::new(), 0);
    let mut full_labels = Vec::new();
    for (id, mut stream) in slices {
        let (image, label) = stored(data.image_slice(id)?, data.label_slice(id)?, quirks);
        let (image, label) = match augmentation {
            Augmentation::Off => (image, label),
            Augmentation::Samed => samed(&image, &label, &mut stream),
            Augmentation::HSam => hsam(&image, &label, quirks, &mut stream),
        };
        let example = example(&image, &label, (size, low_res), quirks);
        images.extend(example.image.pixels);
        labels.extend(example.low_res_label.pixels.into_iter().map(u32::from));
        if let Some(full) = full {
            let label = resized_label(&example.label, (full, full), quirks);
            full_labels.extend(label.pixels.into_iter().map(u32::from));
        }
        count += 1;
    }
    let mut batch = vec![
        ("image", Tensor::f32(&[count, size, size, 1], images)),
        ("label", Tensor::u32(&[labels.len()], labels)),
    ];
    if full.is_some() {
        batch.push(("full_label", Tensor::u32(&[full_labels.len()], full_labels)));
    }
    Ok(batch)
}
