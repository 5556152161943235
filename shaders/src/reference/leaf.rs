//! Host evaluation of leaves.

use super::words::Words;
use crate::{Access, Axis, Leaf, View, uniform};

/// Value of a leaf at linear element `i`.
pub(super) fn value(leaf: &Leaf, buffers: &[Words], i: usize) -> f64 {
    let source = buffers.get(leaf.buffer);
    let at = |index: usize| source.map_or(0.0, |b| b.at(index));
    match &leaf.access {
        Access::Strided(view) => at(view.index(i)),
        Access::Coord { shape, dim } => coordinates(shape, i)[*dim] as f64,
        Access::Affine {
            shape,
            axes,
            offset,
            fill,
        } => {
            let index = affine(axes, &coordinates(shape, i));
            index.map_or(f64::from(*fill), |index| at(offset + index))
        }
        Access::Gather {
            source: view,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let id = (buffers[*ids].at(ids_view.index(i)) as usize).min(count - 1);
            let c = coordinates(&view.shape, i);
            at(offset(view, &c, *axis) + id * view.strides[*axis])
        }
        Access::ScatterAdd {
            source: view,
            axis,
            count,
            ids,
            ids_view,
        } => {
            let c = coordinates(&view.shape, i);
            let last = view.shape[*axis] - 1;
            let hits = (0..*count).filter(|m| {
                let id = offset(ids_view, &c, *axis) + m * ids_view.strides[*axis];
                (buffers[*ids].at(id) as usize).min(last) == c[*axis]
            });
            hits.map(|m| at(offset(view, &c, *axis) + m * view.strides[*axis]))
                .sum()
        }
        Access::Resize {
            from, to, inner, ..
        } => {
            let (outer, c, k) = (i / inner / to, i / inner % to, i % inner);
            let row = |tap: usize| at((outer * from + tap) * inner + k);
            let (low, high, weight) = taps(c, *from, *to);
            row(low) * (1.0 - weight) + row(high) * weight
        }
        Access::ResizeAdjoint {
            from, to, inner, ..
        } => {
            let (outer, c, k) = (i / inner / from, i / inner % from, i % inner);
            let share = |o: usize| {
                let (low, high, weight) = taps(o, *from, *to);
                f64::from(u8::from(low == c)) * (1.0 - weight)
                    + f64::from(u8::from(high == c)) * weight
            };
            (0..*to)
                .map(|o| share(o) * at((outer * to + o) * inner + k))
                .sum()
        }
        Access::Uniform { site } => {
            let key = [0, 1].map(|word| at(word) as u32);
            f64::from(uniform(key, *site, i as u32))
        }
    }
}

/// The two source rows, of `from`, that row `c` of `to` is interpolated from, and the weight of the second.
pub fn taps(c: usize, from: usize, to: usize) -> (usize, usize, f64) {
    let s = ((c as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
    let last = from.saturating_sub(1);
    let low = (s as usize).min(last);
    (low, (low + 1).min(last), s - low as f64)
}

/// The element, from where the source starts, that an affine window reads at coordinates `c`; `None` outside the
/// source. See [`Access::Affine`].
pub fn affine(axes: &[Axis], c: &[usize]) -> Option<usize> {
    let mut index = 0;
    for axis in axes {
        let terms = axis.coef.iter().zip(c).map(|(k, &x)| k * x as i64);
        let n = usize::try_from(terms.sum::<i64>() + axis.shift).ok()?;
        if n % axis.div != 0 || n / axis.div >= axis.size {
            return None;
        }
        index += n / axis.div * axis.stride;
    }
    Some(index)
}

/// The coordinates of linear element `i` of `shape`.
pub fn coordinates(shape: &[usize], mut i: usize) -> Vec<usize> {
    let mut c = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        c[d] = i % shape[d];
        i /= shape[d];
    }
    c
}

fn offset(view: &View, c: &[usize], except: usize) -> usize {
    let terms = c
        .iter()
        .zip(&view.strides)
        .enumerate()
        .filter(|(d, _)| *d != except);
    view.offset + terms.map(|(_, (x, s))| x * s).sum::<usize>()
}
