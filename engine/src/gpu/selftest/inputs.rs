//! What a kernel under test reads: numbers of both signs, positive ones where its arithmetic asks for them.

use std::collections::{HashMap, HashSet};

use half::f16;
use samora_shaders::reference::Words;
use samora_shaders::{
    Access, Attention, Binary, Binding, BufferType, Expr, Id, Kernel, Leaf, Part, Scalar, Stage,
    Tokens, Unary,
};

use crate::random::Stream;

/// Elements after which random inputs repeat themselves: no stride of a tensor is likely to be a multiple.
const PERIOD: usize = 1_000_003;
/// Least and largest magnitude of inputs. None is near 0, so that quotients stay within a few times of each other.
const MAGNITUDES: [f32; 2] = [0.25, 1.25];
/// Integers that stand for nothing known are less than this.
const INTEGERS: usize = 8;
/// Mean of the squares of such numbers.
const MEAN_SQUARE: f32 = 0.645_833;

/// Contents of every binding, which repeat themselves after [`PERIOD`] elements. What is written and not read is NaN,
/// so that an element that a kernel leaves out shows; indices stay within what they index.
pub(super) fn inputs(kernel: &Kernel, bindings: &[Binding], lens: &[usize]) -> Vec<Words> {
    let (rows, positive, places) = (indexed_rows(kernel), positive(kernel), places(kernel));
    let fill = |(b, binding): (usize, &Binding)| {
        let mut stream = Stream::named(2, "inputs").at(b as u64);
        if binding.ty == BufferType::U32 {
            let count = match (places.get(&b).copied(), rows) {
                (Some(count), Some(rows)) => count.min(rows),
                (count, rows) => count.or(rows).unwrap_or(INTEGERS),
            };
            return Words::U32(repeated(lens[b], || stream.below(count.max(1)) as u32));
        }
        if binding.write && !is_read(kernel, b) {
            return Words::F32(vec![f32::NAN; lens[b]]);
        }
        if let Some(&count) = places.get(&b) {
            return Words::F32(repeated(lens[b], || stream.below(count) as f32));
        }
        let (signed, factor) = (!positive.contains(&b), factor(kernel, b));
        Words::F32(repeated(lens[b], || {
            let x = number(&mut stream, signed) * factor;
            match binding.ty {
                BufferType::F16 => f16::from_f32(x).to_f32(),
                _ => x,
            }
        }))
    };
    let mut all: Vec<Words> = bindings.iter().enumerate().map(fill).collect();
    if let Kernel::Attention(a) = kernel {
        temper(a, &mut all);
    }
    all
}

/// Whether a kernel reads binding `b`, which it writes: an update in place.
pub(super) fn is_read(kernel: &Kernel, b: usize) -> bool {
    leaves(kernel).iter().any(|leaf| leaf.buffer == b)
}

fn number(stream: &mut Stream, signed: bool) -> f32 {
    let [least, largest] = MAGNITUDES;
    if !signed {
        return stream.range(least, largest);
    }
    let x = stream.range(-1.0, 1.0);
    (least + (largest - least) * x.abs()).copysign(x)
}

/// Results of products stay near 1, where epilogues such as GELU are not flat.
fn factor(kernel: &Kernel, b: usize) -> f32 {
    match kernel {
        Kernel::Gemm(g) if g.b.buffer == b => 1.0 / (g.k as f32).sqrt(),
        _ => 1.0,
    }
}

/// No key of a query outweighs all others, so that each counts: tables of relative positions are small, and what the
/// backward passes read as the logarithm of the sum of weights is about what it would be. At random the weights would
/// also be far beyond what an f16 holds.
fn temper(a: &Attention, all: &mut [Words]) {
    let mut each = |part: Part, len: usize, change: &dyn Fn(&mut f32)| {
        if let Words::F32(numbers) = &mut all[part.buffer] {
            numbers
                .iter_mut()
                .skip(part.offset)
                .take(len)
                .for_each(change);
        }
    };
    let width = a.head_dim as f32;
    if let (
        Some((h, w)),
        Tokens::Grid {
            window_h, window_w, ..
        },
    ) = (a.rel_pos, a.tokens)
    {
        for (table, extent) in [(h, window_h), (w, window_w)] {
            each(table, (2 * extent - 1) * a.head_dim, &|x| {
                *x /= width.sqrt()
            });
        }
    }
    if let Some(saved) = a.saved() {
        let (queries, keys) = tokens(a);
        // The logarithm of the mean of `exp` of a normal number is half its variance.
        let lse = (keys as f32).ln() + variance(a) / 2.0;
        each(saved.lse, a.batch * a.heads * queries, &|x| *x = lse);
    }
}

/// Queries of a batch, and keys that each attends to.
fn tokens(a: &Attention) -> (usize, usize) {
    match a.tokens {
        Tokens::Sequence { queries, keys } => (queries, keys),
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => (height * width, window_h * window_w),
    }
}

/// Variance of the scores.
fn variance(a: &Attention) -> f32 {
    let terms = 2 * usize::from(a.is_relative()) + usize::from(a.distance_bias.is_some());
    (a.scale * MEAN_SQUARE).powi(2) * a.head_dim as f32 + terms as f32 * MEAN_SQUARE
}

/// `len` elements, those beyond [`PERIOD`] copied.
fn repeated<T: Copy>(len: usize, draw: impl FnMut() -> T) -> Vec<T> {
    let mut all: Vec<T> = std::iter::repeat_with(draw).take(len.min(PERIOD)).collect();
    while all.len() < len {
        let more = (len - all.len()).min(PERIOD);
        all.extend_from_within(..more);
    }
    all
}

fn leaves(kernel: &Kernel) -> &[Leaf] {
    match kernel {
        Kernel::Map(k) => &k.leaves,
        Kernel::Rows(k) => &k.leaves,
        Kernel::Gemm(k) => &k.leaves,
        Kernel::Attention(_) => &[],
    }
}

/// How many rows the indices of a kernel may address, if it has some.
fn indexed_rows(kernel: &Kernel) -> Option<usize> {
    let rows = |leaf: &Leaf| match &leaf.access {
        Access::Gather { count, .. } => Some(*count),
        Access::ScatterAdd { source, axis, .. } => Some(source.shape[*axis]),
        _ => None,
    };
    leaves(kernel).iter().filter_map(rows).min()
}

/// The bindings that a logarithm, a root, a power or a divisor is made of, other than through squares and
/// exponentials: variances, norms, counts.
fn positive(kernel: &Kernel) -> HashSet<usize> {
    let (expr, stages, operands): (&Expr, &[Stage], &[usize]) = match kernel {
        Kernel::Map(k) => (&k.expr, &[], &[]),
        Kernel::Rows(k) => (&k.expr, &k.stages, &[]),
        Kernel::Gemm(k) => (&k.expr, &[], &[k.a.buffer, k.b.buffer]),
        Kernel::Attention(_) => return HashSet::new(),
    };
    let mut open: Vec<Id> = Vec::new();
    for scalar in &expr.nodes {
        match *scalar {
            Scalar::Unary(Unary::Log | Unary::Sqrt, x) => open.push(x),
            Scalar::Binary(Binary::Pow, base, power) => open.extend([base, power]),
            Scalar::Binary(Binary::Div, _, divisor) => open.push(divisor),
            _ => {}
        }
    }
    let (mut seen, mut found) = (vec![false; expr.nodes.len()], HashSet::new());
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut seen[id], true) {
            continue;
        }
        match expr.nodes[id] {
            Scalar::Leaf(leaf) => _ = found.insert(leaves(kernel)[leaf].buffer),
            Scalar::Acc => found.extend(operands),
            Scalar::Reduced(stage) => open.extend(stages.get(stage).map(|s| s.value)),
            Scalar::Binary(Binary::Mul, a, b) if a == b => {}
            Scalar::Unary(Unary::Exp | Unary::Abs, _) => {}
            Scalar::Unary(_, x) => open.push(x),
            Scalar::Binary(_, a, b) | Scalar::Select(_, a, b) => open.extend([a, b]),
            Scalar::ReducedAt(_) | Scalar::Const(_) => {}
        }
    }
    found
}

/// The bindings that hold whole numbers, and how many of these there are, so that each outcome of a comparison occurs:
/// places, such as that of a maximum, which are compared with an expression of coordinates alone; coordinates, whose
/// difference is compared with a constant; integers that a constant divides; what is chosen by, which is 0 or 1.
fn places(kernel: &Kernel) -> HashMap<usize, usize> {
    let expr = match kernel {
        Kernel::Map(k) => &k.expr,
        Kernel::Rows(k) => &k.expr,
        Kernel::Gemm(k) => &k.expr,
        Kernel::Attention(_) => return HashMap::new(),
    };
    // The largest value of each node that is made of coordinates and constants by sums and products.
    let mut largest: Vec<Option<f32>> = Vec::with_capacity(expr.nodes.len());
    for scalar in &expr.nodes {
        largest.push(match *scalar {
            Scalar::Const(c) => Some(c),
            Scalar::Leaf(leaf) => match &leaves(kernel)[leaf].access {
                Access::Coord { shape, dim } => Some((shape[*dim] - 1) as f32),
                _ => None,
            },
            Scalar::Binary(Binary::Add, a, b) => largest[a].zip(largest[b]).map(|(a, b)| a + b),
            Scalar::Binary(Binary::Mul, a, b) => largest[a].zip(largest[b]).map(|(a, b)| a * b),
            _ => None,
        });
    }
    let buffer = |id: Id| match expr.nodes[id] {
        Scalar::Leaf(leaf) if largest[id].is_none() => Some(leaves(kernel)[leaf].buffer),
        _ => None,
    };
    let constant = |id: Id| match expr.nodes[id] {
        // As many numbers on either side of it.
        Scalar::Const(c) => Some((2.0 * c).ceil().max(1.0) as usize + 1),
        _ => None,
    };
    let mut found = HashMap::new();
    for scalar in &expr.nodes {
        match *scalar {
            Scalar::Binary(Binary::Eq, a, b) => {
                for (place, coordinates) in [(a, b), (b, a)] {
                    if let (Some(place), Some(most)) = (buffer(place), largest[coordinates]) {
                        found.insert(place, most.max(0.0) as usize + 1);
                    }
                    if let (Some(both), Some(count)) = (apart(expr, place), constant(coordinates)) {
                        let both = both.into_iter().filter_map(buffer);
                        found.extend(both.map(|coordinate| (coordinate, count)));
                    }
                }
            }
            Scalar::Binary(Binary::Lt, a, b) => {
                for (integer, divides) in [(a, b), (b, a)] {
                    if let (Some(integer), Some(count)) = (buffer(integer), constant(divides))
                        && kernel.bindings()[integer].ty == BufferType::U32
                    {
                        found.insert(integer, count);
                    }
                }
            }
            Scalar::Select(condition, ..) => found.extend(buffer(condition).map(|b| (b, 2))),
            _ => {}
        }
    }
    found
}

/// The two values whose distance a node is.
fn apart(expr: &Expr, id: Id) -> Option<[Id; 2]> {
    match expr.nodes[id] {
        Scalar::Unary(Unary::Abs, difference) => match expr.nodes[difference] {
            Scalar::Binary(Binary::Sub, a, b) => Some([a, b]),
            _ => None,
        },
        _ => None,
    }
}
