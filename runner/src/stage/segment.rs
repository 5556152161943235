//! The fine-tuned network as a function from volumes to label maps.

use samora_engine::gpu::{Device, Program};
use samora_engine::models::sam::{Adapter, Fusion, decode_masks};
use samora_engine::nn::{self, HlAttn, HlAttnMode};
use samora_engine::weights::Weights;
use samora_engine::{Graph, Tensor, Value, plan};

use super::grey_image;
use crate::data::bilinear::{Shrinking, resize};
use crate::data::prepare::{resized_label, test_image};
use crate::data::quirk::Quirk;
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
            quirks: quirks.to_vec(),
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
                input.extend(test_image(plane, self.size, &self.quirks).pixels);
            }
            let input = Tensor::f32(&[self.batch, self.size, self.size, 1], input);
            self.program.step(&[("image", &input)])?;
            let logits = self.program.read(self.logits)?;
            let per_slice = logits.len() / self.batch;
            for (k, plane) in planes.iter().enumerate().take(count - start) {
                let logits = &logits.as_f32()[k * per_slice..][..per_slice];
                let sizes = (self.grid, self.size);
                let native = mask(logits, sizes, (plane.height, plane.width), &self.quirks);
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

/// Classes of a slice of `height`×`width` pixels from its `logits [grid, grid, classes]`; `size` is that
/// of the network's image.
fn mask(
    logits: &[f32],
    (grid, size): (usize, usize),
    (height, width): (usize, usize),
    quirks: &[Quirk],
) -> Plane<u8> {
    if quirks.contains(&Quirk::SamedNearestMask) {
        let mask = classify(logits, grid, |low| {
            resize(low, size, size, Shrinking::Sampled)
        });
        return resized_label(&mask, (height, width), quirks);
    }
    // Contours then follow the logits and not the cells of a grid.
    classify(logits, grid, |low| {
        zoom(low, height, width, Interpolation::Linear)
    })
}

/// The best class of every pixel, from `logits [grid, grid, classes]` enlarged.
fn classify(
    logits: &[f32],
    grid: usize,
    enlarged: impl Fn(&Plane<f32>) -> Plane<f32>,
) -> Plane<u8> {
    let classes = logits.len() / (grid * grid).max(1);
    let mut best = Plane::<u8>::blank(0, 0);
    let mut highest = Vec::new();
    for class in 0..classes {
        let low = Plane::from_fn(grid, grid, |r, c| logits[(r * grid + c) * classes + class]);
        let enlarged = enlarged(&low);
        if class == 0 {
            best = Plane::blank(enlarged.height, enlarged.width);
            highest = vec![f32::NEG_INFINITY; best.pixels.len()];
        }
        for (pixel, value) in enlarged.pixels.into_iter().enumerate() {
            if value > highest[pixel] {
                (best.pixels[pixel], highest[pixel]) = (class as u8, value);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden::{checksum, scene};

    /// Expected value: `tests/reference/preprocessing.py`, PyTorch 2.15 and scipy 1.17.1.
    #[test]
    fn masks_are_those_of_sameds_test_if_asked() {
        let logits = scene(8, 24).pixels;
        let checksum = |quirks: &[Quirk]| {
            let mask = mask(&logits, (8, 32), (20, 27), quirks);
            checksum(&mask.map(f32::from).pixels)
        };
        let found = checksum(&[Quirk::SamedNearestMask]);
        assert!((found - 0.64813498).abs() < 1e-8, "{found}");
        assert!((checksum(&[]) - found).abs() > 1e-4);
    }
}
