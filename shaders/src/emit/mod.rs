//! Emission: the entry point and what the families share.

mod arithmetic;
mod attention;
mod form;
mod gemm;
mod grid;
mod index;
mod inputs;
mod load;
mod map;
mod quad;
mod rows;
mod shader;

pub use form::TEXTURE_WIDTH;
pub(crate) use form::{Form, texel_function};
pub use gemm::tile;
pub use shader::Shader;

use crate::{Caps, Kernel};

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
            let tiles = gemm::tiles(kernel, caps).into_iter();
            tiles.map(|tile| gemm::gemm(kernel, caps, tile)).collect()
        }
        Kernel::Attention(kernel) => attention::variants(kernel, caps),
        _ => vec![emit(kernel, caps)],
    }
}
