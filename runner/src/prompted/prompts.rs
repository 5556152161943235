//! What tells SAM which object is meant, in the picture's own pixels.

use std::str::FromStr;

use crate::error::{Error, Result};

/// Points and at most one rectangle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompts {
    /// Points on the object or beside it.
    pub points: Vec<Point>,
    /// What encloses the object.
    pub rectangle: Option<Rectangle>,
}

/// A point: x to the right and y downwards from the picture's upper left corner, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Column.
    pub x: f32,
    /// Row.
    pub y: f32,
    /// Whether it is on the object; else it is on what does not belong to it.
    pub is_on_object: bool,
}

/// A rectangle between the edges of pixels: 0 is the picture's left or upper edge, its width or height
/// the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rectangle {
    /// Left edge.
    pub x0: f32,
    /// Upper edge.
    pub y0: f32,
    /// Right edge.
    pub x1: f32,
    /// Lower edge.
    pub y1: f32,
}

impl Prompts {
    /// Checks that all of it lies in a picture of `height`×`width`.
    ///
    /// # Errors
    /// [`Error::Usage`] with the first that does not.
    pub fn check(&self, (height, width): (usize, usize)) -> Result<()> {
        let outside = |what: String| {
            let message = format!("{what} is not inside the image of {width}×{height} pixels");
            Err(Error::Usage(message))
        };
        let inside = |x: f32, y: f32| {
            (0.0..=width as f32).contains(&x) && (0.0..=height as f32).contains(&y)
        };
        if let Some(Rectangle { x0, y0, x1, y1 }) = self.rectangle
            && !(inside(x0, y0) && inside(x1, y1))
        {
            return outside(format!("the box {x0},{y0},{x1},{y1}"));
        }
        match self.points.iter().find(|p| !inside(p.x, p.y)) {
            Some(Point { x, y, .. }) => outside(format!("the point {x},{y}")),
            None => Ok(()),
        }
    }

    /// Whether it is a single click, which may mean a part as well as the whole.
    pub fn is_ambiguous(&self) -> bool {
        self.rectangle.is_none() && self.points.len() == 1
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let [x, y, label] = numbers(text)?;
        if label != 0.0 && label != 1.0 {
            return Err(format!(
                "the label is 1 on the object or 0 beside it, not {label}"
            ));
        }
        Ok(Self {
            x,
            y,
            is_on_object: label == 1.0,
        })
    }
}

impl FromStr for Rectangle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let [x0, y0, x1, y1] = numbers(text)?;
        if x0 >= x1 || y0 >= y1 {
            return Err("x0 must be less than x1, and y0 less than y1".into());
        }
        Ok(Self { x0, y0, x1, y1 })
    }
}

/// N finite numbers with commas between them.
pub fn numbers<const N: usize>(text: &str) -> Result<[f32; N], String> {
    let parse = |part: &str| part.trim().parse::<f32>().ok().filter(|x| x.is_finite());
    let parsed: Option<Vec<f32>> = text.split(',').map(parse).collect();
    let wrong = || format!("expected {N} numbers with commas between them");
    parsed
        .and_then(|list| list.try_into().ok())
        .ok_or_else(wrong)
}
