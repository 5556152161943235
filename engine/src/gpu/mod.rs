//! Execution on wgpu: adapters, devices, and programs that run plans. The only place that names wgpu.

mod adapter;
mod device;
mod program;
mod selftest;

pub use adapter::{AdapterSummary, adapters};
pub use device::{Device, DeviceOptions};
pub use program::Program;
