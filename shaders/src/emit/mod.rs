//! Emission: the entry point and what the families share.

mod arithmetic;
mod attention;
mod form;
mod gemm;
mod gemm_lanes;
mod gemm_shared;
mod gemm_tile;
mod grid;
mod index;
mod load;
mod map;
mod matrix;
mod quad;
mod rows;
mod rows_columns;
mod rows_held;
mod rows_walk;

pub(crate) use form::{Form, UNPACK};
pub use gemm_tile::tile;

use crate::{Binding, Caps, Kernel};

/// An emitted module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shader {
    /// Short family name with the shape, for plans and profiles, such as `gemm 1x392x768x768`.
    pub name: String,
    /// WGSL text; the entry point is `main`.
    pub source: String,
    /// Workgroups to dispatch.
    pub grid: [u32; 3],
    /// Storage buffers at `@group(0)`.
    pub bindings: Vec<Binding>,
}

/// Emits the module of `kernel` for an adapter.
pub fn emit(kernel: &Kernel, caps: &Caps) -> Shader {
    match kernel {
        Kernel::Map(kernel) => map::map(kernel, caps),
        Kernel::Rows(kernel) => rows::rows(kernel, caps),
        Kernel::Gemm(kernel) => gemm::gemm(kernel, caps),
        Kernel::Attention(kernel) => attention::attention(kernel, caps),
    }
}
