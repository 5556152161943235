//! Leaves: reading what a block of elements needs of an input.

use samora_shaders::{Access, Leaf, View, reference::taps, uniform};

use super::code::Reading;
use super::memory::Bound;
use super::number::{DIMENSIONS, Number, strided};
use super::window;

/// Elements `i`, `i + step`, … of an iteration space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) i: usize,
    pub(super) step: usize,
    pub(super) len: usize,
}

/// The leaves of a kernel, ready to be read.
#[derive(Debug)]
pub(super) struct Readers(Vec<Reader>);

#[derive(Debug)]
struct Reader {
    buffer: usize,
    /// Whether the buffer holds u32.
    ids: bool,
    how: How,
}

/// How elements are found.
#[derive(Debug)]
enum How {
    /// Element `i` is at `offset + i`.
    Linear(usize),
    /// All elements are at one place.
    Same(usize),
    Other(Access),
    /// Interpolation: shape `[outer, to, inner]` from so many rows.
    Resize {
        shape: [usize; 3],
        from: usize,
        taps: Vec<(usize, usize, f32)>,
    },
    /// Its adjoint: shape `[outer, from, inner]`, and for each of `from` which of `to` rows are added, how much of
    /// each.
    Adjoint {
        shape: [usize; 3],
        to: usize,
        shares: Vec<Vec<(usize, f32)>>,
    },
}

impl Readers {
    /// `ids` says which bindings hold u32.
    pub(super) fn new(leaves: &[Leaf], ids: impl Fn(usize) -> bool) -> Self {
        let reader = |leaf: &Leaf| Reader {
            buffer: leaf.buffer,
            ids: !matches!(leaf.access, Access::Coord { .. }) && ids(leaf.buffer),
            how: How::new(&leaf.access),
        };
        Self(leaves.iter().map(reader).collect())
    }

    /// How each leaf is read in kernels whose blocks are runs of successive elements, if `successive`.
    pub(super) fn readings(
        &self,
        successive: bool,
        writes: impl Fn(usize) -> bool,
    ) -> Vec<Reading> {
        let reading = |reader: &Reader| match reader.how {
            How::Same(_) => Reading::Same,
            How::Linear(_) if successive && !reader.ids && !writes(reader.buffer) => {
                Reading::Direct
            }
            _ => Reading::Loaded,
        };
        self.0.iter().map(reading).collect()
    }

    /// Whether each leaf lies like the elements, or is one number.
    pub(super) fn lie_in_order(&self) -> bool {
        let in_order = |how: &How| matches!(how, How::Linear(_) | How::Same(_));
        self.0.iter().all(|reader| in_order(&reader.how))
    }

    pub(super) fn buffer(&self, leaf: usize) -> usize {
        self.0[leaf].buffer
    }

    /// Where element 0 of a direct leaf is.
    pub(super) fn offset(&self, leaf: usize) -> usize {
        match self.0[leaf].how {
            How::Linear(offset) => offset,
            _ => 0,
        }
    }

    /// Reads the elements of the runs, moved by `shift`.
    pub(super) fn load(
        &self,
        leaf: usize,
        bound: &Bound<'_>,
        (runs, shift): (&[Run], usize),
        out: &mut [f32],
    ) {
        let reader = &self.0[leaf];
        let mut at = 0;
        for run in runs {
            let run = Run {
                i: run.i + shift,
                ..*run
            };
            let out = &mut out[at..at + run.len];
            at += run.len;
            match &reader.how {
                How::Other(Access::Coord { shape, dim }) => coordinates(shape, *dim, run, out),
                // An update in place: only its own elements.
                How::Linear(_) | How::Same(_) if bound.writes(reader.buffer) => {
                    bound.cells(reader.buffer).load(run.i, run.step, out);
                }
                how if reader.ids => how.load(bound.ids(reader.buffer), bound, run, out),
                how => how.load(bound.read(reader.buffer), bound, run, out),
            }
        }
    }
}

impl How {
    fn new(access: &Access) -> Self {
        match access {
            Access::Strided(view) => {
                let view = view.simplified();
                match (&view.shape[..], &view.strides[..]) {
                    ([], _) | (_, [0]) => Self::Same(view.offset),
                    (_, [1]) => Self::Linear(view.offset),
                    _ => Self::Other(Access::Strided(view)),
                }
            }
            &Access::Resize {
                outer,
                from,
                to,
                inner,
            } => Self::Resize {
                shape: [outer, to, inner],
                from,
                taps: (0..to).map(|c| float(taps(c, from, to))).collect(),
            },
            &Access::ResizeAdjoint {
                outer,
                from,
                to,
                inner,
            } => {
                let mut shares = vec![Vec::new(); from];
                for o in 0..to {
                    let (low, high, weight) = float(taps(o, from, to));
                    if low == high {
                        shares[low].push((o, 1.0));
                    } else {
                        shares[low].push((o, 1.0 - weight));
                        shares[high].push((o, weight));
                    }
                }
                Self::Adjoint {
                    shape: [outer, from, inner],
                    to,
                    shares,
                }
            }
            other => Self::Other(window::merged(other)),
        }
    }

    fn load<T: Number>(&self, source: &[T], bound: &Bound<'_>, run: Run, out: &mut [f32]) {
        if let Self::Linear(offset) = self {
            return strided(source, offset + run.i, run.step, out);
        }
        if run.step == 1 {
            return self.successive(source, bound, run.i, out);
        }
        for (k, x) in out.iter_mut().enumerate() {
            let i = run.i + k * run.step;
            self.successive(source, bound, i, std::slice::from_mut(x));
        }
    }

    /// Reads elements from `i` on.
    fn successive<T: Number>(&self, source: &[T], bound: &Bound<'_>, i: usize, out: &mut [f32]) {
        match self {
            Self::Linear(offset) => strided(source, offset + i, 1, out),
            Self::Same(at) => out.fill(source[*at].float()),
            Self::Resize { shape, from, taps } => {
                walk(shape, i, out, |c, out| {
                    let (low, high, weight) = taps[c[1]];
                    let row = |tap| &source[(c[0] * from + tap) * shape[2] + c[2]..];
                    for ((y, a), b) in out.iter_mut().zip(row(low)).zip(row(high)) {
                        *y = a.float() * (1.0 - weight) + b.float() * weight;
                    }
                });
            }
            Self::Adjoint { shape, to, shares } => {
                walk(shape, i, out, |c, out| {
                    out.fill(0.0);
                    for &(o, weight) in &shares[c[1]] {
                        let row = &source[(c[0] * to + o) * shape[2] + c[2]..][..out.len()];
                        for (y, x) in out.iter_mut().zip(row) {
                            *y += x.float() * weight;
                        }
                    }
                });
            }
            Self::Other(access) => other(access, source, bound, i, out),
        }
    }
}

fn other<T: Number>(access: &Access, source: &[T], bound: &Bound<'_>, i: usize, out: &mut [f32]) {
    match access {
        Access::Strided(_) | Access::Affine { .. } => moved(access, source, i, out),
        Access::Gather {
            source: view,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let ids = bound.ids(*ids);
            let last = view.shape.len() - 1;
            let (id_step, step) = (ids_view.strides[last], view.strides[last]);
            walk(&view.shape, i, out, |c, out| {
                let (first, from) = (place(ids_view, c, None), place(view, c, Some(*axis)));
                let row = |id: u32| from + (id as usize).min(count - 1) * view.strides[*axis];
                let step = if *axis == last { 0 } else { step };
                if id_step == 0 {
                    strided(source, row(ids[first]), step, out);
                } else {
                    for (k, x) in out.iter_mut().enumerate() {
                        *x = source[row(ids[first + k * id_step]) + k * step].float();
                    }
                }
            });
        }
        Access::ScatterAdd {
            source: view,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let ids = bound.ids(*ids);
            let last = view.shape.len() - 1;
            let most = view.shape[*axis] - 1;
            walk(&view.shape, i, out, |c, out| {
                let mut c = *c;
                let together = *axis != last && ids_view.strides[last] == 0;
                let len = if together { out.len() } else { 1 };
                for out in out.chunks_mut(len) {
                    out.fill(0.0);
                    let first = place(ids_view, &c, Some(*axis));
                    let from = place(view, &c, Some(*axis));
                    for m in 0..*count {
                        let id = ids[first + m * ids_view.strides[*axis]] as usize;
                        if id.min(most) == c[*axis] {
                            let from = from + m * view.strides[*axis];
                            for (k, y) in out.iter_mut().enumerate() {
                                *y += source[from + k * view.strides[last]].float();
                            }
                        }
                    }
                    c[last] += len;
                }
            });
        }
        Access::Uniform { site } => {
            let key = [0, 1].map(|word| source[word].word());
            for (k, x) in out.iter_mut().enumerate() {
                *x = uniform(key, *site, (i + k) as u32);
            }
        }
        Access::Coord { .. } | Access::Resize { .. } | Access::ResizeAdjoint { .. } => {}
    }
}

/// Elements of an operand that are found by an access.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moved(Access);

impl Moved {
    /// Accesses that read no indices.
    pub(super) fn new(access: &Access) -> Self {
        Self(window::merged(access))
    }

    /// Reads elements from `i` on.
    pub(super) fn read(&self, source: &[f32], i: usize, out: &mut [f32]) {
        moved(&self.0, source, i, out);
    }
}

/// Reads elements that lie in one source.
fn moved<T: Number>(access: &Access, source: &[T], i: usize, out: &mut [f32]) {
    match access {
        Access::Strided(view) => {
            let step = view.strides.last().copied().unwrap_or(0);
            walk(&view.shape, i, out, |c, out| {
                strided(source, place(view, c, None), step, out);
            });
        }
        Access::Affine {
            shape,
            axes,
            offset,
            fill,
        } => window::read(source, (shape, axes), (*offset, *fill), i, out),
        _ => {}
    }
}

fn coordinates(shape: &[usize], dim: usize, run: Run, out: &mut [f32]) {
    let below: usize = shape[dim + 1..].iter().product();
    for (k, x) in out.iter_mut().enumerate() {
        *x = ((run.i + k * run.step) / below % shape[dim]) as f32;
    }
}

/// Where coordinates are in a view, without those of an axis.
fn place(view: &View, c: &[usize; DIMENSIONS], except: Option<usize>) -> usize {
    let terms = view.strides.iter().zip(c).enumerate();
    let terms = terms.filter(|(d, _)| Some(*d) != except);
    view.offset + terms.map(|(_, (stride, x))| stride * x).sum::<usize>()
}

/// Cuts the elements from `i` on into rows along the last dimension; each gets the coordinates of its first one.
pub(super) fn walk(
    shape: &[usize],
    i: usize,
    mut out: &mut [f32],
    mut each: impl FnMut(&[usize; DIMENSIONS], &mut [f32]),
) {
    let len = out.len();
    rows(shape, i, len, |c, len| {
        let (part, rest) = std::mem::take(&mut out).split_at_mut(len);
        each(c, part);
        out = rest;
    });
}

/// The rows along the last dimension that hold `len` elements from `i` on: the coordinates of the first element and
/// how many follow.
pub(super) fn rows(
    shape: &[usize],
    i: usize,
    mut len: usize,
    mut each: impl FnMut(&[usize; DIMENSIONS], usize),
) {
    let mut c = [0; DIMENSIONS];
    let Some(last) = shape.len().checked_sub(1) else {
        return each(&c, len);
    };
    let mut rest = i;
    for d in (0..shape.len()).rev() {
        c[d] = rest % shape[d];
        rest /= shape[d];
    }
    while len > 0 {
        let row = len.min(shape[last] - c[last]);
        each(&c, row);
        len -= row;
        c[last] = 0;
        for d in (0..last).rev() {
            c[d] += 1;
            if c[d] < shape[d] {
                break;
            }
            c[d] = 0;
        }
    }
}

fn float((low, high, weight): (usize, usize, f64)) -> (usize, usize, f32) {
    (low, high, weight as f32)
}
