//! A small autodiff tensor engine. It plans a whole training step once and runs it as WGSL compute
//! shaders on Vulkan, Metal or DX12.
//!
//! The path of a program: build a [`Graph`] (no GPU involved) → [`differentiate`] → optimiser nodes
//! ([`optim`]) → plan → program on a device. [`cpu`] evaluates the same graph without a GPU, slowly
//! and obviously right; it is the reference of every test.

pub mod cpu;
mod differentiate;
mod error;
mod fuse;
pub mod gpu;
mod graph;
mod init;
mod lower;
pub mod models;
#[cfg(feature = "native")]
pub mod native;
pub mod nn;
mod op;
pub mod ops;
pub mod optim;
mod plan;
pub mod random;
mod remat;
mod sources;
mod tensor;
pub mod weights;

pub use differentiate::differentiate;
pub use error::{Error, Result, io_reason};
pub use graph::{Graph, Node, Source, SourceKind, Value};
pub use init::Init;
pub use op::{Gradient, Lowering, Op};
pub use plan::{Place, Plan, Planning, Step, plan};
pub use remat::Remat;
pub use tensor::{DType, Data, Tensor, Type};
