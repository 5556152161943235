//! Four neighbouring elements at a time, as one vec4: a quarter of the loads and stores. Element
//! indices are then multiples of four.

use super::form::Form;
use crate::{Access, Axis, Binding, Caps, Leaf, View};

/// What a leaf is at the four elements of a quad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quad {
    /// An aligned vec4 of its buffer.
    Wide,
    /// Four times the same value.
    Splat,
    /// Values made from the element's index.
    Made,
}

/// How buffers are declared so that a kernel can take four elements at a time; `None` when it cannot, or
/// when that does not pay. `stored` are the buffers stored as vec4, `apart` those stored otherwise.
pub(crate) fn quad_forms(
    bindings: &[Binding],
    leaves: &[Leaf],
    (stored, apart): (&[usize], &[usize]),
    caps: &Caps,
) -> Option<Vec<Form>> {
    let mut wide = vec![false; bindings.len()];
    let (mut together, mut alone) = (0, 0);
    for leaf in leaves {
        match quad(&leaf.access) {
            Some(Quad::Wide) => {
                wide[leaf.buffer] = true;
                together += 1;
            }
            Some(Quad::Splat | Quad::Made) => {}
            None => alone += 1,
        }
    }
    // Four reads of a number beside one of four: worth it while those are not the most.
    if alone > together {
        return None;
    }
    stored.iter().for_each(|&b| wide[b] = true);
    // Written by themselves, or read in a form of their own.
    let mut scalar = apart.to_vec();
    for leaf in leaves {
        match leaf.access {
            Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } => scalar.push(ids),
            Access::Uniform { .. } => scalar.push(leaf.buffer),
            _ => {}
        }
    }
    let forms = bindings.iter().zip(&wide);
    let forms = forms.map(|(binding, wide)| Form::of(*binding, *wide, caps));
    scalar.iter().all(|b| !wide[*b]).then(|| forms.collect())
}

/// What a leaf is at four neighbours; `None` when they lie apart.
pub(crate) fn quad(access: &Access) -> Option<Quad> {
    match access {
        Access::Strided(view) => strided(view),
        Access::Coord { shape, dim } => {
            let inner: usize = shape[dim + 1..].iter().product();
            (inner % 4 == 0).then_some(Quad::Splat)
        }
        Access::Affine {
            shape,
            axes,
            offset,
            ..
        } => affine(shape, axes, *offset),
        Access::Gather {
            source, ids_view, ..
        }
        | Access::ScatterAdd {
            source, ids_view, ..
        } => match (strided(source)?, strided(ids_view)?) {
            (form, Quad::Splat) => Some(form),
            _ => None,
        },
        Access::Resize { inner, .. } | Access::ResizeAdjoint { inner, .. } => {
            (inner % 4 == 0).then_some(Quad::Wide)
        }
        Access::Uniform { .. } => Some(Quad::Made),
    }
}

fn strided(view: &View) -> Option<Quad> {
    let View {
        shape,
        strides,
        offset,
    } = view.simplified();
    let Some((&extent, &step)) = shape.last().zip(strides.last()) else {
        return Some(Quad::Splat);
    };
    let outer = &strides[..strides.len() - 1];
    match step {
        _ if extent % 4 != 0 => None,
        0 => Some(Quad::Splat),
        1 if offset % 4 == 0 && outer.iter().all(|s| s % 4 == 0) => Some(Quad::Wide),
        _ => None,
    }
}

fn affine(shape: &[usize], axes: &[Axis], offset: usize) -> Option<Quad> {
    let Some(last) = shape.iter().rposition(|&extent| extent > 1) else {
        return Some(Quad::Splat);
    };
    if shape[last] % 4 != 0 {
        return None;
    }
    let mut form = Quad::Splat;
    for axis in axes {
        let alone = axis.coef.iter().enumerate().all(|(d, c)| match d == last {
            true => *c == 1,
            false => *c == 0 || shape[d] == 1,
        });
        let whole = axis.shift % 4 == 0 && axis.size % 4 == 0 && axis.div == 1;
        match (axis.coef[last], axis.stride) {
            (0, _) => {}
            (_, 1) if alone && whole && form == Quad::Splat => form = Quad::Wide,
            _ => return None,
        }
    }
    let apart = axes.iter().filter(|axis| axis.coef[last] == 0);
    let aligned = offset % 4 == 0 && apart.into_iter().all(|axis| axis.stride % 4 == 0);
    (form == Quad::Splat || aligned).then_some(form)
}
