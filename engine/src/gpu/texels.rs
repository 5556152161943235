//! How buffers lie in the textures that stand for them.

use samora_shaders::TEXTURE_WIDTH;

/// Bytes of a row of four numbers in each texel.
pub(super) const ROW_BYTES: u64 = 16 * TEXTURE_WIDTH as u64;

/// Bytes of a buffer of so many numbers that ends with a row.
pub(super) fn padded(len: usize) -> u64 {
    u64::from(rows(len)) * ROW_BYTES
}

/// Rows of so many numbers.
pub(super) fn rows(len: usize) -> u32 {
    len.div_ceil(4 * TEXTURE_WIDTH).max(1) as u32
}

/// Height of the texture for so many numbers: odd and at least three, because Mesa compiles a kernel anew for
/// textures whose height is a power of two and for others.
pub(super) fn height(len: usize) -> u32 {
    rows(len).next_multiple_of(2) + 1
}
