//! Distributions of fresh parameters.

use crate::{Tensor, random};

/// How a parameter starts when no checkpoint provides it. PyTorch's defaults are in spec terms:
/// `Linear` and `Conv` weights and biases are `Uniform(1/√fan_in)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// All zeros.
    Zeros,
    /// All ones.
    Ones,
    /// Every element the same.
    Constant(f32),
    /// Uniform in ±bound.
    Uniform(f32),
    /// Normal with mean 0 and this standard deviation.
    Normal(f32),
    /// Normal, redrawn outside two standard deviations.
    TruncatedNormal(f32),
}

impl Init {
    /// Draws a tensor; the stream depends on `seed` and `name` only.
    pub fn draw(self, shape: &[usize], seed: u64, name: &str) -> Tensor {
        let n = shape.iter().product();
        let mut stream = random::Stream::named(seed, name);
        let data = match self {
            Self::Zeros => vec![0.0; n],
            Self::Ones => vec![1.0; n],
            Self::Constant(c) => vec![c; n],
            Self::Uniform(bound) => (0..n)
                .map(|_| (2.0 * stream.uniform() - 1.0) * bound)
                .collect(),
            Self::Normal(std) => (0..n).map(|_| stream.normal() * std).collect(),
            Self::TruncatedNormal(std) => (0..n)
                .map(|_| {
                    loop {
                        let z = stream.normal();
                        if z.abs() <= 2.0 {
                            return z * std;
                        }
                    }
                })
                .collect(),
        };
        Tensor::f32(shape, data)
    }
}
