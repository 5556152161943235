//! The fine-tuned network as a function from volumes to label maps.

use std::path::Path;

use samora_engine::models::hsam::{HsamMasks, Noise, Prediction};
use samora_engine::models::{hsam, sam, sam2};
use samora_engine::weights::Weights;
use samora_engine::{Device, Program};
use samora_engine::{Graph, Tensor, Value, plan};

use super::seen_image;
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
use crate::pipeline::{Decoder, Pipeline};

/// Logits of the classes, background first.
#[derive(Clone, Copy, Debug)]
pub(super) enum Logits {
    /// Of one decoder, `[batch, 4·grid, 4·grid, classes + 1]`.
    One(Value),
    /// Of H-SAM's two.
    Two(HsamMasks),
}

/// Appends encoder, adapter and decoder for grey images `image [batch, size, size]`. Training has `noise`, if the
/// decoder has any.
pub(super) fn network(
    g: &mut Graph,
    pipeline: &Pipeline,
    (classes, batch): (usize, usize),
    is_training: bool,
) -> Logits {
    let encoder = &pipeline.encoder;
    let shown = (batch, encoder.image_size_px());
    let image = seen_image(g, "image", shown, pipeline.tuned_intensity());
    let encoded = encoder.encode(g, &pipeline.adapter.network(), image);
    let sizes = pipeline.transformer.for_classes(classes);
    match pipeline.decoder {
        Decoder::Sam {} => Logits::One(match encoded.embedding(g) {
            None => sam::decode_masks(g, &sizes, encoded.features).logits,
            Some(embedding) => sam2::decode_masks(g, &sizes, &embedding).logits,
        }),
        Decoder::HSam { noise, .. } => {
            let noise = if is_training { noise } else { Noise::NONE };
            Logits::Two(hsam::decode_twice(g, &sizes, &noise, encoded.features))
        }
    }
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
    /// Builds the inference graph of a fine-tuned network, `batch` slices at a time. `quirks` say how slices
    /// and masks are resized.
    ///
    /// # Errors
    /// Weights that are missing or of another configuration, or a device that fails.
    pub fn new(
        device: &'d Device,
        fuse: bool,
        pipeline: &Pipeline,
        (classes, axis, batch): (usize, Axis, usize),
        quirks: &[Quirk],
        weights: &Weights,
    ) -> Result<Self> {
        let encoder = &pipeline.encoder;
        let (graph, logits) = graph(pipeline, classes, batch);
        let extent = graph.shape(logits).get(1).copied().unwrap_or(0);
        let planned = plan(&graph, &[logits], device.planning(fuse))?;
        let weights = weights.draw(&graph, pipeline.seed)?;
        let program = Program::new(device, &graph, planned, &weights.tensors)?;
        Ok(Self {
            program,
            logits,
            batch,
            size: encoder.image_size_px(),
            grid: extent,
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

    /// Segments one slice of the scan at `path`, and also returns the logits of every class on the decoder's grid,
    /// `[classes + 1, extent, extent]`.
    ///
    /// # Errors
    /// A device that fails.
    pub fn plane(&mut self, path: &Path, plane: &Plane<f32>) -> Result<(Plane<u8>, Tensor)> {
        let logits = self.logits(path, 0, std::slice::from_ref(plane))?;
        let low = self.low(&logits, 0);
        let grid = low.grid;
        let planes = low.planes(Plane::clone);
        let classes = planes
            .into_iter()
            .flat_map(|p| p.pixels)
            .collect::<Vec<f32>>();
        let count = classes.len() / (grid * grid).max(1);
        let labels = mask(&low, (plane.height, plane.width), &self.quirks);
        Ok((labels, Tensor::f32(&[count, grid, grid], classes)))
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
        for start in (0..count).step_by(self.batch) {
            if interrupt::requested() {
                return Err(Error::Interrupted);
            }
            let planes: Vec<Plane<f32>> = (start..count.min(start + self.batch))
                .filter_map(|i| slice(image, self.axis, i))
                .collect();
            let logits = self.logits(&image.path, start, &planes)?;
            for (k, plane) in planes.iter().enumerate() {
                let low = self.low(&logits, k);
                each(start + k, &low, (plane.height, plane.width));
            }
        }
        Ok(())
    }

    /// Logits of a batch of slices, of which the last fills what is missing; `first` is the number of the first one.
    ///
    /// # Errors
    /// A device that fails, or logits that are no numbers.
    fn logits(&mut self, path: &Path, first: usize, planes: &[Plane<f32>]) -> Result<Tensor> {
        let mut input = Vec::with_capacity(self.batch * self.size * self.size);
        let fill = planes.last().into_iter().cycle();
        for plane in planes.iter().chain(fill).take(self.batch) {
            input.extend(test_image(plane, self.size, &self.quirks).pixels);
        }
        let input = Tensor::f32(&[self.batch, self.size, self.size, 1], input);
        self.program.step(&[("image", &input)])?;
        let logits = self.program.read(self.logits)?;
        // Of outputs that are no numbers all would be background.
        if let Some(bad) = logits.as_f32().iter().position(|x| !x.is_finite()) {
            let per_slice = (logits.len() / self.batch).max(1);
            let slice = first + (bad / per_slice).min(planes.len().saturating_sub(1));
            let problem = format!(
                "slice {slice}: the network's output is no number, so that nothing can be told apart; \
                 the intensities are not those it was trained on, or its `precision` is too low"
            );
            return Err(DataError::content(path, problem).into());
        }
        Ok(logits)
    }

    /// What the network made of slice `k` of a batch.
    fn low<'a>(&self, logits: &'a Tensor, k: usize) -> Low<'a> {
        let per_slice = logits.len() / self.batch;
        Low {
            logits: &logits.as_f32()[k * per_slice..][..per_slice],
            grid: self.grid,
            size: self.size,
        }
    }
}

fn blank(image: &Volume<f32>) -> Result<Volume<u8>> {
    let voxels = vec![0; image.voxels.len()];
    Ok(Volume::new(image.grid.clone(), voxels, image.path.clone())?)
}

/// The inference graph: logits on the decoder's grid, `[batch, extent, extent, classes + 1]`, where the extent is 4·grid,
/// or of H-SAM 16·grid.
pub(super) fn graph(pipeline: &Pipeline, classes: usize, batch: usize) -> (Graph, Value) {
    let mut g = Graph::new();
    let logits = match network(&mut g, pipeline, (classes, batch), false) {
        Logits::One(logits) => logits,
        Logits::Two(masks) => {
            let prediction = match pipeline.decoder {
                Decoder::HSam { prediction, .. } => prediction,
                Decoder::Sam {} => Prediction::default(),
            };
            masks.predict(&mut g, prediction)
        }
    };
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
