//! Emission: the entry point and what the families share.

mod arithmetic;
mod attention;
mod form;
mod gemm;
mod gemm_cooperative;
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
mod rows_stages;
mod rows_walk;

pub use form::TEXTURE_WIDTH;
pub(crate) use form::{Form, texel_function};
pub use gemm_tile::tile;

use serde::{Deserialize, Serialize};

use crate::wgsl::Module;
use crate::{Binding, Caps, Kernel};

/// An emitted module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shader {
    /// Short family name with the shape, for plans and profiles, such as `gemm 1x392x768x768`.
    pub name: String,
    /// Which of the [`variants`] it is, such as `shared 64x64x32 8x8`; empty where a family has one.
    pub variant: String,
    /// WGSL text; the entry point is `main`.
    pub source: String,
    /// Workgroups to dispatch.
    pub grid: [u32; 3],
    /// What is bound at `@group(0)`: storage buffers, but for `textures`.
    pub bindings: Vec<Binding>,
    /// Bindings that are bound as a storage texture to read, of format `rgba32float`, with the buffer's
    /// contents, row after row of [`TEXTURE_WIDTH`] texels.
    pub textures: Vec<usize>,
}

impl Shader {
    fn new(name: String, module: Module, grid: [u32; 3], bindings: &[Binding]) -> Self {
        Self {
            name,
            variant: String::new(),
            source: module.source,
            grid,
            bindings: bindings.to_vec(),
            textures: module.textures,
        }
    }
}

/// Emits the module of `kernel` for an adapter.
pub fn emit(kernel: &Kernel, caps: &Caps) -> Shader {
    match kernel {
        Kernel::Map(kernel) => map::map(kernel, caps),
        Kernel::Rows(kernel) => rows::rows(kernel, caps),
        Kernel::Gemm(kernel) => gemm::gemm(kernel, caps, tile(kernel, caps)),
        Kernel::Attention(kernel) => attention::attention(kernel, caps),
    }
}

/// The module that [`emit`] gives, then others that compute the same and may be faster on some adapter.
pub fn variants(kernel: &Kernel, caps: &Caps) -> Vec<Shader> {
    match kernel {
        Kernel::Gemm(kernel) => {
            let tiles = gemm_tile::tiles(kernel, caps).into_iter();
            tiles.map(|tile| gemm::gemm(kernel, caps, tile)).collect()
        }
        Kernel::Attention(kernel) => attention::variants(kernel, caps),
        _ => vec![emit(kernel, caps)],
    }
}
