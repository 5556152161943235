//! A small autodiff tensor engine. It plans a whole training step once and runs it as WGSL compute
//! shaders on Vulkan, Metal or DX12.
//!
//! The path of a program: build a [`Graph`] (no GPU involved) → [`differentiate`] → optimiser nodes
//! ([`optim`]) → plan → program on a device. [`cpu`] evaluates the same graph without a GPU, slowly
//! and obviously right; it is the reference of every test.

pub mod cases;
pub mod cpu;
mod device;
mod device_info;
mod differentiate;
mod error;
mod formula;
mod fuse;
pub mod gpu;
mod graph;
mod init;
mod lower;
pub mod models;
pub mod native;
pub mod nn;
pub mod ops;
pub mod optim;
mod options;
mod plan;
mod program;
pub mod random;
mod remat;
mod schedule;
mod sources;
mod split;
mod tensor;
pub mod weights;

pub use device::{Device, Found, devices};
pub use device_info::DeviceInfo;
pub use differentiate::differentiate;
pub use error::{Error, Result, io_reason};
pub use graph::{Gradient, Graph, Lowering, Node, Op, Phase, Source, SourceKind, Value};
pub use init::Init;
pub use options::{DeviceOptions, Precision, Tune};
pub use plan::{Bound, Place, Plan, Planning, Step, plan};
pub use program::{Program, Timed};
pub use remat::Remat;
pub use schedule::{Fill, Schedule, ScheduledOutput, ScheduledSource, ScheduledStep, Start};
pub use tensor::{DType, Data, Tensor, Type};
