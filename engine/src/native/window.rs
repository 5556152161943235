//! Affine windows: padding, im2col, pooling and the adjoints of all three ([`Access::Affine`]), row by row.

use samora_shaders::{Access, Axis};

use super::number::{DIMENSIONS, Number, strided};

/// `Σ coef·c + shift` of each axis.
type Places = [i64; DIMENSIONS];

/// Reads elements from `i` on, of a window that `axes` describe over `shape`.
pub(super) fn read<T: Number>(
    source: &[T],
    (shape, axes): (&[usize], &[Axis]),
    (offset, fill): (usize, f32),
    i: usize,
    mut out: &mut [f32],
) {
    let Some((&inner, outer)) = shape.split_last() else {
        return row(source, axes, (offset, fill), &[0; DIMENSIONS], out);
    };
    let mut c = [0; DIMENSIONS];
    let mut rest = i / inner;
    for d in (0..outer.len()).rev() {
        c[d] = rest % outer[d];
        rest /= outer[d];
    }
    let last = outer.len();
    let mut first = i % inner;
    let mut places: Places = [0; DIMENSIONS];
    for (n, axis) in places.iter_mut().zip(axes) {
        let terms = axis.coef.iter().zip(&c);
        *n = terms.map(|(k, x)| k * *x as i64).sum::<i64>() + axis.shift;
        *n += axis.coef[last] * first as i64;
    }
    let advance = |places: &mut Places, d: usize, by: i64| {
        for (n, axis) in places.iter_mut().zip(axes) {
            *n += axis.coef[d] * by;
        }
    };
    loop {
        let len = out.len().min(inner - first);
        let (part, others) = std::mem::take(&mut out).split_at_mut(len);
        row(source, axes, (offset, fill), &places, part);
        if others.is_empty() {
            return;
        }
        out = others;
        advance(&mut places, last, -(first as i64));
        first = 0;
        for d in (0..last).rev() {
            c[d] += 1;
            advance(&mut places, d, 1);
            if c[d] < outer[d] {
                break;
            }
            advance(&mut places, d, -(outer[d] as i64));
            c[d] = 0;
        }
    }
}

/// The same access with its last two dimensions as one, while neighbours along both are neighbours in the source: the
/// columns and channels of a window.
pub(super) fn merged(access: &Access) -> Access {
    let Access::Affine {
        shape,
        axes,
        offset,
        fill,
    } = access
    else {
        return access.clone();
    };
    let merge = || {
        let [.., pixels, channels] = shape[..] else {
            return None;
        };
        let (outer, last) = (shape.len() - 2, shape.len() - 1);
        let channel = axes.iter().position(|a| a.coef[last] != 0)?;
        let (mut others, b) = (axes.clone(), axes[channel].clone());
        others.remove(channel);
        let whole = b.coef[..last].iter().all(|k| *k == 0)
            && (b.coef[last], b.shift, b.div) == (1, 0, 1)
            && b.size == channels;
        let pixel = others.iter().position(|a| a.coef[outer] != 0)?;
        let a = &mut others[pixel];
        let successive = (a.coef[outer], a.div) == (1, 1) && a.stride == b.stride * channels;
        if !whole || !successive {
            return None;
        }
        let size = channels as i64;
        a.coef.iter_mut().for_each(|k| *k *= size);
        a.coef[outer] = 1;
        a.shift *= size;
        a.size *= channels;
        a.stride = b.stride;
        for axis in &mut others {
            axis.coef.truncate(last);
        }
        // No other axis moves along either of the two.
        let alone = others
            .iter()
            .enumerate()
            .all(|(k, axis)| k == pixel || axis.coef[outer] == 0);
        let shape = [&shape[..outer], &[pixels * channels]].concat();
        alone.then_some(Access::Affine {
            shape,
            axes: others,
            offset: *offset,
            fill: *fill,
        })
    };
    merge().unwrap_or_else(|| access.clone())
}

/// Part of a row: its last coordinate counts up, from where the axes are at `places`.
fn row<T: Number>(
    source: &[T],
    axes: &[Axis],
    (offset, fill): (usize, f32),
    places: &Places,
    out: &mut [f32],
) {
    // Elements whose place lies within the axes seen so far, and where the first one is.
    let (mut low, mut high) = (0, out.len() as i64);
    let (mut from, mut step, mut even) = (offset as i64, 0, true);
    for (axis, &n) in axes.iter().zip(places) {
        let (div, stride) = (axis.div as i64, axis.stride as i64);
        let end = axis.size as i64 * div;
        match (axis.coef.last().copied().unwrap_or(0), div) {
            (0, _) if n < 0 || n >= end => return out.fill(fill),
            // Divisions take as long as a short row.
            (0, 1) => from += n * stride,
            (0, _) if n % div != 0 => return out.fill(fill),
            (0, _) => from += n / div * stride,
            (1, 1) => {
                (low, high) = (low.max(-n), high.min(end - n));
                from += n * stride;
                step += stride;
            }
            (k, _) => {
                // 0 ≤ n + k·j < end
                let (first, last) = if k > 0 {
                    (-n, end - 1 - n)
                } else {
                    (n - end + 1, n)
                };
                low = low.max((first + k.abs() - 1).div_euclid(k.abs()));
                high = high.min(last.div_euclid(k.abs()) + 1);
                even &= n % div == 0 && k % div == 0;
                from += n.div_euclid(div) * stride;
                step += k / div * stride;
            }
        }
    }
    if low >= high {
        return out.fill(fill);
    }
    let (low, high) = (low as usize, high as usize);
    out[..low].fill(fill);
    out[high..].fill(fill);
    let out = &mut out[low..high];
    if even {
        let first = (from + step * low as i64) as usize;
        return match usize::try_from(step) {
            Ok(step) => strided(source, first, step, out),
            // Backwards.
            Err(_) => (0..)
                .zip(out)
                .for_each(|(j, x)| *x = source[(first as i64 + step * j) as usize].float()),
        };
    }
    let inside = out.iter_mut().zip(low as i64..);
    for (x, j) in inside {
        let mut at = offset as i64;
        let mut divides = true;
        for (axis, n) in axes.iter().zip(places) {
            let n = n + axis.coef.last().copied().unwrap_or(0) * j;
            divides &= n % axis.div as i64 == 0;
            at += n / axis.div as i64 * axis.stride as i64;
        }
        *x = if divides {
            source[at as usize].float()
        } else {
            fill
        };
    }
}
