//! What stored numbers become: intensities or labels.

use super::raw::Scalar;

/// A number as files store it.
pub(super) trait Stored<const N: usize>: Copy + PartialEq {
    /// From bytes, the least significant first.
    fn read(bytes: [u8; N]) -> Self;
    fn to_f64(self) -> f64;
    fn to_f32(self) -> f32;
    /// The nearest whole number if that is in 0…255, else any.
    fn to_u8(self) -> u8;
    /// Whether it is this number, or as near as [`NEAR`].
    fn is(self, other: u8) -> bool;
}

/// Programs scale label maps when they save them, so that whole numbers come back a little off. Interpolated
/// ones are further off.
const NEAR: f64 = 0.01;
/// As far as steps of stored whole numbers may lie apart by half.
const NEAR_AT_MOST: f64 = 0.05;

macro_rules! stored {
    ($to_u8:expr, $is:expr, $($scalar:ty),*) => {$(
        impl Stored<{ size_of::<$scalar>() }> for $scalar {
            fn read(bytes: [u8; size_of::<$scalar>()]) -> Self {
                Self::from_le_bytes(bytes)
            }
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn to_u8(self) -> u8 {
                let to_u8: fn(Self) -> u8 = $to_u8;
                to_u8(self)
            }
            fn is(self, other: u8) -> bool {
                let is: fn(Self, Self) -> bool = $is;
                is(self, other as $scalar)
            }
        }
    )*};
}
stored!(|n| n, |n, whole| n == whole, u8);
stored!(|n| n as u8, |n, whole| n == whole, u16, u32, u64);
// Without it, −1 and 255 would be one i8.
stored!(|n| n.max(0) as u8, |n, whole| n == whole, i8, i16, i32, i64);
// Beside so large a number, a small one is rounded, and the lowest bits hold it. Casts bring numbers of the wrong
// size into range, one after the other.
stored!(
    |n| (n + (1_u32 << 23) as f32).to_bits() as u8,
    |n, whole| (n - whole).abs() <= NEAR as f32,
    f32
);
stored!(
    |n| (n + (1_u64 << 52) as f64).to_bits() as u8,
    |n, whole| (n - whole).abs() <= NEAR,
    f64
);

/// How stored numbers are scaled, if they are.
pub(super) type Scale = Option<Scaling>;

/// Value = slope·stored + intercept.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    slope: f64,
    intercept: f64,
    /// How far off a whole number a value may lie that stands for it.
    near: f64,
}

impl Scaling {
    /// Of numbers of this type; `None` if they are not scaled.
    pub(super) fn new(scalar: Scalar, slope: f64, intercept: f64) -> Scale {
        let near = match scalar {
            Scalar::F32 | Scalar::F64 => NEAR,
            // A scaled whole number is up to half a step off what was meant.
            _ => (0.51 * slope.abs()).clamp(NEAR, NEAR_AT_MOST),
        };
        ((slope, intercept) != (1.0, 0.0)).then_some(Self {
            slope,
            intercept,
            near,
        })
    }

    fn value<const N: usize>(self, stored: impl Stored<N>) -> f64 {
        stored.to_f64() * self.slope + self.intercept
    }
}

/// What stored numbers become.
pub(super) trait Voxel: Copy + Default {
    /// The nearest to a stored number as scaled.
    fn of<const N: usize>(stored: impl Stored<N>, scale: Scale) -> Self;
    /// Whether that stands for the number.
    fn holds<const N: usize>(stored: impl Stored<N>, scale: Scale) -> bool;
    /// What is wrong with so many numbers that it does not stand for, the first of which is `value`.
    fn unfit(value: f64, count: usize) -> String;
}

/// An intensity.
impl Voxel for f32 {
    fn of<const N: usize>(stored: impl Stored<N>, scale: Scale) -> Self {
        match scale {
            None => stored.to_f32(),
            Some(scaling) => scaling.value(stored) as f32,
        }
    }
    fn holds<const N: usize>(stored: impl Stored<N>, scale: Scale) -> bool {
        Self::of(stored, scale).is_finite()
    }
    fn unfit(_: f64, count: usize) -> String {
        format!("{count} voxels are NaN or infinite; replace them, for example by 0")
    }
}

/// A label.
impl Voxel for u8 {
    fn of<const N: usize>(stored: impl Stored<N>, scale: Scale) -> Self {
        match scale {
            None => stored.to_u8(),
            Some(scaling) => scaling.value(stored).to_u8(),
        }
    }
    fn holds<const N: usize>(stored: impl Stored<N>, scale: Scale) -> bool {
        let label = Self::of(stored, scale);
        match scale {
            None => stored.is(label),
            Some(scaling) => (scaling.value(stored) - f64::from(label)).abs() <= scaling.near,
        }
    }
    fn unfit(value: f64, _: usize) -> String {
        format!(
            "label value {value} is not a whole number in 0…255, nor within a hundredth of one; labels are \
             resampled by nearest neighbour"
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::data::error::Result;
    use crate::data::formats::payload::Voxels;
    use crate::data::formats::raw::{ByteOrder, Raw};
    use crate::data::volume::Grid;

    fn labels(scalar: Scalar, bytes: &[u8], scale: (f64, f64)) -> Result<Vec<u8>, String> {
        let shape = [1, bytes.len() / scalar.size(), 1];
        let raw = Raw {
            path: PathBuf::new(),
            grid: Grid::axis_aligned(shape, [1.0; 3]),
            scalar,
            order: ByteOrder::Little,
            voxels: Voxels::in_memory(Path::new(""), bytes.to_vec()),
            slope: scale.0,
            intercept: scale.1,
        };
        let volume = raw.canonical().map_err(|e| e.to_string());
        volume.map(|volume| volume.voxels)
    }

    #[test]
    fn labels_are_whole_numbers_of_a_byte() {
        macro_rules! check {
            ($scale:expr, $($name:ident: $($good:expr),*; $($bad:expr),*;)*) => {$(
                let bytes = [$($good),*].map(|n| n.to_le_bytes()).concat();
                let expected = [$($good),*].map(|n| (f64::from(n) * $scale.0 + $scale.1) as u8);
                assert_eq!(labels(Scalar::$name, &bytes, $scale).unwrap(), expected);
                for bad in [$($bad),*] {
                    let refused = labels(Scalar::$name, &bad.to_le_bytes(), $scale);
                    let refused = refused.unwrap_err();
                    assert!(refused.contains("label value"), "{refused}");
                }
            )*};
        }
        check!((1.0, 0.0),
            I8: 0_i8, 5, 127; -1_i8, -128;
            I16: 0_i16, 255; -1_i16, 256, 257, i16::MIN;
            U32: 0_u32, 255; 256_u32, u32::MAX;
            F32: 0_f32, -0.0, 1.0, 255.0; 0.5_f32, 0.75, 1.02, -0.02, 255.02, -1.0, 256.0, 8_388_609.0, 1e30, f32::NAN, f32::INFINITY;
            F64: 0_f64, 7.0, 255.0; 7.02_f64, 254.5, -3.0, 256.0, 4_503_599_627_370_497.0, f64::NAN, f64::NEG_INFINITY;
        );
        check!((2.0, 1.0), I16: 0_i16, 127; -1_i16, 128;);
    }

    #[test]
    fn labels_a_little_off_whole_numbers() {
        let floats = [1.000_015_3_f32, 0.996_078_5, 1.995, -0.004, 255.004];
        let bytes = floats.map(f32::to_le_bytes).concat();
        let expected = [1, 1, 2, 0, 255];
        assert_eq!(labels(Scalar::F32, &bytes, (1.0, 0.0)).unwrap(), expected);
        let bytes = floats.map(|n| f64::from(n).to_le_bytes()).concat();
        assert_eq!(labels(Scalar::F64, &bytes, (1.0, 0.0)).unwrap(), expected);
        // As nibabel scales 0, 1, 2 to fill i16, and 0…13 to fill u8.
        let (slope, intercept) = (2.0 / 65535.0, 1.0 + 1.0 / 65535.0);
        let bytes = [-32768_i16, 0, 32767].map(i16::to_le_bytes).concat();
        let found = labels(Scalar::I16, &bytes, (slope, intercept));
        assert_eq!(found.unwrap(), [0, 1, 2]);
        let bytes: Vec<u8> = (0..14)
            .map(|n| (f64::from(n) * 255.0 / 13.0).round() as u8)
            .collect();
        let found = labels(Scalar::U8, &bytes, (13.0 / 255.0, 0.0)).unwrap();
        assert_eq!(found, (0..14).collect::<Vec<u8>>());
        // Probabilities are no labels.
        assert!(labels(Scalar::U8, &[0, 64, 255], (1.0 / 255.0, 0.0)).is_err());
        let refused = labels(Scalar::I16, &3_i16.to_le_bytes(), (0.25, 0.0)).unwrap_err();
        assert!(refused.contains("label value 0.75"), "{refused}");
    }
}
