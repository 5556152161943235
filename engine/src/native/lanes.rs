//! Code on blocks of elements: loops that the compiler makes vectors of, for the processor at hand.

use pulp::Arch;
use samora_shaders::{Binary, Scalar, Unary};

use super::code::{Arg, Code, Op};
use super::device::Scratch;
use super::leaf::{Readers, Run};
use super::math;
use super::memory::Bound;

/// Numbers that a sum adds up beside each other.
const LANES: usize = 32;

/// What code runs on.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    pub(super) arch: Arch,
    pub(super) readers: &'a Readers,
    pub(super) bound: &'a Bound<'a>,
    /// The elements, without `shift`.
    pub(super) runs: &'a [Run],
    pub(super) shift: usize,
    /// Number of elements.
    pub(super) len: usize,
    /// Results of a product.
    pub(super) acc: &'a [f32],
}

/// An operand of a block.
#[derive(Clone, Copy)]
pub(super) enum Lanes<'a> {
    Each(&'a [f32]),
    All(f32),
}

impl Block<'_> {
    /// Runs a phase of the code.
    pub(super) fn run(&self, code: &Code, phase: usize, lanes: &mut [Vec<f32>], scalars: &[f32]) {
        let n = self.len;
        for (op, register) in &code.phases[phase].steps {
            let mut out = std::mem::take(&mut lanes[*register]);
            let to = &mut out[..n];
            let arg = |a: &Arg| self.arg(a, lanes, scalars);
            match op {
                Op::Leaf(k) => self
                    .readers
                    .load(*k, self.bound, (self.runs, self.shift), to),
                Op::Unary(f, a) => unary(self.arch, *f, arg(a), to),
                Op::Binary(f, a, b) => binary(self.arch, *f, arg(a), arg(b), to),
                Op::Select(c, a, b) => select(self.arch, arg(c), arg(a), arg(b), to),
            }
            lanes[*register] = out;
        }
    }

    /// The numbers of an operand.
    pub(super) fn arg<'b>(
        &'b self,
        arg: &Arg,
        lanes: &'b [Vec<f32>],
        scalars: &[f32],
    ) -> Lanes<'b> {
        match *arg {
            Arg::Register(r) => Lanes::Each(&lanes[r][..self.len]),
            Arg::Scalar(id) => Lanes::All(scalars[id]),
            Arg::Leaf(k) => {
                let first = self.readers.offset(k) + self.runs[0].i + self.shift;
                Lanes::Each(&self.bound.read(self.readers.buffer(k))[first..first + self.len])
            }
            Arg::Acc => Lanes::Each(&self.acc[..self.len]),
        }
    }

    /// Stores an operand as elements of a binding.
    pub(super) fn store(&self, values: Lanes<'_>, binding: usize) {
        let cells = self.bound.cells(binding);
        let mut at = 0;
        for run in self.runs {
            let first = run.i + self.shift;
            match values {
                Lanes::Each(values) => cells.store(first, run.step, &values[at..at + run.len]),
                Lanes::All(x) => (0..run.len).for_each(|k| cells.set(first + k * run.step, x)),
            }
            at += run.len;
        }
    }
}

/// Computes the scalar nodes that are known after `level` stages.
pub(super) fn scalars(
    code: &Code,
    level: usize,
    readers: &Readers,
    bound: &Bound<'_>,
    scratch: &mut Scratch,
) {
    let values = &mut scratch.scalars;
    for &id in code.scalars.get(level).map_or(&[][..], Vec::as_slice) {
        values[id] = match code.expr.nodes[id] {
            Scalar::Const(c) => c,
            Scalar::Leaf(k) => {
                let mut value = [0.0];
                let run = Run {
                    i: 0,
                    step: 1,
                    len: 1,
                };
                readers.load(k, bound, (&[run], 0), &mut value);
                value[0]
            }
            Scalar::Acc => 0.0,
            Scalar::Reduced(k) => scratch.reduced[k].0,
            Scalar::ReducedAt(k) => scratch.reduced[k].1,
            Scalar::Unary(f, a) => math::unary(f, values[a]),
            Scalar::Binary(f, a, b) => math::binary(f, values[a], values[b]),
            Scalar::Select(c, a, b) => match values[c] != 0.0 {
                true => values[a],
                false => values[b],
            },
        };
    }
}

fn unary(arch: Arch, f: Unary, a: Lanes<'_>, out: &mut [f32]) {
    match f {
        Unary::Neg => map(arch, a, out, |x| -x),
        Unary::Exp => map(arch, a, out, math::exp),
        Unary::Log => map(arch, a, out, math::log),
        Unary::Sqrt => map(arch, a, out, f32::sqrt),
        Unary::Abs => map(arch, a, out, f32::abs),
        Unary::Sin => map(arch, a, out, math::sin),
        Unary::Cos => map(arch, a, out, math::cos),
        Unary::Tanh => map(arch, a, out, math::tanh),
        Unary::Erf => map(arch, a, out, math::erf),
        Unary::Floor => map(arch, a, out, f32::floor),
    }
}

fn binary(arch: Arch, f: Binary, a: Lanes<'_>, b: Lanes<'_>, out: &mut [f32]) {
    match f {
        Binary::Add => zip(arch, a, b, out, |a, b| a + b),
        Binary::Sub => zip(arch, a, b, out, |a, b| a - b),
        Binary::Mul => zip(arch, a, b, out, |a, b| a * b),
        Binary::Div => zip(arch, a, b, out, |a, b| a / b),
        Binary::Max => zip(arch, a, b, out, f32::max),
        Binary::Pow => zip(arch, a, b, out, math::pow),
        Binary::Eq => zip(arch, a, b, out, |a, b| math::truth(a == b)),
        Binary::Lt => zip(arch, a, b, out, |a, b| math::truth(a < b)),
    }
}

#[inline(always)]
fn map(arch: Arch, a: Lanes<'_>, out: &mut [f32], f: impl Fn(f32) -> f32) {
    match a {
        Lanes::All(x) => out.fill(f(x)),
        Lanes::Each(a) => arch.dispatch(
            #[inline(always)]
            || {
                for (y, x) in out.iter_mut().zip(a) {
                    *y = f(*x);
                }
            },
        ),
    }
}

#[inline(always)]
fn zip(arch: Arch, a: Lanes<'_>, b: Lanes<'_>, out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (Lanes::All(a), b) => map(arch, b, out, |b| f(a, b)),
        (a, Lanes::All(b)) => map(arch, a, out, |a| f(a, b)),
        (Lanes::Each(a), Lanes::Each(b)) => arch.dispatch(
            #[inline(always)]
            || {
                for ((y, a), b) in out.iter_mut().zip(a).zip(b) {
                    *y = f(*a, *b);
                }
            },
        ),
    }
}

fn select(arch: Arch, c: Lanes<'_>, a: Lanes<'_>, b: Lanes<'_>, out: &mut [f32]) {
    let choose = |c: f32, a: f32, b: f32| if c != 0.0 { a } else { b };
    match (c, a, b) {
        (Lanes::All(c), a, b) => {
            let chosen = if c != 0.0 { a } else { b };
            map(arch, chosen, out, |x| x);
        }
        (c, Lanes::All(a), b) => zip(arch, c, b, out, |c, b| choose(c, a, b)),
        (c, a, Lanes::All(b)) => zip(arch, c, a, out, |c, a| choose(c, a, b)),
        (Lanes::Each(c), Lanes::Each(a), Lanes::Each(b)) => arch.dispatch(
            #[inline(always)]
            || {
                for (((y, c), a), b) in out.iter_mut().zip(c).zip(a).zip(b) {
                    *y = choose(*c, *a, *b);
                }
            },
        ),
    }
}

/// Sum of `len` numbers, in a fixed tree.
pub(super) fn sum(arch: Arch, values: Lanes<'_>, len: usize) -> f32 {
    let values = match values {
        Lanes::Each(values) => values,
        Lanes::All(x) => return x * len as f32,
    };
    arch.dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0f32; LANES];
            let (whole, rest) = values.as_chunks::<LANES>();
            for chunk in whole {
                for (sum, x) in sums.iter_mut().zip(chunk) {
                    *sum += x;
                }
            }
            for (sum, x) in sums.iter_mut().zip(rest) {
                *sum += x;
            }
            let mut half = LANES / 2;
            while half > 0 {
                for k in 0..half {
                    sums[k] += sums[k + half];
                }
                half /= 2;
            }
            sums[0]
        },
    )
}

/// The largest of `len` numbers and the first place where it is, if it is larger than `best`.
pub(super) fn max(arch: Arch, values: Lanes<'_>, best: f32) -> Option<(f32, usize)> {
    let values = match values {
        Lanes::Each(values) => values,
        Lanes::All(x) => return (x > best).then_some((x, 0)),
    };
    let largest = arch.dispatch(
        #[inline(always)]
        || {
            let mut most = [best; LANES];
            let (whole, rest) = values.as_chunks::<LANES>();
            for chunk in whole {
                for (most, x) in most.iter_mut().zip(chunk) {
                    *most = if *x > *most { *x } else { *most };
                }
            }
            for (most, x) in most.iter_mut().zip(rest) {
                *most = if *x > *most { *x } else { *most };
            }
            most.iter().fold(best, |m, x| if *x > m { *x } else { m })
        },
    );
    let at = values.iter().position(|x| *x == largest);
    at.filter(|_| largest > best).map(|at| (largest, at))
}

/// `to += values`
pub(super) fn add(arch: Arch, values: Lanes<'_>, to: &mut [f32]) {
    match values {
        Lanes::All(x) => to.iter_mut().for_each(|y| *y += x),
        Lanes::Each(values) => arch.dispatch(
            #[inline(always)]
            || to.iter_mut().zip(values).for_each(|(y, x)| *y += x),
        ),
    }
}

/// Keeps the larger of both, and `at` where it is new.
pub(super) fn keep_larger(
    arch: Arch,
    values: Lanes<'_>,
    at: usize,
    (most, places): (&mut [f32], &mut [f32]),
) {
    let keep = |x: f32, most: &mut f32, place: &mut f32| {
        let larger = x > *most;
        *most = if larger { x } else { *most };
        *place = if larger { at as f32 } else { *place };
    };
    let kept = most.iter_mut().zip(places);
    match values {
        Lanes::All(x) => kept.for_each(|(most, place)| keep(x, most, place)),
        Lanes::Each(values) => arch.dispatch(
            #[inline(always)]
            || {
                let pairs = kept.zip(values);
                pairs.for_each(|((most, place), x)| keep(*x, most, place));
            },
        ),
    }
}
