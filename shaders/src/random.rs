//! The counter-based hash behind [`crate::Access::Uniform`], on the host.

/// A 32-bit mix of four words.
fn hash(seed: u32, step: u32, site: u32, index: u32) -> u32 {
    let mut x = mix(seed ^ 0x9e37_79b9);
    x = mix(x ^ step);
    x = mix(x ^ site);
    mix(x ^ index)
}

/// Uniform in [0, 1) with 24 bits, exact in f32.
pub fn uniform(seed: u32, step: u32, site: u32, index: u32) -> f32 {
    (hash(seed, step, site, index) >> 8) as f32 * (1.0 / 16_777_216.0)
}

fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
