//! Smooth random fields: lattice noise for textures and a sum of waves that bends the anatomy.

use super::shape::Point;
use samora_engine::random::Stream;

/// Value noise: random values in −1…1 on a cubic lattice, interpolated linearly.
pub(super) struct Lattice {
    key: u32,
}

impl Lattice {
    pub(super) fn draw(stream: &mut Stream) -> Self {
        Self {
            key: stream.bits() as u32,
        }
    }

    /// The field at `p` with a lattice constant of `size` millimetres.
    pub(super) fn at(&self, p: Point, size: f32) -> f32 {
        let scaled = p.map(|c| c / size);
        let base = scaled.map(|c| c.floor() as i32);
        let t = [0, 1, 2].map(|axis| scaled[axis] - scaled[axis].floor());
        let corner = |x: i32, y: i32, z: i32| {
            let at = [base[0] + x, base[1] + y, base[2] + z].map(|c| c as u32);
            2.0 * uniform([self.key ^ size.to_bits(), at[0], at[1], at[2]]) - 1.0
        };
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let row = |y: i32, z: i32| mix(corner(0, y, z), corner(1, y, z), t[0]);
        let plane = |z: i32| mix(row(0, z), row(1, z), t[1]);
        mix(plane(0), plane(1), t[2])
    }
}

/// A number in [0, 1) for a key and a point of the lattice.
fn uniform(words: [u32; 4]) -> f32 {
    let mix = |word: u32| {
        let x = (word ^ (word >> 16)).wrapping_mul(0x7feb_352d);
        let x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        x ^ (x >> 16)
    };
    let hash = words
        .into_iter()
        .fold(0x9e37_79b9, |hash, word| mix(hash ^ word));
    (hash >> 8) as f32 / 16_777_216.0
}

/// A smooth displacement: three waves along each axis.
pub(super) struct Warp {
    amplitude: f32,
    waves: [[[f32; 4]; 3]; 3],
}

impl Warp {
    /// Draws a warp whose displacement along each axis is at most about twice `amplitude` (mm).
    pub(super) fn draw(amplitude: f32, stream: &mut Stream) -> Self {
        let mut wave = || {
            let mut wave = [0.0; 4];
            for frequency in &mut wave[..3] {
                // Wavelengths of 90 mm and more.
                *frequency = stream.range(-0.07, 0.07);
            }
            wave[3] = stream.range(0.0, std::f32::consts::TAU);
            wave
        };
        Self {
            amplitude,
            waves: [0; 3].map(|_| [0; 3].map(|_| wave())),
        }
    }

    pub(super) fn apply(&self, p: Point) -> Point {
        [0, 1, 2].map(|axis| {
            let waves = self.waves[axis].iter();
            let sum: f32 = waves
                .map(|w| (w[0] * p[0] + w[1] * p[1] + w[2] * p[2] + w[3]).sin())
                .sum();
            p[axis] + self.amplitude * sum / 1.5
        })
    }
}
