//! Loss curves as PNG.

use std::path::Path;

use image::{Rgb, RgbImage};

use crate::error::{Error, Result};

const SIZE: (u32, u32) = (640, 320);
const MARGIN: u32 = 12;
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);
const GRID: Rgb<u8> = Rgb([225, 225, 225]);
const RAW: Rgb<u8> = Rgb([170, 195, 225]);
const SMOOTH: Rgb<u8> = Rgb([20, 80, 160]);

/// Draws losses over steps: each step pale, their running mean dark, and four grid lines between
/// the smallest and largest loss.
///
/// # Errors
/// A file that cannot be written.
pub fn draw_curve(path: &Path, losses: &[f32]) -> Result<()> {
    let mut image = RgbImage::from_pixel(SIZE.0, SIZE.1, PAPER);
    for k in 0..=4 {
        let y = MARGIN + k * (SIZE.1 - 2 * MARGIN) / 4;
        line(&mut image, (MARGIN, y), (SIZE.0 - MARGIN, y), GRID);
    }
    let finite: Vec<f32> = losses.iter().copied().filter(|x| x.is_finite()).collect();
    let low = finite.iter().copied().fold(f32::MAX, f32::min);
    let high = finite.iter().copied().fold(f32::MIN, f32::max);
    plot(&mut image, &finite, (low, high), RAW);
    plot(&mut image, &running_mean(&finite), (low, high), SMOOTH);
    image
        .save(path)
        .map_err(|e| Error::file(path, "write", std::io::Error::other(e)))
}

/// Mean over a window of a twentieth of all steps.
fn running_mean(values: &[f32]) -> Vec<f32> {
    let window = (values.len() / 20).max(1);
    let mean = |i: usize| {
        let part = &values[(i + 1).saturating_sub(window)..=i];
        part.iter().sum::<f32>() / part.len() as f32
    };
    (0..values.len()).map(mean).collect()
}

fn plot(image: &mut RgbImage, values: &[f32], (low, high): (f32, f32), colour: Rgb<u8>) {
    let width = (SIZE.0 - 2 * MARGIN) as f32;
    let height = (SIZE.1 - 2 * MARGIN) as f32;
    let last = values.len().saturating_sub(1).max(1) as f32;
    let place = |i: usize, value: f32| {
        let up = (value - low) / (high - low).max(f32::MIN_POSITIVE);
        let x = MARGIN as f32 + width * i as f32 / last;
        let y = MARGIN as f32 + height * (1.0 - up);
        (x.round() as u32, y.round() as u32)
    };
    for (i, pair) in values.windows(2).enumerate() {
        line(image, place(i, pair[0]), place(i + 1, pair[1]), colour);
    }
}

/// A line of one pixel, drawn only inside the image.
fn line(image: &mut RgbImage, from: (u32, u32), to: (u32, u32), colour: Rgb<u8>) {
    let (dx, dy) = (to.0 as f32 - from.0 as f32, to.1 as f32 - from.1 as f32);
    let steps = dx.abs().max(dy.abs()).max(1.0) as u32;
    for k in 0..=steps {
        let share = k as f32 / steps as f32;
        let x = (from.0 as f32 + share * dx).round() as u32;
        let y = (from.1 as f32 + share * dy).round() as u32;
        if let Some(pixel) = image.get_pixel_mut_checked(x, y) {
            *pixel = colour;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_loss_goes_from_upper_left_to_lower_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.png");
        draw_curve(&path, &[2.0, 1.5, f32::NAN, 1.0]).unwrap();
        let image = image::open(&path).unwrap().into_rgb8();
        let dark = |x, y| *image.get_pixel(x, y) == SMOOTH;
        assert!(dark(MARGIN, MARGIN));
        assert!(dark(SIZE.0 - MARGIN, SIZE.1 - MARGIN));
        assert!(!dark(SIZE.0 - MARGIN, MARGIN));
    }

    #[test]
    fn nothing_to_plot_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        draw_curve(&folder.path().join("a.png"), &[]).unwrap();
        draw_curve(&folder.path().join("b.png"), &[0.5, 0.5]).unwrap();
        assert!(draw_curve(&folder.path().join("none/c.png"), &[1.0]).is_err());
    }
}
