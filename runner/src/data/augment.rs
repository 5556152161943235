//! Augmentation of labelled slices (SAMed and H-SAM, datasets/dataset_synapse.py, `RandomGenerator`).

use super::elastic::Elastic;
use super::quirk::Quirk;
use super::slice::Plane;
use super::zoom::NearestRotation;
use samora_engine::random::Stream;

/// SAMed's recipe. Half of the time a random quarter turn and flip; otherwise half of the time a rotation
/// by a whole number of degrees in −20…19 by nearest neighbour with zeros outside.
pub fn samed(
    image: &Plane<f32>,
    label: &Plane<u8>,
    stream: &mut Stream,
) -> (Plane<f32>, Plane<u8>) {
    if stream.uniform() < 0.5 {
        let (turns, axis) = (stream.below(4), stream.below(2));
        (image.rot90(turns).flip(axis), label.rot90(turns).flip(axis))
    } else if stream.uniform() < 0.5 {
        rotated(image, label, stream)
    } else {
        (image.clone(), label.clone())
    }
}

/// H-SAM's recipe. 45 %: SAMed's rotation; of the rest 75 %: a crop of 0.2…0.8 of both sides, which
/// becomes smaller than the plane; of the rest 85 %: an elastic deformation, classes by nearest
/// neighbour unless `quirks` has [`Quirk::HSamElasticLabels`].
pub fn hsam(
    image: &Plane<f32>,
    label: &Plane<u8>,
    quirks: &[Quirk],
    stream: &mut Stream,
) -> (Plane<f32>, Plane<u8>) {
    if stream.uniform() < 0.45 {
        rotated(image, label, stream)
    } else if stream.uniform() < 0.75 {
        cropped(image, label, stream)
    } else if stream.uniform() < 0.85 {
        let elastic = Elastic::draw(image.height, image.width, stream);
        let label = match quirks.contains(&Quirk::HSamElasticLabels) {
            true => elastic.interpolated_label(label),
            false => elastic.label(label),
        };
        (elastic.image(image), label)
    } else {
        (image.clone(), label.clone())
    }
}

fn rotated(image: &Plane<f32>, label: &Plane<u8>, stream: &mut Stream) -> (Plane<f32>, Plane<u8>) {
    let degrees = stream.below(40) as f64 - 20.0;
    // Where a pixel comes from takes most of the time, and is the same for both.
    let rotation = NearestRotation::new(image.height, image.width, degrees);
    (rotation.of(image), rotation.of(label))
}

/// H-SAM's `random_scale`; the last place in either direction is never drawn.
fn cropped(image: &Plane<f32>, label: &Plane<u8>, stream: &mut Stream) -> (Plane<f32>, Plane<u8>) {
    let scale = stream.range(0.2, 0.8);
    let mut part = |length: usize| {
        let side = ((length as f32 * scale) as usize).max(1);
        (stream.below((length - side.min(length)).max(1)), side)
    };
    let ((row, height), (column, width)) = (part(image.height), part(image.width));
    (
        image.crop(row, column, height, width),
        label.crop(row, column, height, width),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> (Plane<f32>, Plane<u8>) {
        let label = Plane::from_fn(12, 12, |r, c| u8::from(r > 2 && c > 5 && r < 8));
        let image = Plane::from_fn(12, 12, |r, c| f32::from(label.at(r, c)));
        (image, label)
    }

    type Planes = (Plane<f32>, Plane<u8>);

    fn nearest(image: &Plane<f32>, label: &Plane<u8>, stream: &mut Stream) -> Planes {
        hsam(image, label, &[], stream)
    }

    #[test]
    fn image_and_label_move_together() {
        let (image, label) = scene();
        let streams = Stream::named(1, "augment");
        let mut changed = 0;
        for index in 0..100 {
            let (a, b) = samed(&image, &label, &mut streams.at(index));
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
        for recipe in [samed, nearest] {
            let draw = |seed, index| {
                recipe(
                    &image,
                    &label,
                    &mut Stream::named(seed, "augment").at(index),
                )
            };
            assert_eq!(draw(1, 5), draw(1, 5));
            assert!((0..20).any(|index| draw(1, index) != draw(2, index)));
        }
    }

    /// Shares and crop sizes of H-SAM's recipe on a gradient, whose pixels are all different.
    #[test]
    fn hsam_draws_its_changes_as_often_as_published() {
        let image = Plane::from_fn(40, 50, |r, c| (50 * r + c) as f32 / 2000.0);
        let label = image.map(|value| u8::from(value > 0.5));
        let streams = Stream::named(2, "augment");
        let (mut crops, mut same, count) = (0, 0, 2000);
        for index in 0..count {
            let (a, b) = nearest(&image, &label, &mut streams.at(index));
            assert_eq!((a.height, a.width), (b.height, b.width));
            if (a.height, a.width) != (40, 50) {
                assert!((8..=32).contains(&a.height) && (10..=40).contains(&a.width));
                let agree = |(x, y): (&f32, &u8)| u8::from(*x > 0.5) == *y;
                assert!(a.pixels.iter().zip(&b.pixels).all(agree));
                crops += 1;
            }
            same += usize::from(a == image);
        }
        // 0.55·0.75 are cropped; 0.55·0.25·0.15 and a rotation in forty stay.
        assert!((760..=890).contains(&crops), "{crops}");
        assert!((40..=90).contains(&same), "{same}");
    }

    /// Between classes 0 and 8 lie none by nearest neighbour, and others by interpolation.
    #[test]
    fn only_interpolation_makes_classes_up() {
        let label = Plane::from_fn(40, 40, |_, c| if c < 20 { 0 } else { 8 });
        let image = label.map(f32::from);
        let makes_up = |quirks: &[Quirk]| {
            let streams = Stream::named(3, "augment");
            (0..60).any(|index| {
                let (_, label) = hsam(&image, &label, quirks, &mut streams.at(index));
                label.pixels.iter().any(|class| ![0, 8].contains(class))
            })
        };
        assert!(!makes_up(&[]));
        assert!(makes_up(&[Quirk::HSamElasticLabels]));
    }

    #[test]
    fn single_pixels_survive() {
        let (image, label) = (Plane::from_fn(1, 1, |_, _| 0.5), Plane::blank(1, 1));
        for index in 0..50 {
            let mut stream = Stream::named(4, "augment").at(index);
            assert_eq!(nearest(&image, &label, &mut stream).0.pixels.len(), 1);
        }
    }
}
