//! How time and memory of a step grow with one of its sizes.

use super::Measured;

/// What a case is called whose size `what` is `n`, among others that differ in that alone ([`Growth::of`]).
pub(super) fn grown(what: &str, n: usize) -> String {
    format!("{what} {n}")
}

/// Cases that differ in one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// The size they differ in.
    pub what: String,
    /// Its values.
    pub sizes: Vec<f64>,
    /// Median seconds of a step.
    pub seconds: Vec<f64>,
    /// Bytes of inputs and computed values.
    pub activations: Vec<f64>,
}

impl Growth {
    /// The series among cases that are called by what grows and its size, such as `tokens 196`.
    pub fn of(rows: &[Measured]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for row in rows {
            let Some((what, size)) = row.name.rsplit_once(' ') else {
                continue;
            };
            let Ok(size) = size.parse() else { continue };
            if all.last().is_none_or(|last| last.what != what) {
                all.push(Self {
                    what: what.into(),
                    sizes: Vec::new(),
                    seconds: Vec::new(),
                    activations: Vec::new(),
                });
            }
            if let Some(last) = all.last_mut() {
                last.sizes.push(size);
                last.seconds.push(row.median());
                last.activations.push(row.memory.activations as f64);
            }
        }
        all
    }

    /// The exponent of the time's growth.
    pub fn of_time(&self) -> f64 {
        slope(&self.sizes, &self.seconds)
    }

    /// The exponent of the activations' growth.
    pub fn of_activations(&self) -> f64 {
        slope(&self.sizes, &self.activations)
    }
}

/// The slope of log `y` over log `x` by least squares.
fn slope(x: &[f64], y: &[f64]) -> f64 {
    let logs = |v: &[f64]| -> Vec<f64> { v.iter().map(|v| v.ln()).collect() };
    let (x, y) = (logs(x), logs(y));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let pairs = x.iter().zip(&y);
    let product: f64 = pairs.map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = x.iter().map(|x| (x - mean_x).powi(2)).sum();
    product / square
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_exponents() {
        let x = [1.0, 2.0, 4.0, 7.0];
        for exponent in [0.0, 1.0, 2.0] {
            let y = x.map(|x: f64| 3.0 * x.powf(exponent));
            assert!((slope(&x, &y) - exponent).abs() < 1e-12);
        }
    }
}
