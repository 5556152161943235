//! Leaves: how a kernel obtains the value of one of its inputs at linear element `i`.

use serde::{Deserialize, Serialize};

use crate::View;

/// An input of a pointwise expression: a function of the linear element index `i`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// Index into the kernel's bindings. Unused by [`Access::Coord`].
    pub buffer: usize,
    /// How element `i` is found.
    pub access: Access,
}

/// How element `i` of a leaf is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Access {
    /// `buffer[view.index(i)]`
    Strided(View),
    /// Coordinate of `i` along dimension `dim` of `shape`, as f32. Reads no buffer.
    Coord {
        /// Shape that decomposes `i`.
        shape: Vec<usize>,
        /// Which coordinate.
        dim: usize,
    },
    /// An affine window: padding, im2col, pooling and the adjoints of all three.
    /// With coordinates `c` of `i` in `shape`, axis `a` of the source is read at
    /// `n / div` with `n = Σ_d coef[d]·c[d] + shift`. Outside `0 ≤ n`, `n % div = 0`,
    /// `n / div < size` the leaf is `fill`; else it is source element `offset + Σ_a n_a / div · stride`.
    Affine {
        /// Shape that decomposes `i`.
        shape: Vec<usize>,
        /// One entry per source axis.
        axes: Vec<Axis>,
        /// Where the source starts.
        offset: usize,
        /// Value outside the source.
        fill: f32,
    },
    /// Rows by index: along `axis` of `shape`, the source coordinate is `id = min(ids[..], count − 1)`.
    /// Source element = `source.offset + Σ_{d≠axis} c[d]·source.strides[d] + id·source.strides[axis]`,
    /// where the id of element `i` is at `ids_view.index(i)`.
    /// `ids_view` has the same shape as `source.shape`, broadcast with stride 0.
    Gather {
        /// Shape and strides of the source, `shape` being that of the result.
        source: View,
        /// Dimension looked up.
        axis: usize,
        /// Source extent along `axis`.
        count: usize,
        /// Binding (u32) of the ids.
        ids: usize,
        /// Where the id of element `i` lies.
        ids_view: View,
    },
    /// Adjoint of [`Access::Gather`]: with coordinates `c` of `i` in `shape`, the sum over
    /// `m < count` of `source[…, m at axis, …]` where `ids[…, m at axis, …] = c[axis]`, in order of `m`; ids
    /// beyond the result's last coordinate count as that.
    ScatterAdd {
        /// Strides of the source; `shape` is that of the result.
        source: View,
        /// Dimension scattered along.
        axis: usize,
        /// Source extent along `axis`.
        count: usize,
        /// Binding (u32) of the ids.
        ids: usize,
        /// Strides of the ids, same dimensions as `source`.
        ids_view: View,
    },
    /// Linear interpolation along one axis, align_corners = false:
    /// `s = max((c + ½)·from/to − ½, 0)`, taps `⌊s⌋` and `min(⌊s⌋ + 1, from − 1)`.
    /// The source is contiguous `[outer, from, inner]`, the result `[outer, to, inner]`.
    Resize {
        /// Product of the dimensions before the axis.
        outer: usize,
        /// Source extent.
        from: usize,
        /// Result extent.
        to: usize,
        /// Product of the dimensions after the axis.
        inner: usize,
    },
    /// Adjoint of [`Access::Resize`] with the same parameters: source `[outer, to, inner]`,
    /// result `[outer, from, inner]`; sums every output that read the element, in order.
    ResizeAdjoint {
        /// Product of the dimensions before the axis.
        outer: usize,
        /// Extent of the result.
        from: usize,
        /// Extent of the source.
        to: usize,
        /// Product of the dimensions after the axis.
        inner: usize,
    },
    /// Uniform in [0, 1) from a counter: `hash(key, site, i)`. The buffer (u32) holds the two words of the
    /// key. Bit-identical to [`crate::uniform`].
    Uniform {
        /// Which random site of the graph this is.
        site: u32,
    },
}

/// One source axis of [`Access::Affine`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Axis {
    /// Coefficient of each result coordinate.
    pub coef: Vec<i64>,
    /// Constant term.
    pub shift: i64,
    /// Divisor; the index must divide evenly.
    pub div: usize,
    /// Extent of the source axis.
    pub size: usize,
    /// Stride of the source axis in elements.
    pub stride: usize,
}
