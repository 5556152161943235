//! Execution on wgpu: adapters, devices, and programs that run plans. The only place that names wgpu.

mod adapter;
mod cache;
mod device;
mod memory;
mod pins;
mod pipeline;
mod profile;
mod program;
mod selftest;
mod source;
mod submission;
#[cfg(test)]
mod tests;
mod texels;
mod textures;
mod tuning;
mod upload;

pub use adapter::{Adapter, AdapterSummary, adapters};
pub use device::Device;
pub use program::Program;
pub use selftest::testable;
