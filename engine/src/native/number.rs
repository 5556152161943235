//! Numbers of buffers, read as f32.

/// Most dimensions that an access may have.
pub(super) const DIMENSIONS: usize = 16;

/// A number that is read as f32.
pub(super) trait Number: Copy {
    /// As f32.
    fn float(self) -> f32;
    /// As u32.
    fn word(self) -> u32;
}

impl Number for f32 {
    fn float(self) -> f32 {
        self
    }

    fn word(self) -> u32 {
        self as u32
    }
}

impl Number for u32 {
    fn float(self) -> f32 {
        self as f32
    }

    fn word(self) -> u32 {
        self
    }
}

/// `source[from]`, `source[from + step]`, …
pub(super) fn strided<T: Number>(source: &[T], from: usize, step: usize, out: &mut [f32]) {
    match step {
        0 => out.fill(source[from].float()),
        1 => {
            let source = &source[from..from + out.len()];
            out.iter_mut().zip(source).for_each(|(y, x)| *y = x.float());
        }
        _ => {
            let source = source[from..].iter().step_by(step);
            out.iter_mut().zip(source).for_each(|(y, x)| *y = x.float());
        }
    }
}
