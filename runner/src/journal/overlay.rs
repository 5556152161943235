//! Test slices as PNG, with truth and prediction as contours.

use std::path::Path;

use image::{Rgb, RgbImage};

use crate::error::{Error, Result};

/// Colours of classes 1, 2, …, told apart also with the common colour-vision deficiencies as far as
/// eight colours can (after Okabe and Ito); more classes repeat them.
const COLOURS: [Rgb<u8>; 8] = [
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([0, 158, 115]),
    Rgb([240, 228, 66]),
    Rgb([213, 94, 0]),
    Rgb([204, 121, 167]),
    Rgb([60, 110, 255]),
    Rgb([180, 255, 120]),
];

/// A slice to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Intensities in 0…1, row by row.
    pub image: &'a [f32],
    /// True classes, 0 for background.
    pub truth: &'a [u8],
    /// Predicted classes, 0 for background.
    pub prediction: &'a [u8],
}

/// Draws the slice twice, side by side and magnified to at least 256 rows: on the left with the
/// outlines of the truth, on the right with those of the prediction. A class has the same colour on
/// both sides; a bar of swatches below shows the classes in order.
///
/// # Errors
/// Arrays that do not have `height`·`width` elements, or a file that cannot be written.
pub fn draw_overlay(path: &Path, slice: &Overlay<'_>, classes: usize) -> Result<()> {
    let (height, width) = (slice.height, slice.width);
    let pixels = height * width;
    let sizes = [slice.image.len(), slice.truth.len(), slice.prediction.len()];
    if sizes.iter().any(|&n| n != pixels) || pixels == 0 {
        let message = format!("a slice of {height}×{width} with {sizes:?} elements");
        return Err(Error::file(path, "draw", std::io::Error::other(message)));
    }
    let zoom = 256usize.div_ceil(height).clamp(1, 8);
    let swatch = 12;
    let (wide, high) = (width * zoom, height * zoom);
    let mut canvas = RgbImage::new((2 * wide + swatch) as u32, (high + 2 * swatch) as u32);
    for (left, labels) in [(0, slice.truth), (wide + swatch, slice.prediction)] {
        let panel = Panel {
            slice,
            labels,
            zoom,
        };
        panel.draw(&mut canvas, left);
    }
    for class in 1..=classes {
        let left = (class - 1) * 2 * swatch;
        for (x, y) in (0..swatch * swatch).map(|i| (left + i % swatch, i / swatch)) {
            put(&mut canvas, x, high + swatch / 2 + y, colour(class));
        }
    }
    canvas
        .save(path)
        .map_err(|e| Error::file(path, "write", std::io::Error::other(e)))
}

struct Panel<'a> {
    slice: &'a Overlay<'a>,
    labels: &'a [u8],
    zoom: usize,
}

impl Panel<'_> {
    fn draw(&self, canvas: &mut RgbImage, left: usize) {
        let (wide, high) = (self.slice.width * self.zoom, self.slice.height * self.zoom);
        for (x, y) in (0..wide * high).map(|i| (i % wide, i / wide)) {
            let class = self.class(x, y);
            let here = match class {
                0 => self.grey(x, y),
                class if self.is_edge(x, y, class) => colour(class as usize),
                _ => self.grey(x, y),
            };
            put(canvas, left + x, y, here);
        }
    }

    /// Whether a magnified pixel of `class` borders on another class or the image's border.
    fn is_edge(&self, x: usize, y: usize, class: u8) -> bool {
        let (wide, high) = (self.slice.width * self.zoom, self.slice.height * self.zoom);
        let inside = x > 0 && y > 0 && x + 1 < wide && y + 1 < high;
        let neighbours = [(1, 0), (0, 1), (2, 1), (1, 2)];
        !inside
            || neighbours
                .iter()
                .any(|(dx, dy)| self.class(x + dx - 1, y + dy - 1) != class)
    }

    fn class(&self, x: usize, y: usize) -> u8 {
        let index = y / self.zoom * self.slice.width + x / self.zoom;
        self.labels.get(index).copied().unwrap_or(0)
    }

    fn grey(&self, x: usize, y: usize) -> Rgb<u8> {
        let index = y / self.zoom * self.slice.width + x / self.zoom;
        let value = self.slice.image.get(index).copied().unwrap_or(0.0);
        Rgb([(value.clamp(0.0, 1.0) * 255.0).round() as u8; 3])
    }
}

fn colour(class: usize) -> Rgb<u8> {
    COLOURS[(class - 1) % COLOURS.len()]
}

fn put(canvas: &mut RgbImage, x: usize, y: usize, colour: Rgb<u8>) {
    if let Some(pixel) = canvas.get_pixel_mut_checked(x as u32, y as u32) {
        *pixel = colour;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_on_the_left_and_prediction_on_the_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.png");
        let image = vec![0.5; 64 * 64];
        let square = |from: usize, class: u8| -> Vec<u8> {
            let inside =
                |i: usize| (from..from + 20).contains(&(i % 64)) && (9..29).contains(&(i / 64));
            (0..64 * 64)
                .map(|i| if inside(i) { class } else { 0 })
                .collect()
        };
        let (truth, prediction) = (square(4, 1), square(30, 2));
        let slice = Overlay {
            height: 64,
            width: 64,
            image: &image,
            truth: &truth,
            prediction: &prediction,
        };
        draw_overlay(&path, &slice, 2).unwrap();
        let drawn = image::open(&path).unwrap().into_rgb8();
        let right = 256 + 12;
        assert_eq!(drawn.dimensions(), (2 * 256 + 12, 256 + 24));
        assert_eq!(*drawn.get_pixel(4 * 4, 9 * 4), COLOURS[0]);
        assert_eq!(*drawn.get_pixel(4 * 4 + 8, 9 * 4 + 8), Rgb([128; 3]));
        assert_eq!(*drawn.get_pixel(right + 30 * 4, 9 * 4), COLOURS[1]);
        assert_eq!(*drawn.get_pixel(right + 4 * 4, 9 * 4), Rgb([128; 3]));
        assert_eq!(*drawn.get_pixel(24 + 3, 256 + 8), COLOURS[1]);
    }

    #[test]
    fn arrays_of_the_wrong_size_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let slice = Overlay {
            height: 2,
            width: 2,
            image: &[0.0; 4],
            truth: &[0; 3],
            prediction: &[0; 4],
        };
        assert!(draw_overlay(&folder.path().join("x.png"), &slice, 1).is_err());
    }
}
