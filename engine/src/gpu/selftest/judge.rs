//! What a kernel must have written: samples by the host reference, and how far a result may be from them.

use samora_shaders::reference::{Words, element};
use samora_shaders::{BufferType, Expr, Kernel, Products, Scalar, Unary};

use super::inputs::is_read;
use crate::random::Stream;

/// Elements compared per written buffer.
const SAMPLES: usize = 12;
/// Of these, those that must not be 0, if so many are found.
const NONZERO: usize = 4;
/// Elements looked at to find them: of pointwise kernels, which are quickly evaluated, and of others.
const TRIES: [usize; 2] = [1 << 14, 256];
/// Allowed difference, relative to the largest sample: far above rounding, far below a wrong index.
const TOLERANCE: f64 = 5e-4;
/// The same where sines and cosines are used, which Vulkan asks to be within 2^-11.
const WAVES: f64 = 2e-3;
/// The same for products of operands rounded to f16: a sum of `k` terms of both signs is off by about 3e-4 of itself.
const HALF_PRODUCTS: f64 = 4e-3;
/// The same for attention, which rounds its weights and their gradients too, and its relative terms.
const HALF_ATTENTION: f64 = 1e-2;
/// Rounding of a result to f32 and to f16, relative to itself.
const ROUNDING: [f64; 2] = [5e-7, 1e-3];

/// Samples of what a kernel must have written to one binding, and how exactly.
#[derive(Debug)]
pub(in crate::gpu) struct Expected {
    pub(super) binding: usize,
    /// Elements.
    pub(super) places: Vec<usize>,
    values: Vec<f64>,
    /// Allowed difference of each.
    allowed: Vec<f64>,
}

/// A sample that a kernel got wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Difference {
    pub(super) element: usize,
    pub(super) got: f64,
    pub(super) want: f64,
}

impl Expected {
    /// Of the `len` elements of a written binding, by a kernel that found `before` in its bindings. `None` if it has
    /// no sample that is a number.
    pub(super) fn new(
        kernel: &Kernel,
        (products, before): (Products, &[Words]),
        (binding, ty): (usize, BufferType),
        len: usize,
    ) -> Option<Self> {
        let samples = samples(kernel, before, binding, len);
        // An update in place is judged by what it changes.
        let old = |i: usize| match &before[binding] {
            Words::F32(numbers) if is_read(kernel, binding) => f64::from(numbers[i]),
            _ => 0.0,
        };
        let changes = samples.iter().map(|(i, want)| (want - old(*i)).abs());
        let scale = tolerance(kernel, products) * changes.fold(0.0, f64::max);
        let rounding = ROUNDING[usize::from(ty == BufferType::F16)];
        let of = |(i, want): &(usize, f64)| scale + rounding * want.abs().max(old(*i).abs());
        (!samples.is_empty()).then(|| Self {
            binding,
            allowed: samples.iter().map(of).collect(),
            places: samples.iter().map(|s| s.0).collect(),
            values: samples.iter().map(|s| s.1).collect(),
        })
    }

    /// The first difference of what a kernel has written at [`Expected::places`].
    pub(super) fn judge(&self, got: &[f32]) -> Option<Difference> {
        let wanted = self.places.iter().zip(&self.values).zip(&self.allowed);
        let pairs = wanted.zip(got).map(|(w, got)| (w, f64::from(*got)));
        // A NaN is a difference too.
        let differs = |((_, want), allowed): ((_, &f64), &f64), got: f64| {
            let agrees = (got - want).abs() <= *allowed;
            !agrees
        };
        let mut pairs = pairs.filter(|(w, got)| differs(*w, *got));
        pairs
            .next()
            .map(|(((&element, &want), _), got)| Difference { element, got, want })
    }

    /// What a right kernel writes there.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }
}

/// Elements and what must be there, numbers alone.
fn samples(kernel: &Kernel, before: &[Words], binding: usize, len: usize) -> Vec<(usize, f64)> {
    let mut stream = Stream::named(1, "samples").at(binding as u64);
    let few = len <= SAMPLES;
    let tries = TRIES[usize::from(!matches!(kernel, Kernel::Map(_)))];
    // The last elements are where edge handling goes wrong.
    let places = (0..tries.min(len)).map(|n| match n {
        _ if few => n,
        0 => len - 1,
        _ => stream.below(len),
    });
    let mut samples: Vec<(usize, f64)> = Vec::with_capacity(SAMPLES);
    let mut zeros = 0;
    for i in places {
        let want = element(kernel, before, binding, i).filter(|want| want.is_finite());
        let Some(want) = want else {
            continue;
        };
        let zero = want == 0.0;
        if zero && zeros == SAMPLES - NONZERO {
            continue;
        }
        zeros += usize::from(zero);
        samples.push((i, want));
        if samples.len() == SAMPLES {
            break;
        }
    }
    samples
}

fn tolerance(kernel: &Kernel, products: Products) -> f64 {
    let half = matches!(products, Products::Half { .. });
    let waves = |expr: &Expr| {
        let wave = |s: &Scalar| matches!(s, Scalar::Unary(Unary::Sin | Unary::Cos, _));
        if expr.nodes.iter().any(wave) {
            WAVES
        } else {
            TOLERANCE
        }
    };
    match kernel {
        Kernel::Gemm(_) if half => HALF_PRODUCTS,
        Kernel::Attention(_) if half => HALF_ATTENTION,
        Kernel::Attention(_) => TOLERANCE,
        Kernel::Map(k) => waves(&k.expr),
        Kernel::Rows(k) => waves(&k.expr),
        Kernel::Gemm(k) => waves(&k.expr),
    }
}
