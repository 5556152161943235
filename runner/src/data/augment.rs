//! Augmentation of labelled slices (SAMed, dataset_synapse.py, `RandomGenerator`).

use super::slice::Plane;
use super::zoom::{Interpolation, rotate_nearest, zoom, zoom_nearest};
use samora_engine::random::Stream;

/// A training example of the fine-tuning stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Intensities, `size`×`size`.
    pub image: Plane<f32>,
    /// Classes, `size`×`size`.
    pub label: Plane<u8>,
    /// Classes on the decoder's grid, `low_res`×`low_res`.
    pub low_res_label: Plane<u8>,
}

/// Half of the time a random quarter turn and flip; otherwise half of the time a rotation by a
/// whole number of degrees in −20…19 by nearest neighbour with zeros outside.
pub fn augment(
    image: &Plane<f32>,
    label: &Plane<u8>,
    stream: &mut Stream,
) -> (Plane<f32>, Plane<u8>) {
    if stream.uniform() < 0.5 {
        let (turns, axis) = (stream.below(4), stream.below(2));
        (image.rot90(turns).flip(axis), label.rot90(turns).flip(axis))
    } else if stream.uniform() < 0.5 {
        let degrees = stream.below(40) as f64 - 20.0;
        (
            rotate_nearest(image, degrees),
            rotate_nearest(label, degrees),
        )
    } else {
        (image.clone(), label.clone())
    }
}

/// Resizes a slice for the network: the image by cubic spline, labels by nearest neighbour.
pub fn example(image: &Plane<f32>, label: &Plane<u8>, size: usize, low_res: usize) -> Example {
    let label = zoom_nearest(label, size, size);
    Example {
        image: zoom(image, size, size, Interpolation::Cubic),
        low_res_label: zoom_nearest(&label, low_res, low_res),
        label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (Plane<f32>, Plane<u8>) {
        let label = Plane::from_fn(12, 12, |r, c| u8::from(r > 2 && c > 5 && r < 8));
        let image = Plane::from_fn(12, 12, |r, c| f32::from(label.at(r, c)));
        (image, label)
    }

    #[test]
    fn image_and_label_move_together() {
        let (image, label) = scene();
        let streams = Stream::named(1, "augment");
        let mut changed = 0;
        for index in 0..100 {
            let (a, b) = augment(&image, &label, &mut streams.at(index));
            assert!(
                a.pixels
                    .iter()
                    .zip(&b.pixels)
                    .all(|(x, y)| *x == f32::from(*y))
            );
            changed += usize::from(b != label);
        }
        // A quarter stays as it is, and some draws turn by nothing.
        assert!((55..=85).contains(&changed), "{changed}");
    }

    #[test]
    fn draws_follow_the_key_alone() {
        let (image, label) = scene();
        let draw = |seed, index| {
            augment(
                &image,
                &label,
                &mut Stream::named(seed, "augment").at(index),
            )
        };
        assert_eq!(draw(1, 5), draw(1, 5));
        assert!((0..20).any(|index| draw(1, index) != draw(2, index)));
    }

    #[test]
    fn examples_have_the_asked_sizes() {
        let (image, label) = scene();
        let example = example(&image, &label, 32, 8);
        assert_eq!((example.image.height, example.image.width), (32, 32));
        assert_eq!(example.low_res_label.pixels.len(), 64);
        assert!(example.label.pixels.iter().all(|l| *l < 2));
    }
}
