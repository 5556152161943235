//! The fine-tuned network as a function from volumes to label maps.

use samora_engine::gpu::{Device, Program};
use samora_engine::models::sam::{Adapter, Fusion, decode_masks};
use samora_engine::nn::{self, HlAttn, HlAttnMode};
use samora_engine::weights::Weights;
use samora_engine::{Graph, Tensor, Value, plan};

use super::grey_image;
use crate::data::slice::{Plane, depth, set_slice, slice};
use crate::data::source::Axis;
use crate::data::volume::Volume;
use crate::data::zoom::{Interpolation, zoom};
use crate::error::Result;
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
pub(super) fn adapter(pipeline: &Pipeline, stage: &Finetune) -> Adapter {
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
        pipeline::HlAttn::Paper => HlAttnMode::Paper,
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
}

impl<'d> Segmenter<'d> {
    /// Builds the inference graph of a fine-tuning stage, `batch` slices at a time.
    ///
    /// # Errors
    /// Weights that are missing or of another configuration, or a device that fails.
    pub fn new(
        device: &'d Device,
        fuse: bool,
        (pipeline, stage): (&Pipeline, &Finetune),
        (classes, axis, batch): (usize, Axis, usize),
        weights: &Weights,
    ) -> Result<Self> {
        let encoder = &pipeline.encoder;
        let (graph, logits) = graph(pipeline, stage, classes, batch);
        let planned = plan(&graph, &[logits], fuse)?;
        let weights = weights.draw(&graph, pipeline.seed)?;
        let program = Program::new(device, &graph, planned, &weights.tensors)?;
        Ok(Self {
            program,
            logits,
            batch,
            size: encoder.image_size_px(),
            grid: 4 * encoder.grid(),
            axis,
        })
    }

    /// Segments a volume with intensities scaled as in training. Returns classes on the same grid.
    ///
    /// # Errors
    /// A device that fails.
    pub fn segment(&mut self, image: &Volume<f32>) -> Result<Volume<u8>> {
        let count = depth(image.grid.shape, self.axis);
        let blank = vec![0u8; image.voxels.len()];
        let mut labels = Volume::new(image.grid.clone(), blank, image.path.clone())?;
        let pixels = self.size * self.size;
        for start in (0..count).step_by(self.batch) {
            let planes: Vec<Plane<f32>> = (start..start + self.batch)
                .filter_map(|i| slice(image, self.axis, i.min(count - 1)))
                .collect();
            let mut input = Vec::with_capacity(self.batch * pixels);
            for plane in &planes {
                input.extend(zoom(plane, self.size, self.size, Interpolation::Cubic).pixels);
            }
            let input = Tensor::f32(&[self.batch, self.size, self.size, 1], input);
            self.program.step(&[("image", &input)])?;
            let logits = self.program.read(self.logits)?;
            let per_slice = logits.len() / self.batch;
            for (k, plane) in planes.iter().enumerate().take(count - start) {
                let logits = &logits.as_f32()[k * per_slice..][..per_slice];
                let native = classify(logits, self.grid, (plane.height, plane.width));
                set_slice(&mut labels, self.axis, start + k, &native);
            }
        }
        Ok(labels)
    }
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

/// The best class of every pixel of a slice, from `logits [grid, grid, classes]` interpolated to the
/// slice's own size: contours then follow the logits and not the cells of the grid.
fn classify(logits: &[f32], grid: usize, (height, width): (usize, usize)) -> Plane<u8> {
    let classes = logits.len() / (grid * grid).max(1);
    let mut best = Plane::<u8>::blank(height, width);
    let mut highest = vec![f32::NEG_INFINITY; height * width];
    for class in 0..classes {
        let low = Plane::from_fn(grid, grid, |r, c| logits[(r * grid + c) * classes + class]);
        let native = zoom(&low, height, width, Interpolation::Linear);
        for (pixel, value) in native.pixels.into_iter().enumerate() {
            if value > highest[pixel] {
                (best.pixels[pixel], highest[pixel]) = (class as u8, value);
            }
        }
    }
    best
}
