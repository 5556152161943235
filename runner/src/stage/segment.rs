//! The fine-tuned network as a function from volumes to label maps.

use samora_engine::gpu::{Device, Program};
use samora_engine::models::sam::{Adapter, Fusion, decode_masks};
use samora_engine::nn::{self, HlAttn, HlAttnMode};
use samora_engine::weights::Weights;
use samora_engine::{Graph, Tensor, Value, plan};

use super::grey_image;
use crate::data::bilinear::{Shrinking, resize};
use crate::data::error::DataError;
use crate::data::prepare::{resized_label, test_image};
use crate::data::quirk::Quirk;
use crate::data::slice::{Plane, depth, set_slice, slice};
use crate::data::source::Axis;
use crate::data::volume::Volume;
use crate::data::zoom::{Interpolation, zoom};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::pipeline::{self, Finetune, Pipeline, Stage};

/// Appends encoder, experts and mask decoder. Returns class logits on the decoder's grid,
/// `[batch, 4·grid, 4·grid, classes + 1]`, for grey images `image [batch, size, size]`.
pub(super) fn network(
    g: &mut Graph,
    pipeline: &Pipeline,
    stage: &Finetune,
    classes: usize,
    batch: usize,
) -> Value {
    let encoder = &pipeline.encoder;
    let image = grey_image(g, "image", batch, encoder.image_size_px());
    let encoded = encoder.encode(g, &adapter(pipeline, stage), image);
    decode_masks(g, &pipeline.decoder.for_classes(classes), encoded.features).logits
}

/// What the encoder carries in this stage.
pub fn adapter(pipeline: &Pipeline, stage: &Finetune) -> Adapter {
    let rank = pipeline.lora.rank;
    let order = match stage.adapter {
        pipeline::Adapter::Lora => return Adapter::Lora { rank },
        pipeline::Adapter::UntrainedExperts => HlAttn::default().order,
        // Validation has seen to it that all three levels are there, or none.
        pipeline::Adapter::Experts => match levels(pipeline, stage).try_into() {
            Ok(order) => order,
            Err(_) => return Adapter::None,
        },
    };
    let mode = match stage.hl_attn {
        pipeline::HlAttn::ZeroStart => HlAttnMode::ZeroStart,
        pipeline::HlAttn::Released => HlAttnMode::Released,
        pipeline::HlAttn::Off => {
            return Adapter::Experts {
                rank,
                fusion: Fusion::Sum,
            };
        }
    };
    Adapter::Experts {
        rank,
        fusion: Fusion::HlAttn(HlAttn { mode, order }),
    }
}

/// Levels of the experts that the stage names.
fn levels(pipeline: &Pipeline, stage: &Finetune) -> Vec<nn::Level> {
    let level = |name: &String| {
        pipeline.stages.iter().find_map(|s| match s {
            Stage::Expert(e) if e.name == *name => Some(e.level.level()),
            _ => None,
        })
    };
    stage.experts.iter().filter_map(level).collect()
}

/// A program that segments volumes slice by slice.
#[derive(Debug)]
pub struct Segmenter<'d> {
    program: Program<'d>,
    /// Class logits on the decoder's grid.
    logits: Value,
    batch: usize,
    size: usize,
    /// Extent of the decoder's grid.
    grid: usize,
    axis: Axis,
    quirks: Vec<Quirk>,
}

impl<'d> Segmenter<'d> {
    /// Builds the inference graph of a fine-tuning stage, `batch` slices at a time. `quirks` say how slices
    /// and masks are resized.
    ///
    /// # Errors
    /// Weights that are missing or of another configuration, or a device that fails.
    pub fn new(
        device: &'d Device,
        fuse: bool,
        (pipeline, stage): (&Pipeline, &Finetune),
        (classes, axis, batch): (usize, Axis, usize),
        quirks: &[Quirk],
        weights: &Weights,
    ) -> Result<Self> {
        let encoder = &pipeline.encoder;
        let (graph, logits) = graph(pipeline, stage, classes, batch);
        let planned = plan(&graph, &[logits], device.planning(fuse))?;
        let weights = weights.draw(&graph, pipeline.seed)?;
        let program = Program::new(device, &graph, planned, &weights.tensors)?;
        Ok(Self {
            program,
            logits,
            batch,
            size: encoder.image_size_px(),
            grid: 4 * encoder.grid(),
            axis,
            quirks: quirks.to_vec(),
        })
    }

    /// The program that segments a batch of slices.
    pub fn program(&self) -> &Program<'d> {
        &self.program
    }

    /// Segments a volume with intensities scaled as in training. Returns classes on the same grid.
    ///
    /// # Errors
    /// A device that fails, or the user interrupts.
    pub fn segment(&mut self, image: &Volume<f32>) -> Result<Volume<u8>> {
        let mut labels = blank(image)?;
        let (axis, quirks) = (self.axis, self.quirks.clone());
        self.each_slice(image, |index, low, native| {
            set_slice(&mut labels, axis, index, &mask(low, native, &quirks));
        })?;
        Ok(labels)
    }

    /// As [`Segmenter::segment`], classes always being those of the enlarged logits; also returns the
    /// probability of every class but the background, in units of 1/255: a volume of `f32` for each class
    /// would not fit the memory of small machines.
    ///
    /// # Errors
    /// A device that fails, or the user interrupts.
    pub fn probabilities(
        &mut self,
        image: &Volume<f32>,
        classes: usize,
    ) -> Result<(Volume<u8>, Vec<Volume<u8>>)> {
        let mut labels = blank(image)?;
        let mut volumes: Vec<_> = (0..classes).map(|_| blank(image)).collect::<Result<_>>()?;
        let axis = self.axis;
        self.each_slice(image, |index, low, native| {
            let logits = enlarged(low, native);
            set_slice(&mut labels, axis, index, &best(&logits));
            let shares = softmax(&logits);
            for (volume, share) in volumes.iter_mut().zip(shares.iter().skip(1)) {
                set_slice(volume, axis, index, share);
            }
        })?;
        Ok((labels, volumes))
    }

    /// Calls `each` with the number of every slice, its logits and its height and width.
    ///
    /// # Errors
    /// A device that fails, or the user interrupts.
    fn each_slice(
        &mut self,
        image: &Volume<f32>,
        mut each: impl FnMut(usize, &Low<'_>, (usize, usize)),
    ) -> Result<()> {
        let count = depth(image.grid.shape, self.axis);
        let pixels = self.size * self.size;
        for start in (0..count).step_by(self.batch) {
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            let planes: Vec<Plane<f32>> = (start..start + self.batch)
                .filter_map(|i| slice(image, self.axis, i.min(count - 1)))
                .collect();
            let mut input = Vec::with_capacity(self.batch * pixels);
            for plane in &planes {
                input.extend(test_image(plane, self.size, &self.quirks).pixels);
            }
            let input = Tensor::f32(&[self.batch, self.size, self.size, 1], input);
            self.program.step(&[("image", &input)])?;
            let logits = self.program.read(self.logits)?;
            let per_slice = logits.len() / self.batch;
            // Of outputs that are no numbers all would be background.
            if let Some(bad) = logits.as_f32().iter().position(|x| !x.is_finite()) {
                let slice = start + bad / per_slice.max(1);
                let problem = format!(
                    "slice {slice}: the network's output is no number, so that nothing can be told apart; \
                     the intensities are not those it was trained on, or its `precision` is too low"
                );
                return Err(DataError::content(&image.path, problem).into());
            }
            for (k, plane) in planes.iter().enumerate().take(count - start) {
                let low = Low {
                    logits: &logits.as_f32()[k * per_slice..][..per_slice],
                    grid: self.grid,
                    size: self.size,
                };
                each(start + k, &low, (plane.height, plane.width));
            }
        }
        Ok(())
    }
}

fn blank(image: &Volume<f32>) -> Result<Volume<u8>> {
    let voxels = vec![0; image.voxels.len()];
    Ok(Volume::new(image.grid.clone(), voxels, image.path.clone())?)
}

/// The inference graph: logits on the decoder's grid, `[batch, 4·grid, 4·grid, classes + 1]`.
pub(super) fn graph(
    pipeline: &Pipeline,
    stage: &Finetune,
    classes: usize,
    batch: usize,
) -> (Graph, Value) {
    let mut g = Graph::new();
    let logits = network(&mut g, pipeline, stage, classes, batch);
    (g, logits)
}

/// A slice as the network sees it.
struct Low<'a> {
    /// `[grid, grid, classes]`.
    logits: &'a [f32],
    grid: usize,
    /// Extent of the network's image.
    size: usize,
}

/// Classes of a slice of `native` height and width.
fn mask(low: &Low<'_>, native: (usize, usize), quirks: &[Quirk]) -> Plane<u8> {
    if quirks.contains(&Quirk::SamedNearestMask) {
        let size = low.size;
        let planes = low.planes(|plane| resize(plane, size, size, Shrinking::Sampled));
        return resized_label(&best(&planes), native, quirks);
    }
    best(&enlarged(low, native))
}

/// Logits of a slice's own pixels, a plane a class. Contours then follow the logits and not the cells of a
/// grid.
fn enlarged(low: &Low<'_>, (height, width): (usize, usize)) -> Vec<Plane<f32>> {
    low.planes(|plane| zoom(plane, height, width, Interpolation::Linear))
}

impl Low<'_> {
    /// What `enlarge` makes of each class's logits.
    fn planes(&self, enlarge: impl Fn(&Plane<f32>) -> Plane<f32>) -> Vec<Plane<f32>> {
        let (grid, logits) = (self.grid, self.logits);
        let classes = logits.len() / (grid * grid).max(1);
        let plane =
            |class| Plane::from_fn(grid, grid, |r, c| logits[(r * grid + c) * classes + class]);
        (0..classes).map(|class| enlarge(&plane(class))).collect()
    }
}

/// The class of the highest logit of every pixel, the first of equal ones.
fn best(planes: &[Plane<f32>]) -> Plane<u8> {
    let (height, width) = planes.first().map_or((0, 0), |p| (p.height, p.width));
    let mut best = Plane::<u8>::blank(height, width);
    let mut highest = vec![f32::NEG_INFINITY; best.pixels.len()];
    for (class, plane) in planes.iter().enumerate() {
        for (pixel, value) in plane.pixels.iter().enumerate() {
            if *value > highest[pixel] {
                (best.pixels[pixel], highest[pixel]) = (class as u8, *value);
            }
        }
    }
    best
}

/// Probabilities of the classes in units of 1/255.
fn softmax(planes: &[Plane<f32>]) -> Vec<Plane<u8>> {
    let Some(first) = planes.first() else {
        return Vec::new();
    };
    let mut shares = vec![Plane::<u8>::blank(first.height, first.width); planes.len()];
    let mut powers = vec![0.0; planes.len()];
    for pixel in 0..first.pixels.len() {
        let logits = planes.iter().map(|plane| plane.pixels[pixel]);
        let highest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
        for (power, logit) in powers.iter_mut().zip(logits) {
            *power = (logit - highest).exp();
        }
        let sum: f32 = powers.iter().sum();
        for (share, power) in shares.iter_mut().zip(&powers) {
            share.pixels[pixel] = (255.0 * power / sum).round() as u8;
        }
    }
    shares
}
