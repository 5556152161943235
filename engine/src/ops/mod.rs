//! The ops, one file each.

pub mod affine;
pub mod matmul;
pub mod pointwise;
pub mod reduce;
pub mod source;
pub mod view;
