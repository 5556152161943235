//! Loss curves as PNG.

use std::path::Path;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::text::Alignment;

use super::canvas::Canvas;
use crate::error::Result;

const SIZE: (usize, usize) = (640, 320);
const LEFT: usize = 56;
const RIGHT: usize = SIZE.0 - 24;
const TOP: usize = 24;
const BOTTOM: usize = SIZE.1 - 24;
/// Grid lines besides the axes.
const TICKS: usize = 4;
const PAPER: Rgb888 = Rgb888::new(255, 255, 255);
const INK: Rgb888 = Rgb888::new(90, 90, 90);
const GRID: Rgb888 = Rgb888::new(225, 225, 225);
const RAW: Rgb888 = Rgb888::new(170, 195, 225);
const SMOOTH: Rgb888 = Rgb888::new(20, 80, 160);

/// Draws losses over steps: each loss pale, their running mean dark, on a grid from the smallest to the
/// largest loss and from the first to the last step. Losses that are no number are left out.
///
/// # Errors
/// A file that cannot be written.
pub fn draw_curve(path: &Path, title: &str, losses: &[(usize, f32)]) -> Result<()> {
    let mut canvas = Canvas::new(SIZE, PAPER);
    canvas.text((LEFT, TOP / 2), Alignment::Left, title, INK);
    let finite = losses.iter().copied().filter(|(_, loss)| loss.is_finite());
    let finite: Vec<(usize, f32)> = finite.collect();
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else {
        return canvas.save(path);
    };
    let heights = finite.iter().map(|(_, loss)| *loss);
    let axes = Axes {
        steps: (first.0, last.0),
        losses: (
            heights.clone().fold(f32::MAX, f32::min),
            heights.fold(f32::MIN, f32::max),
        ),
    };
    axes.draw(&mut canvas);
    axes.plot(&mut canvas, &finite, RAW);
    axes.plot(&mut canvas, &running_mean(&finite), SMOOTH);
    canvas.save(path)
}

/// Mean over a window of a twentieth of all losses.
fn running_mean(losses: &[(usize, f32)]) -> Vec<(usize, f32)> {
    let window = (losses.len() / 20).max(1);
    let mean = |i: usize| {
        let part = &losses[(i + 1).saturating_sub(window)..=i];
        let sum: f32 = part.iter().map(|(_, loss)| loss).sum();
        (losses[i].0, sum / part.len() as f32)
    };
    (0..losses.len()).map(mean).collect()
}

struct Axes {
    steps: (usize, usize),
    losses: (f32, f32),
}

impl Axes {
    fn draw(&self, canvas: &mut Canvas) {
        let (low, high) = self.losses;
        let (first, last) = self.steps;
        for tick in 0..=TICKS {
            let y = BOTTOM - tick * (BOTTOM - TOP) / TICKS;
            let loss = low + (high - low) * tick as f32 / TICKS as f32;
            canvas.line((LEFT, y), (RIGHT, y), GRID);
            canvas.text((LEFT - 6, y), Alignment::Right, &number(loss, high), INK);
            let step = first + (last - first) * tick / TICKS;
            let (x, _) = self.place((step, low));
            canvas.line((x, TOP), (x, BOTTOM), GRID);
            let below = (x, BOTTOM + 12);
            canvas.text(below, Alignment::Center, &step.to_string(), INK);
        }
    }

    fn plot(&self, canvas: &mut Canvas, losses: &[(usize, f32)], colour: Rgb888) {
        for pair in losses.windows(2) {
            canvas.line(self.place(pair[0]), self.place(pair[1]), colour);
        }
    }

    fn place(&self, (step, loss): (usize, f32)) -> (usize, usize) {
        let (low, high) = self.losses;
        let up = (loss - low) / (high - low).max(f32::MIN_POSITIVE);
        let (first, last) = self.steps;
        let along = (step - first) as f32 / (last - first).max(1) as f32;
        let x = LEFT as f32 + along * (RIGHT - LEFT) as f32;
        let y = BOTTOM as f32 - up * (BOTTOM - TOP) as f32;
        (x.round() as usize, y.round() as usize)
    }
}

/// With so many digits that numbers up to `highest` can be told apart on a grid.
fn number(value: f32, highest: f32) -> String {
    match highest.abs() {
        0.0..0.01 => format!("{value:.1e}"),
        0.01..1.0 => format!("{value:.3}"),
        1.0..100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_falling_loss_goes_from_upper_left_to_lower_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.png");
        let losses = [(0, 2.0), (5, 1.5), (8, f32::NAN), (10, 1.0)];
        draw_curve(&path, "loss", &losses).unwrap();
        let image = image::open(&path).unwrap().into_rgb8();
        let dark = |x, y| *image.get_pixel(x as u32, y as u32) == Rgb([20, 80, 160]);
        assert!(dark(LEFT, TOP));
        assert!(dark(RIGHT, BOTTOM));
        assert!(!dark(RIGHT, TOP));
        // Half of the way along and down.
        assert!(dark(LEFT.midpoint(RIGHT), TOP.midpoint(BOTTOM)));
    }

    #[test]
    fn nothing_to_plot_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        draw_curve(&folder.path().join("a.png"), "loss", &[]).unwrap();
        draw_curve(&folder.path().join("b.png"), "loss", &[(0, 0.5), (1, 0.5)]).unwrap();
        draw_curve(&folder.path().join("c.png"), "loss", &[(7, 0.5)]).unwrap();
        assert!(draw_curve(&folder.path().join("none/d.png"), "loss", &[(0, 1.0)]).is_err());
    }
}
