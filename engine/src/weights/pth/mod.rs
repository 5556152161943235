//! PyTorch's `.pth` and `.pt` files, read without executing them.

mod archive;
mod legacy;
mod literal;
mod object;
mod pickle;
mod reader;
mod rebuild;
mod state;
mod tensors;
#[cfg(test)]
mod tests;
mod write;

pub(super) use archive::zip_contents;
pub(super) use legacy::{is_legacy, legacy_contents};
pub use write::{Item, write_torch};
