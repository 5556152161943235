//! Test slices as PNG, with truth and prediction as contours.

use std::path::Path;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::Alignment;

use super::canvas::{Canvas, LETTER, TEXT_LINE};
use crate::error::{Error, Result};

/// Colours of classes 1, 2, …, told apart also with the common colour-vision deficiencies as far as
/// eight colours can (after Okabe and Ito); more classes repeat them.
const COLOURS: [Rgb888; 8] = [
    Rgb888::new(230, 159, 0),
    Rgb888::new(86, 180, 233),
    Rgb888::new(0, 158, 115),
    Rgb888::new(240, 228, 66),
    Rgb888::new(213, 94, 0),
    Rgb888::new(204, 121, 167),
    Rgb888::new(60, 110, 255),
    Rgb888::new(180, 255, 120),
];
const PAPER: Rgb888 = Rgb888::new(0, 0, 0);
const INK: Rgb888 = Rgb888::new(200, 200, 200);
/// Side of a legend's swatch, and the gap between the panels.
const SWATCH: usize = 10;
const GAP: usize = 12;

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
/// both sides; `classes` are the names of 1, 2, … in the legend below.
///
/// # Errors
/// Arrays that do not have `height`·`width` elements, or a file that cannot be written.
pub fn draw_overlay(path: &Path, slice: &Overlay<'_>, classes: &[String]) -> Result<()> {
    let (height, width) = (slice.height, slice.width);
    let pixels = height * width;
    let sizes = [slice.image.len(), slice.truth.len(), slice.prediction.len()];
    if sizes.iter().any(|&n| n != pixels) || pixels == 0 {
        let message = format!("a slice of {height}×{width} with {sizes:?} elements");
        return Err(Error::file(path, "draw", std::io::Error::other(message)));
    }
    let zoom = 256usize.div_ceil(height).clamp(1, 8);
    let (wide, high) = (width * zoom, height * zoom);
    let legend = legend(classes, 2 * wide + GAP);
    let lines = legend.last().map_or(0, |(_, (_, line))| line + 1);
    let size = (2 * wide + GAP, TEXT_LINE + high + lines * TEXT_LINE + 2);
    let mut canvas = Canvas::new(size, PAPER);
    let panels = [
        (0, "truth", slice.truth),
        (wide + GAP, "prediction", slice.prediction),
    ];
    for (left, title, labels) in panels {
        canvas.text((left + 2, TEXT_LINE / 2), Alignment::Left, title, INK);
        let panel = Panel {
            slice,
            labels,
            zoom,
        };
        panel.draw(&mut canvas, left);
    }
    for (class, (x, line)) in legend {
        let middle = TEXT_LINE + high + line * TEXT_LINE + TEXT_LINE / 2 + 1;
        canvas.square((x, middle - SWATCH / 2), SWATCH, colour(class));
        let name = classes.get(class - 1).map_or("", String::as_str);
        canvas.text((x + SWATCH + 4, middle), Alignment::Left, name, INK);
    }
    canvas.save(path)
}

/// Where the legend's entries begin: each class with its column and line.
fn legend(classes: &[String], width: usize) -> Vec<(usize, (usize, usize))> {
    let (mut x, mut line) = (2, 0);
    let mut entries = Vec::with_capacity(classes.len());
    for (class, name) in (1..).zip(classes) {
        let wide = SWATCH + 4 + LETTER * name.chars().count() + GAP;
        if x > 2 && x + wide > width {
            (x, line) = (2, line + 1);
        }
        entries.push((class, (x, line)));
        x += wide;
    }
    entries
}

struct Panel<'a> {
    slice: &'a Overlay<'a>,
    labels: &'a [u8],
    zoom: usize,
}

impl Panel<'_> {
    fn draw(&self, canvas: &mut Canvas, left: usize) {
        let (wide, high) = (self.slice.width * self.zoom, self.slice.height * self.zoom);
        for (x, y) in (0..wide * high).map(|i| (i % wide, i / wide)) {
            let class = self.class(x, y);
            let here = match class {
                0 => self.grey(x, y),
                class if self.is_edge(x, y, class) => colour(class as usize),
                _ => self.grey(x, y),
            };
            canvas.put(left + x, TEXT_LINE + y, here);
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

    fn grey(&self, x: usize, y: usize) -> Rgb888 {
        let index = y / self.zoom * self.slice.width + x / self.zoom;
        let value = self.slice.image.get(index).copied().unwrap_or(0.0);
        let level = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
        Rgb888::new(level, level, level)
    }
}

fn colour(class: usize) -> Rgb888 {
    COLOURS[(class - 1) % COLOURS.len()]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use embedded_graphics::pixelcolor::RgbColor;
    use image::Rgb;

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
        draw_overlay(&path, &slice, &["liver".into(), "spleen".into()]).unwrap();
        let drawn = image::open(&path).unwrap().into_rgb8();
        assert_eq!(drawn.dimensions(), (2 * 256 + 12, 14 + 256 + 14 + 2));
        let right = 256 + 12;
        let at = |x: u32, y: u32| *drawn.get_pixel(x, 14 + y);
        let class = |class: usize| {
            let colour = colour(class);
            Rgb([colour.r(), colour.g(), colour.b()])
        };
        assert_eq!(at(4 * 4, 9 * 4), class(1));
        assert_eq!(at(4 * 4 + 8, 9 * 4 + 8), Rgb([128; 3]));
        assert_eq!(at(right + 30 * 4, 9 * 4), class(2));
        assert_eq!(at(right + 4 * 4, 9 * 4), Rgb([128; 3]));
        assert_eq!(at(2 + 4, 256 + 8), class(1));
        assert_eq!(at(2 + 10 + 4 + 5 * 6 + 12 + 4, 256 + 8), class(2));
    }

    #[test]
    fn a_long_legend_goes_on_in_the_next_line() {
        let names: Vec<String> = ["left kidney", "right kidney", "aorta"]
            .map(String::from)
            .into();
        let lines: Vec<usize> = legend(&names, 200).iter().map(|(_, at)| at.1).collect();
        assert_eq!(lines, [0, 0, 1]);
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
        assert!(draw_overlay(&folder.path().join("x.png"), &slice, &[]).is_err());
    }
}
