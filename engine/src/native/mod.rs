//! Execution on the processor: the kernels of a plan on threads and vector units, without a driver.
//!
//! Work is cut into pieces that depend on the kernel alone, and sums follow fixed trees, so that any number of
//! threads gives the same bytes.

mod attention;
mod code;
mod context;
mod device;
mod frozen;
mod gemm;
mod info;
mod kernel;
mod lanes;
mod leaf;
mod map;
mod math;
mod memory;
mod micro;
mod number;
mod pack;
mod profile;
mod program;
mod rows;
mod window;

pub use device::Device;
pub use info::info;
pub use program::Program;
