//! Index arithmetic: strided views and coordinates as WGSL expressions with every extent baked in.

use crate::View;
use crate::wgsl::{sum, times};

/// Buffer index of linear element `i` (an identifier) of `view`.
pub(crate) fn view_index(view: &View, i: &str) -> String {
    let flat = view.simplified();
    let mut terms = Vec::new();
    for (d, &stride) in flat.strides.iter().enumerate() {
        terms.extend(times(&coordinate(&flat.shape, d, i), stride));
    }
    if flat.offset > 0 {
        terms.push(format!("{}u", flat.offset));
    }
    sum(terms)
}

/// Coordinate `d` of linear element `i` (an identifier, below the product of `shape`).
/// A product or quotient: binds tighter than `+`.
pub(crate) fn coordinate(shape: &[usize], d: usize, i: &str) -> String {
    let inner: usize = shape[d + 1..].iter().product();
    let outer: usize = shape[..d].iter().product();
    if shape[d] == 1 {
        return "0u".to_string();
    }
    let mut text = i.to_string();
    if inner > 1 {
        text = format!("{text} / {inner}u");
    }
    if outer > 1 {
        text = format!("{text} % {}u", shape[d]);
    }
    text
}
