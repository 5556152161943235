//! SAMora's first stage: one LoRA expert on the frozen encoder, by self-supervision at one level
//! (SAMora §3.1).

use std::sync::Arc;

use samora_engine::models::mae;
use samora_engine::models::sam::Adapter;
use samora_engine::models::samora::{image_loss, patch_loss, pixel_loss};
use samora_engine::models::simclr;
use samora_engine::nn::Statistics;
use samora_engine::random::Stream;
use samora_engine::{DType, Graph, Tensor, Value};

use super::pretrain::visible;
use super::train::{Batch, Built, Length, train};
use super::{Context, sampler, seen_image, stack};
use crate::data::dataset::{Dataset, Part};
use crate::data::error::DataError;
use crate::data::input_intensity::InputIntensity;
use crate::data::slice::Plane;
use crate::data::split::SliceId;
use crate::data::views::{image_view, mae_mask, patch_view, pixel_views};
use crate::error::{Error, Result};
use crate::pipeline::{Expert, Level, Objective, Pipeline, Pretrain, Stage};

/// Trains the stage.
///
/// # Errors
/// See [`train`].
pub(super) fn run(ctx: &Context<'_>, stage: &Expert) -> Result<()> {
    let data = Arc::clone(ctx.dataset(&stage.data)?);
    let slices = data.slices(Part::Train);
    let seed = ctx.pipeline.seed;
    let sampler = sampler(&stage.name, slices.len(), stage.batch, seed)?;
    let length = Length::new(&sampler, stage.epochs, stage.max_steps);
    let built = graph(ctx.pipeline, stage, length.steps)?;
    let given = ctx.weights(&stage.name, &built.graph)?;
    let stream = Stream::named(seed, &stage.name);
    let views = Views::new(ctx.pipeline, stage)?;
    let make = move |t: u64| {
        let slices: Vec<SliceId> = sampler.batch(t).into_iter().map(|i| slices[i]).collect();
        views.batch(&data, &slices, &stream.at(t))
    };
    let epochs = stage.epochs;
    train(
        ctx,
        (&stage.name, stage.batch),
        (built, length, epochs),
        &given,
        make,
    )
}

/// The training graph; `steps` is the length of the schedule.
///
/// # Errors
/// A configuration the networks cannot take.
pub(super) fn graph(pipeline: &Pipeline, stage: &Expert, steps: usize) -> Result<Built> {
    let encoder = &pipeline.encoder;
    let (batch, size) = (stage.batch, encoder.image_size_px());
    let level = stage.level.level();
    let adapter = Adapter::Expert {
        level,
        rank: pipeline.adapter.rank(),
    };
    let intensity = pipeline.expert_intensity(stage);
    let mut g = Graph::new();
    let loss = match &stage.level {
        Level::Image {
            teacher,
            regression,
            projector_width,
        } => {
            let teacher = teacher_stage(pipeline, teacher)?;
            let Objective::Simclr { network, .. } = &teacher.objective else {
                return Err(wrong_teacher(&teacher.name));
            };
            let shown = (2 * batch, size);
            let views = seen_image(&mut g, "views", shown, intensity);
            let teachers = pipeline.pretrain_intensity(teacher);
            let seen = seen_image(&mut g, "teacher_views", shown, teachers);
            let target = simclr::features(&mut g, network, seen, Statistics::Running);
            let student = encoder.encode(&mut g, &adapter, views).features;
            image_loss(&mut g, *regression, *projector_width, student, target)
        }
        Level::Patch {
            teacher,
            regression,
            projector_width,
        } => {
            let teacher = teacher_stage(pipeline, teacher)?;
            let Objective::Mae {
                network,
                mask_ratio,
                ..
            } = &teacher.objective
            else {
                return Err(wrong_teacher(&teacher.name));
            };
            let patches = network.grid() * network.grid();
            let kept = visible(patches, *mask_ratio);
            let image = seen_image(&mut g, "image", (batch, size), intensity);
            let teachers = pipeline.pretrain_intensity(teacher);
            let seen = seen_image(&mut g, "teacher_image", (batch, size), teachers);
            let ids_keep = g.input("ids_keep", &[batch, kept], DType::U32);
            let tokens = mae::encode(&mut g, network, seen, ids_keep);
            let target = g.slice(tokens, 1, 1, kept);
            let student = encoder.encode(&mut g, &adapter, image).tokens;
            let student = per_patch(&mut g, student, (encoder.grid(), network.grid()));
            let projection = (*regression, *projector_width);
            patch_loss(
                &mut g,
                projection.0,
                projection.1,
                student,
                ids_keep,
                target,
            )
        }
        Level::Pixel {
            output,
            dice_weight,
        } => {
            let noisy = seen_image(&mut g, "image", (batch, size), intensity);
            let clean = seen_image(&mut g, "clean", (batch, size), InputIntensity::UnitRange);
            let features = encoder.encode(&mut g, &adapter, noisy).features;
            pixel_loss(&mut g, *output, *dice_weight, features, clean)
        }
    };
    let name = level.name();
    let updates = format!(".samora_adapter.experts.{name}.");
    let scale = format!(".samora_adapter.{name}_scale");
    let saves = |param: &str| param.contains(&updates) || param.ends_with(&scale);
    let trains = |param: &str| {
        saves(param) || param.starts_with("projector.") || param.starts_with("denoise_decoder.")
    };
    let optimiser = (&stage.optimiser, pipeline.backward());
    let built = Built::new(g, loss, optimiser, steps, trains, saves)?;
    Ok(built.saying(&[
        ("state_dict_type", "samora_stage1".into()),
        ("expert", name.into()),
        ("rank", pipeline.adapter.rank().to_string()),
    ]))
}

/// Means of `tokens [batch, from², c]` over the tokens of each patch of a teacher, which has a grid of
/// `to`: `[batch, to², c]`.
fn per_patch(g: &mut Graph, tokens: Value, (from, to): (usize, usize)) -> Value {
    let [batch, _, c] = g.dims(tokens);
    let side = from / to;
    let rows = g.reshape(tokens, &[batch * to, side, from * c]);
    let rows = g.mean(rows, &[1]);
    let patches = g.reshape(rows, &[batch * to * to, side, c]);
    let patches = g.mean(patches, &[1]);
    g.reshape(patches, &[batch, to * to, c])
}

/// What a level's batches are made of.
struct Views {
    size: usize,
    /// What the student sees.
    intensity: InputIntensity,
    kind: Kind,
}

enum Kind {
    Image {
        teacher: InputIntensity,
    },
    Patch {
        teacher: InputIntensity,
        patches: usize,
        mask_ratio: f32,
    },
    Pixel,
}

impl Views {
    fn new(pipeline: &Pipeline, stage: &Expert) -> Result<Self> {
        let kind = match &stage.level {
            Level::Image { teacher, .. } => {
                let teacher = teacher_stage(pipeline, teacher)?;
                Kind::Image {
                    teacher: pipeline.pretrain_intensity(teacher),
                }
            }
            Level::Patch { teacher, .. } => {
                let teacher = teacher_stage(pipeline, teacher)?;
                let Objective::Mae {
                    network,
                    mask_ratio,
                    ..
                } = &teacher.objective
                else {
                    return Err(wrong_teacher(&teacher.name));
                };
                Kind::Patch {
                    teacher: pipeline.pretrain_intensity(teacher),
                    patches: network.grid() * network.grid(),
                    mask_ratio: *mask_ratio,
                }
            }
            Level::Pixel { .. } => Kind::Pixel,
        };
        Ok(Self {
            size: pipeline.encoder.image_size_px(),
            intensity: pipeline.expert_intensity(stage),
            kind,
        })
    }

    /// The teacher sees the views of the student on the scale of its own training.
    fn batch(
        &self,
        data: &Dataset,
        slices: &[SliceId],
        stream: &Stream,
    ) -> Result<Batch, DataError> {
        let planes: Vec<Plane<f32>> = slices
            .iter()
            .map(|id| data.image_slice(*id))
            .collect::<Result<_, _>>()?;
        let streams = || (0..).map(|k| stream.at(k));
        let size = self.size;
        Ok(match self.kind {
            Kind::Image { teacher } => {
                let twice = planes.iter().chain(&planes).zip(streams());
                let views: Vec<_> = twice
                    .map(|(plane, mut s)| image_view(plane, size, &mut s))
                    .collect();
                vec![
                    ("views", seen(&views, self.intensity, size)),
                    ("teacher_views", seen(&views, teacher, size)),
                ]
            }
            Kind::Patch {
                teacher,
                patches,
                mask_ratio,
            } => {
                let views: Vec<_> = planes.iter().map(|plane| patch_view(plane, size)).collect();
                let masks = streams().take(views.len());
                let keep: Vec<u32> = masks
                    .flat_map(|mut s| mae_mask(patches, mask_ratio, &mut s).keep)
                    .collect();
                let kept = keep.len() / views.len().max(1);
                vec![
                    ("ids_keep", Tensor::u32(&[views.len(), kept], keep)),
                    ("teacher_image", seen(&views, teacher, size)),
                    ("image", seen(&views, self.intensity, size)),
                ]
            }
            Kind::Pixel => {
                let pairs = planes.iter().zip(streams());
                let (noisy, clean): (Vec<_>, Vec<_>) = pairs
                    .map(|(plane, mut s)| pixel_views(plane, size, &mut s))
                    .map(|views| (views.noisy, views.clean))
                    .unzip();
                vec![
                    ("image", seen(&noisy, self.intensity, size)),
                    ("clean", stack(clean.into_iter(), size)),
                ]
            }
        })
    }
}

/// Standardised views on the scale that a network sees.
fn seen(views: &[Plane<f32>], intensity: InputIntensity, size: usize) -> Tensor {
    let views = views.iter().map(|view| intensity.of_standardised(view));
    stack(views, size)
}

fn teacher_stage<'a>(pipeline: &'a Pipeline, teacher: &str) -> Result<&'a Pretrain> {
    let found = pipeline.stages.iter().find_map(|s| match s {
        Stage::Pretrain(s) if s.name == teacher => Some(s),
        _ => None,
    });
    found.ok_or_else(|| wrong_teacher(teacher))
}

fn wrong_teacher(teacher: &str) -> Error {
    Error::Usage(format!(
        "`{teacher}` is no stage that trains this level's teacher"
    ))
}
