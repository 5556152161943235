//! x
use crate::{Caps, Gemm, Tile};
pub(crate) fn emit(_kernel: &Gemm, _caps: &Caps, _tile: Tile) -> (String, [u32; 3]) {
    (String::new(), [0; 3])
}
