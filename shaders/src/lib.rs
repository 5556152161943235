//! Kernel descriptions in, WGSL text out.
//!
//! A [`Kernel`] says what to compute on which buffers; [`emit`] turns it into a [`Shader`]: one WGSL
//! module with every shape baked in as a constant, its workgroup size and its grid. Emission is a
//! pure function of the description and of [`Caps`], what the adapter allows. Nothing here names
//! wgpu, so every module can be validated and read without a GPU.

mod access;
mod attention;
mod binding;
mod caps;
mod emit;
mod expr;
mod gemm;
mod helper;
mod kernel;
mod map;
mod random;
pub mod reference;
mod rows;
mod view;
mod wgsl;

pub use access::{Access, Axis, Leaf};
pub use attention::{Attention, AttentionPass, HeadRows, Part, Saved, Tokens};
pub use binding::{Binding, BufferType};
pub use caps::{Caps, Products};
pub use emit::{Shader, TEXTURE_WIDTH, emit, tile, variants};
pub use expr::{Binary, Expr, Id, Scalar, Unary};
pub use gemm::{Gemm, Operand, Tile};
pub use kernel::Kernel;
pub use map::{Map, Output};
pub use random::uniform;
pub use rows::{Reduce, Rows, RowsOutput, Stage};
pub use view::View;
