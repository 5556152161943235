//! Counter-based randomness: every number is a pure function of its stream's key and its position,
//! so it does not depend on threads, order or device.

pub use samora_shaders::uniform;

use crate::Tensor;

/// A sequence of random numbers keyed by a seed and a name, for the host: initial weights,
/// augmentation, shuffling.
#[derive(Clone, Debug)]
pub struct Stream {
    key: u64,
    counter: u64,
}

impl Stream {
    /// The stream of `seed` and `name`.
    pub fn named(seed: u64, name: &str) -> Self {
        let mut key = mix64(seed ^ 0x9e37_79b9_7f4a_7c15);
        for byte in name.bytes() {
            key = mix64(key ^ u64::from(byte));
        }
        Self { key, counter: 0 }
    }

    /// The sub-stream number `index`, independent of this stream's position.
    pub fn at(&self, index: u64) -> Self {
        Self {
            key: mix64(self.key ^ mix64(index.wrapping_add(0x632b_e59b_d9b4_e019))),
            counter: 0,
        }
    }

    /// The graph input `random` that draws a step's noise from this stream: two words, whatever its position.
    pub fn key(&self) -> Tensor {
        let key = self.at(0x006e_6f69_7365).key;
        Tensor::u32(&[2], vec![key as u32, (key >> 32) as u32])
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.counter += 1;
        mix64(
            self.key
                .wrapping_add(self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        )
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in [low, high).
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Uniform integer below `n`, which must not be 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = f64::from(1.0 - self.uniform()).ln() * -2.0;
        let angle = f64::from(self.uniform()) * std::f64::consts::TAU;
        (radius.sqrt() * angle.cos()) as f32
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

fn mix64(mut x: u64) -> u64 {
    x ^= x >> 30;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_reproducible_and_distinct() {
        let draw = |seed, name: &str| {
            let mut s = Stream::named(seed, name);
            (0..4).map(|_| s.bits()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "a"), draw(7, "a"));
        assert_ne!(draw(7, "a"), draw(7, "b"));
        assert_ne!(draw(7, "a"), draw(8, "a"));
    }

    /// Another name, seed (in its upper half, too) or step gives other noise, not the same in another order.
    #[test]
    fn noise_differs_between_names_seeds_and_steps() {
        let noise = |seed, name: &str, step| {
            let key = Stream::named(seed, name).at(step).key();
            let key = [key.as_u32()[0], key.as_u32()[1]];
            let mut noise: Vec<u32> = (0..4096).map(|i| uniform(key, 0, i).to_bits()).collect();
            noise.sort_unstable();
            noise
        };
        let first = noise(7, "finetune", 3);
        assert_eq!(first, noise(7, "finetune", 3));
        for other in [
            noise(7, "encoder", 3),
            noise(7 + (1 << 32), "finetune", 3),
            noise(7, "finetune", 4),
        ] {
            let shared = other.iter().filter(|x| first.binary_search(x).is_ok());
            assert!(shared.count() < 40);
        }
    }
}
