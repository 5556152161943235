//! The counter-based hash behind [`crate::Access::Uniform`], on the host.

/// Number `index` of the stream of a 64-bit `key` and a `site`: uniform in [0, 1) with 24 bits, exact in f32.
#[inline]
pub fn uniform(key: [u32; 2], site: u32, index: u32) -> f32 {
    let first = mix(key[0] ^ mix(site ^ 0x9e37_79b9));
    let second = mix(key[1] ^ mix(site ^ 0x85eb_ca6b));
    (mix(mix(index ^ first) ^ second) >> 8) as f32 * (1.0 / 16_777_216.0)
}

fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
