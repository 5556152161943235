//! The ops, one file each.

pub mod matmul;
pub mod pointwise;
pub mod source;
pub mod view;
