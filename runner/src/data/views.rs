//! Views of unlabelled slices for the self-supervised objectives: SAMora's three expert levels
//! (SAMora, datasets/dataset_unlabeled.py), SimCLR's crops (SimCLRv2, data_util.py) and MAE's crops
//! and masks (MAE, main_pretrain.py and models_mae.py). Input intensities may have any range;
//! every view but SimCLR's and MAE's is standardised to mean 0 and variance 1. A stage's `intensity` says
//! on which scale its network sees them.

use super::gaussian::{Border, blur};
use super::slice::Plane;
use super::zoom::{Interpolation, rotate_linear, zoom};
use samora_engine::random::Stream;

/// One random view for the image level: turn and flip, rotation, crop, intensity jitter, blur.
pub fn image_view(plane: &Plane<f32>, size: usize, stream: &mut Stream) -> Plane<f32> {
    let mut view = min_max(plane);
    if stream.uniform() < 0.5 {
        let (turns, axis) = (stream.below(4), stream.below(2));
        view = view.rot90(turns).flip(axis);
    }
    if stream.uniform() < 0.6 {
        view = rotate_linear(&view, stream.below(41) as f64 - 20.0);
    }
    if stream.uniform() < 0.5 {
        let scale = stream.range(0.6, 1.0);
        let side = |length: usize| ((length as f32 * scale) as usize).max(1);
        view = random_crop(&view, side(view.height), side(view.width), stream);
    }
    view = min_max(&view);
    let (gain, offset) = (stream.range(0.85, 1.15), stream.range(-0.15, 0.15));
    for pixel in &mut view.pixels {
        *pixel = (*pixel * gain + offset).clamp(0.0, 1.0);
    }
    if stream.uniform() < 0.3 {
        view = random_blur(&view, stream);
    }
    standardize(&zoom(&view, size, size, Interpolation::Cubic))
}

/// The view of the patch level, also the noise-free input at evaluation.
pub fn patch_view(plane: &Plane<f32>, size: usize) -> Plane<f32> {
    standardize(&zoom(&min_max(plane), size, size, Interpolation::Cubic))
}

/// Input and target of the pixel level.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelViews {
    /// The clean image with Gaussian noise of σ = 0.08, half of the time blurred; standardised.
    pub noisy: Plane<f32>,
    /// The clean image in 0…1, as a sigmoid output and a soft Dice need it.
    pub clean: Plane<f32>,
}

/// Noisy input and clean target for the pixel level.
pub fn pixel_views(plane: &Plane<f32>, size: usize, stream: &mut Stream) -> PixelViews {
    let resized = zoom(&min_max(plane), size, size, Interpolation::Cubic);
    let mut noisy = resized.clone();
    for pixel in &mut noisy.pixels {
        *pixel = (*pixel + 0.08 * stream.normal()).clamp(0.0, 1.0);
    }
    if stream.uniform() < 0.5 {
        noisy = random_blur(&noisy, stream);
    }
    PixelViews {
        noisy: standardize(&noisy),
        clean: min_max(&resized),
    }
}

/// One SimCLRv2 view in 0…1: crop of 8–100 % of the area, flip, brightness and contrast jitter
/// (hue, saturation and greyscale do nothing to a grey image), blur.
pub fn simclr_view(plane: &Plane<f32>, size: usize, stream: &mut Stream) -> Plane<f32> {
    let mut view = area_crop(&min_max(plane), 0.08, size, stream);
    if stream.uniform() < 0.8 {
        let (brightness, contrast) = (stream.range(0.2, 1.8), stream.range(0.2, 1.8));
        let brightness_first = stream.below(2) == 0;
        for step in [brightness_first, !brightness_first] {
            let centre = if step { 0.0 } else { mean(&view.pixels) };
            let gain = if step { brightness } else { contrast };
            for pixel in &mut view.pixels {
                *pixel = (centre + (*pixel - centre) * gain).clamp(0.0, 1.0);
            }
        }
    }
    if stream.uniform() < 0.5 {
        let sigma = stream.range(0.1, 2.0);
        view = blur(&view, size / 20, sigma, Border::Repeat);
    }
    view
}

/// MAE's training view in 0…1: crop of 20–100 % of the area, and a flip.
pub fn mae_view(plane: &Plane<f32>, size: usize, stream: &mut Stream) -> Plane<f32> {
    area_crop(&min_max(plane), 0.2, size, stream)
}

/// Which patches MAE's encoder sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaeMask {
    /// Visible patches in the shuffled order in which the encoder gets them (`ids_keep`).
    pub keep: Vec<u32>,
    /// For each patch its place in the shuffled sequence (`ids_restore`): places below
    /// `keep.len()` are visible, the others are mask tokens.
    pub restore: Vec<u32>,
}

/// Draws MAE's mask: of `patches`, the first ⌊patches·(1 − ratio)⌋ of a random order are kept.
pub fn mae_mask(patches: usize, ratio: f32, stream: &mut Stream) -> MaeMask {
    let mut order: Vec<u32> = (0..patches as u32).collect();
    stream.shuffle(&mut order);
    let mut restore = vec![0; patches];
    for (place, patch) in order.iter().enumerate() {
        restore[*patch as usize] = place as u32;
    }
    let visible = (f64::from(1.0 - ratio).clamp(0.0, 1.0) * patches as f64 + 1e-6) as usize;
    order.truncate(visible);
    MaeMask {
        keep: order,
        restore,
    }
}

/// Scales to 0…1; a constant plane becomes 0.
pub fn min_max(plane: &Plane<f32>) -> Plane<f32> {
    let low = plane.pixels.iter().copied().fold(f32::INFINITY, f32::min);
    let high = plane
        .pixels
        .iter()
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    let scale = if high > low {
        1.0 / (high - low + 1e-8)
    } else {
        0.0
    };
    plane.map(|p| (p - low) * scale)
}

/// Shifts and scales to mean 0 and (population) standard deviation 1.
pub fn standardize(plane: &Plane<f32>) -> Plane<f32> {
    let mean = mean(&plane.pixels);
    let squares = plane.pixels.iter().map(|p| f64::from(p - mean).powi(2));
    let deviation = (squares.sum::<f64>() / plane.pixels.len().max(1) as f64).sqrt() as f32;
    plane.map(|p| (p - mean) / (deviation + 1e-8))
}

/// OpenCV's `GaussianBlur` with 3 or 5 taps.
fn random_blur(plane: &Plane<f32>, stream: &mut Stream) -> Plane<f32> {
    let radius = 1 + stream.below(2);
    blur(plane, radius, stream.range(0.6, 1.4), Border::Mirror)
}

/// A part of `height`×`width`, at most the whole, anywhere inside.
fn random_crop(plane: &Plane<f32>, height: usize, width: usize, stream: &mut Stream) -> Plane<f32> {
    let row = stream.below(plane.height.saturating_sub(height) + 1);
    let column = stream.below(plane.width.saturating_sub(width) + 1);
    plane.crop(row, column, height, width)
}

/// A crop of at least `smallest` of the area with aspect ratio 3/4…4/3, resized to `size`×`size`
/// and flipped half of the time.
fn area_crop(plane: &Plane<f32>, smallest: f32, size: usize, stream: &mut Stream) -> Plane<f32> {
    let area = stream.range(smallest, 1.0);
    let aspect = stream.range(0.75_f32.ln(), (4.0_f32 / 3.0).ln()).exp();
    let columns = (area * aspect).sqrt().min(1.0);
    let rows = (area / columns).min(1.0);
    let side = |length: usize, share: f32| ((length as f32 * share).round() as usize).max(1);
    let (height, width) = (side(plane.height, rows), side(plane.width, columns));
    let crop = random_crop(plane, height, width, stream);
    let view = zoom(&crop, size, size, Interpolation::Cubic).map(|p| p.clamp(0.0, 1.0));
    if stream.uniform() < 0.5 {
        view.flip(1)
    } else {
        view
    }
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
    (sum / values.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden::{checksum, scene};

    fn ramp() -> Plane<f32> {
        Plane::from_fn(40, 30, |r, c| (r * 7 + c * 3) as f32 - 100.0)
    }

    fn stream(index: u64) -> Stream {
        Stream::named(3, "views").at(index)
    }

    #[test]
    fn views_are_standardised_and_follow_their_key() {
        for index in 0..20 {
            let view = image_view(&ramp(), 16, &mut stream(index));
            assert_eq!(view.pixels.len(), 256);
            assert!(mean(&view.pixels).abs() < 1e-4);
            assert_eq!(view, image_view(&ramp(), 16, &mut stream(index)));
            assert_ne!(view, image_view(&ramp(), 16, &mut stream(index + 100)));
        }
        // `tests/reference/preprocessing.py`, scipy 1.17.1.
        let found = checksum(&patch_view(&scene(40, 30), 16).pixels);
        assert!((found - 0.0038277648).abs() < 1e-6, "{found}");
        let view = patch_view(&ramp(), 16);
        let variance = mean(&view.map(|p| p * p).pixels);
        assert!((variance - 1.0).abs() < 1e-3, "{variance}");
    }

    #[test]
    fn the_clean_target_lies_in_the_unit_range() {
        let views = pixel_views(&ramp(), 32, &mut stream(1));
        assert!(views.clean.pixels.iter().all(|p| (0.0..=1.0).contains(p)));
        let noise = |a: &Plane<f32>, b: &Plane<f32>| {
            let squares = a
                .pixels
                .iter()
                .zip(&b.pixels)
                .map(|(x, y)| (x - y) * (x - y));
            (squares.sum::<f32>() / a.pixels.len() as f32).sqrt()
        };
        let level = noise(&views.noisy, &standardize(&views.clean));
        assert!((0.02..0.6).contains(&level), "{level}");
    }

    #[test]
    fn crops_keep_the_unit_range() {
        for index in 0..20 {
            for view in [
                simclr_view(&ramp(), 24, &mut stream(index)),
                mae_view(&ramp(), 24, &mut stream(index)),
            ] {
                assert_eq!((view.height, view.width), (24, 24));
                assert!(view.pixels.iter().all(|p| (0.0..=1.0).contains(p)));
            }
        }
    }

    #[test]
    fn masks_restore_the_patch_order() {
        let mask = mae_mask(196, 0.75, &mut stream(2));
        assert_eq!((mask.keep.len(), mask.restore.len()), (49, 196));
        for (place, patch) in mask.keep.iter().enumerate() {
            assert_eq!(mask.restore[*patch as usize] as usize, place);
        }
        let mut places = mask.restore.clone();
        places.sort_unstable();
        assert!(places.iter().enumerate().all(|(i, p)| i == *p as usize));
        assert_eq!(mae_mask(10, 0.9, &mut stream(0)).keep.len(), 1);
    }

    #[test]
    fn constant_and_tiny_planes_are_safe() {
        let flat = Plane::from_fn(1, 1, |_, _| 5.0);
        assert!(
            image_view(&flat, 8, &mut stream(0))
                .pixels
                .iter()
                .all(|p| p.is_finite())
        );
        assert!(
            simclr_view(&flat, 8, &mut stream(0))
                .pixels
                .iter()
                .all(|p| p.is_finite())
        );
        assert!(patch_view(&flat, 8).pixels.iter().all(|p| *p == 0.0));
    }
}
