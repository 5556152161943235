//! Pictures in the encoder's square and masks back in the picture's size (SAM, `utils/transforms.py`,
//! `modeling/sam.py`; LiteMedSAM, `CVPR24_LiteMedSAM_infer.py`; SAM 2, `utils/transforms.py`).

use samora_engine::Tensor;

use super::Picture;
use crate::data::bilinear::{Shrinking, resize};
use crate::data::slice::Plane;

/// Mean and standard deviation of ImageNet's red, green and blue in 0…255.
const IMAGENET: [(f32, f32); 3] = [(123.675, 58.395), (116.28, 57.12), (103.53, 57.375)];

/// What an encoder expects of intensities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intensities {
    /// Whole numbers in 0…255, less ImageNet's mean, over its deviation (SAM).
    Standardised,
    /// From 0, the picture's least, to 1, its greatest (LiteMedSAM).
    UnitRange,
    /// As [`Standardised`](Self::Standardised), of any numbers in 0…255 (SAM 2).
    Unrounded,
}

/// A picture in the encoder's square: in the upper left with its longer side filling it, or stretched over all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Rows and columns of the picture.
    picture: (usize, usize),
    /// Rows and columns it has in the square.
    scaled: (usize, usize),
    /// Rows of the square.
    size: usize,
    /// Whether it fills the square whatever its proportions.
    is_stretched: bool,
}

impl Frame {
    /// A picture stretched over the square, as SAM 2 sees it.
    pub(super) fn stretched(picture: (usize, usize), size: usize) -> Self {
        Self {
            picture,
            scaled: (size, size),
            size,
            is_stretched: true,
        }
    }

    /// A picture in the upper left of the square.
    pub(super) fn new(picture: (usize, usize), size: usize) -> Self {
        let longest = picture.0.max(picture.1).max(1) as f64;
        let scaled = |side: usize| ((side * size) as f64 / longest + 0.5) as usize;
        Self {
            picture,
            scaled: (scaled(picture.0).max(1), scaled(picture.1).max(1)),
            size,
            is_stretched: false,
        }
    }

    /// x and y of the picture in the square.
    pub(super) fn place(&self, x: f32, y: f32) -> [f32; 2] {
        let (height, width) = self.picture;
        [
            x * self.scaled.1 as f32 / width as f32,
            y * self.scaled.0 as f32 / height as f32,
        ]
    }

    /// The encoder's input `[1, size, size, 3]`, 0 where the picture does not reach.
    pub(super) fn input(&self, picture: &Picture, intensities: Intensities) -> Tensor {
        let (height, width) = self.scaled;
        let mut channels = picture
            .channels
            .each_ref()
            .map(|plane| resize(plane, height, width, Shrinking::Averaged).pixels);
        match intensities {
            Intensities::Standardised => standardise(&mut channels, f32::round),
            Intensities::Unrounded => standardise(&mut channels, |x| x),
            Intensities::UnitRange => to_unit_range(&mut channels),
        }
        let mut input = vec![0.0; 3 * self.size * self.size];
        for (c, channel) in channels.iter().enumerate() {
            for (i, value) in channel.iter().enumerate() {
                input[3 * (i / width * self.size + i % width) + c] = *value;
            }
        }
        Tensor::f32(&[1, self.size, self.size, 3], input)
    }

    /// The mask that logits over the whole square mean for the picture.
    pub(super) fn mask(&self, logits: &Plane<f32>) -> Plane<bool> {
        let native = match self.is_stretched {
            true => resize(logits, self.picture.0, self.picture.1, Shrinking::Sampled),
            false => {
                let square = resize(logits, self.size, self.size, Shrinking::Sampled);
                let part = square.crop(0, 0, self.scaled.0, self.scaled.1);
                resize(&part, self.picture.0, self.picture.1, Shrinking::Sampled)
            }
        };
        Plane {
            height: native.height,
            width: native.width,
            pixels: native.pixels.iter().map(|logit| *logit > 0.0).collect(),
        }
    }
}

/// SAM resizes pictures of 8 bits, which `rounded` makes them.
fn standardise(channels: &mut [Vec<f32>; 3], rounded: fn(f32) -> f32) {
    for (channel, (mean, deviation)) in channels.iter_mut().zip(IMAGENET) {
        channel
            .iter_mut()
            .for_each(|x| *x = (rounded(*x) - mean) / deviation);
    }
}

fn to_unit_range(channels: &mut [Vec<f32>; 3]) {
    let all = || channels.iter().flatten().copied();
    let low = all().fold(f32::INFINITY, f32::min);
    let high = all().fold(f32::NEG_INFINITY, f32::max);
    // A picture of one colour becomes 0.
    let extent = (high - low).max(f32::MIN_POSITIVE);
    let values = channels.iter_mut().flatten();
    values.for_each(|x| *x = (*x - low) / extent);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(height: usize, width: usize) -> Picture {
        let plane = Plane::from_fn(height, width, |r, c| (10 * r + c) as f32);
        Picture {
            channels: [plane.clone(), plane.clone(), plane],
        }
    }

    #[test]
    fn the_longer_side_fills_the_square() {
        let frame = Frame::new((3, 4), 8);
        assert_eq!(frame.scaled, (6, 8));
        assert_eq!(frame.place(4.0, 3.0), [8.0, 6.0]);
        let input = frame.input(&ramp(3, 4), Intensities::UnitRange);
        let at = |row: usize, column: usize| input.as_f32()[3 * (8 * row + column)];
        assert_eq!((at(0, 0), at(5, 7), at(6, 0)), (0.0, 1.0, 0.0));
        // A sliver keeps a row.
        assert_eq!(Frame::new((1, 1000), 8).scaled, (1, 8));
    }

    #[test]
    fn sam_2_sees_pictures_stretched_over_the_square() {
        let frame = Frame::stretched((2, 4), 8);
        assert_eq!(frame.place(4.0, 1.0), [8.0, 4.0]);
        let input = frame.input(&ramp(2, 4), Intensities::Unrounded);
        let last = input.as_f32()[3 * 8 * 8 - 1];
        assert!((last - (13.0 - 103.53) / 57.375).abs() < 1e-5, "{last}");
        // Between two pixels, which SAM's frame would have rounded.
        let between = input.as_f32()[3];
        assert!(
            (between - (0.25 - 123.675) / 58.395).abs() < 1e-5,
            "{between}"
        );
        let mask = frame.mask(&Plane::from_fn(4, 4, |r, _| if r < 2 { 1.0 } else { -1.0 }));
        assert_eq!((mask.height, mask.width), (2, 4));
        assert_eq!(
            mask.pixels,
            [true, true, true, true, false, false, false, false]
        );
    }

    #[test]
    fn only_the_picture_is_standardised() {
        let input = Frame::new((2, 4), 4).input(&ramp(2, 4), Intensities::Standardised);
        let values = input.as_f32();
        assert_eq!(values[..2], [-123.675 / 58.395, -116.28 / 57.12]);
        assert!(values[3 * 4 * 2..].iter().all(|x| *x == 0.0));
    }

    #[test]
    fn pictures_of_one_colour_become_0() {
        let plane = Plane::from_fn(2, 2, |_, _| 7.0);
        let picture = Picture {
            channels: [plane.clone(), plane.clone(), plane],
        };
        let input = Frame::new((2, 2), 4).input(&picture, Intensities::UnitRange);
        assert!(input.as_f32().iter().all(|x| *x == 0.0));
    }

    #[test]
    fn masks_leave_the_padding_out() {
        // The left half of a picture that fills the upper half of the square.
        let logits = Plane::from_fn(4, 4, |r, c| match (r < 2, c < 2) {
            (true, true) | (false, _) => 1.0,
            _ => -1.0,
        });
        let mask = Frame::new((4, 8), 16).mask(&logits);
        assert_eq!((mask.height, mask.width), (4, 8));
        let expected = Plane::from_fn(4, 8, |_, c| c < 4);
        assert_eq!(mask.crop(0, 0, 2, 8), expected.crop(0, 0, 2, 8));
    }
}
