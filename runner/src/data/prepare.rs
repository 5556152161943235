//! Slices as the network takes them, and masks as the slices need them.

use super::quirk::Quirk;
use super::slice::Plane;
use super::zoom::{Interpolation, blank_overshoot, zoom, zoom_nearest};

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

/// An augmented slice for the network: the image by cubic spline, labels by nearest neighbour.
pub fn example(
    image: &Plane<f32>,
    label: &Plane<u8>,
    (size, low_res): (usize, usize),
    quirks: &[Quirk],
) -> Example {
    let label = resized_label(label, (size, size), quirks);
    Example {
        image: resized_image(image, size, quirks),
        low_res_label: resized_label(&label, (low_res, low_res), quirks),
        label,
    }
}

/// A training slice before its augmentation.
pub fn stored(image: Plane<f32>, label: Plane<u8>, quirks: &[Quirk]) -> (Plane<f32>, Plane<u8>) {
    if quirks.contains(&Quirk::SamedVia224) {
        let label = resized_label(&label, (224, 224), quirks);
        return (resized_image(&image, 224, quirks), label);
    }
    (image, label)
}

/// A test slice for the network, `size`×`size`.
pub fn test_image(image: &Plane<f32>, size: usize, quirks: &[Quirk]) -> Plane<f32> {
    if quirks.contains(&Quirk::SamedVia224) {
        let first = resized_image(image, 224, quirks);
        return resized_image(&first, size, quirks);
    }
    resized_image(image, size, quirks)
}

/// Classes resized by nearest neighbour to `height`×`width`.
pub fn resized_label(
    label: &Plane<u8>,
    (height, width): (usize, usize),
    quirks: &[Quirk],
) -> Plane<u8> {
    as_scipy(zoom_nearest(label, height, width), label, quirks)
}

fn resized_image(image: &Plane<f32>, size: usize, quirks: &[Quirk]) -> Plane<f32> {
    let zoomed = zoom(image, size, size, Interpolation::Cubic);
    as_scipy(zoomed, image, quirks)
}

fn as_scipy<T: Copy + Default>(
    mut zoomed: Plane<T>,
    from: &Plane<T>,
    quirks: &[Quirk],
) -> Plane<T> {
    if quirks.contains(&Quirk::SamedLastRow) {
        blank_overshoot(&mut zoomed, from.height, from.width);
    }
    zoomed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden::{checksum, scene};

    #[test]
    fn examples_have_the_asked_sizes() {
        let label = Plane::from_fn(12, 12, |r, c| u8::from(r > 2 && c > 5 && r < 8));
        let example = example(&label.map(f32::from), &label, (32, 8), &[]);
        assert_eq!((example.image.height, example.image.width), (32, 32));
        assert_eq!(example.low_res_label.pixels.len(), 64);
        for classes in [&example.label.pixels, &example.low_res_label.pixels] {
            let found: std::collections::BTreeSet<u8> = classes.iter().copied().collect();
            assert!(found.into_iter().eq([0, 1]));
        }
    }

    /// Expected values: `tests/reference/preprocessing.py`, scipy 1.17.1.
    #[test]
    fn quirks_give_what_released_code_gives() {
        let via_224 = [Quirk::SamedVia224, Quirk::SamedLastRow];
        let image = scene(512, 512);
        let label = image.map(|value| (value * 9.0) as u8);
        let found = [
            checksum(&test_image(&image, 512, &via_224).pixels),
            checksum(&test_image(&image, 512, &[Quirk::SamedVia224]).pixels),
            checksum(&test_image(&image, 512, &[Quirk::SamedLastRow]).pixels),
        ];
        for (found, expected) in found.iter().zip([0.2466789583, 0.2482684932, 0.2487774984]) {
            assert!((found - expected).abs() < 1e-8, "{found}, not {expected}");
        }
        let (small, small_label) = stored(image, label, &via_224);
        let made = example(&small, &small_label, (512, 128), &via_224);
        let found = [
            checksum(&made.image.pixels),
            checksum(&made.label.map(f32::from).pixels),
            checksum(&made.low_res_label.map(f32::from).pixels),
        ];
        for (found, expected) in found.iter().zip([0.2466789583, 1.9673295693, 1.9583578736]) {
            assert!((found - expected).abs() < 1e-8, "{found}, not {expected}");
        }
    }
}
