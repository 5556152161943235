//! A picture to draw and write on.

use std::convert::Infallible;
use std::path::Path;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_6X10;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{Line, PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{Rgb, RgbImage};

use crate::error::{Error, Result};

/// Width of a letter in pixels.
pub(super) const LETTER: usize = 6;
/// Height of a line of text in pixels.
pub(super) const TEXT_LINE: usize = 14;

/// Pixels; what is drawn outside of them is cut off.
#[derive(Debug)]
pub(super) struct Canvas(RgbImage);

impl Canvas {
    /// An empty picture.
    pub(super) fn new((width, height): (usize, usize), paper: Rgb888) -> Self {
        let image = RgbImage::from_pixel(width as u32, height as u32, rgb(paper));
        Self(image)
    }

    /// Sets a pixel.
    pub(super) fn put(&mut self, x: usize, y: usize, colour: Rgb888) {
        if let Some(pixel) = self.0.get_pixel_mut_checked(x as u32, y as u32) {
            *pixel = rgb(colour);
        }
    }

    /// Fills a square.
    pub(super) fn square(&mut self, (x, y): (usize, usize), side: usize, colour: Rgb888) {
        let area = Rectangle::new(point((x, y)), Size::new_equal(side as u32));
        let drawn = area
            .into_styled(PrimitiveStyle::with_fill(colour))
            .draw(self);
        drawn.unwrap_or_else(|never| match never {});
    }

    /// Draws a line of one pixel.
    pub(super) fn line(&mut self, from: (usize, usize), to: (usize, usize), colour: Rgb888) {
        let line = Line::new(point(from), point(to));
        let drawn = line
            .into_styled(PrimitiveStyle::with_stroke(colour, 1))
            .draw(self);
        drawn.unwrap_or_else(|never| match never {});
    }

    /// Writes one line around the height `y`, from, to or around `x`.
    pub(super) fn text(
        &mut self,
        (x, y): (usize, usize),
        alignment: Alignment,
        text: &str,
        colour: Rgb888,
    ) {
        let place = TextStyleBuilder::new()
            .alignment(alignment)
            .baseline(Baseline::Middle)
            .build();
        let letters = MonoTextStyle::new(&FONT_6X10, colour);
        match Text::with_text_style(text, point((x, y)), letters, place).draw(self) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    /// Writes the picture as PNG, or what the extension says.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let failed = |e| Error::file(path, "write", std::io::Error::other(e));
        self.0.save(path).map_err(failed)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(at, colour) in pixels {
            if let (Ok(x), Ok(y)) = (at.x.try_into(), at.y.try_into()) {
                self.put(x, y, colour);
            }
        }
        Ok(())
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

fn rgb(colour: Rgb888) -> Rgb<u8> {
    Rgb([colour.r(), colour.g(), colour.b()])
}

fn point((x, y): (usize, usize)) -> Point {
    Point::new(x as i32, y as i32)
}
