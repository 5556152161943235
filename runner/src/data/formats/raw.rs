//! Voxels as a file stores them, and what they become.

use std::path::PathBuf;

use super::payload::Voxels;
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// The voxels of a file.
pub(in crate::data) struct Raw {
    /// The file.
    pub(super) path: PathBuf,
    /// Where the voxels lie and how the file stores their axes, the fastest first.
    pub(super) grid: Grid,
    /// Type of each voxel.
    pub(super) scalar: Scalar,
    /// Order of a voxel's bytes.
    pub(super) order: ByteOrder,
    /// `grid.len()` scalars.
    pub(super) voxels: Voxels,
    /// Value = slope·stored + intercept.
    pub(super) slope: f64,
    /// Value = slope·stored + intercept.
    pub(super) intercept: f64,
}

/// Real scalar types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
    /// Float, 32 bits.
    F32,
    /// Float, 64 bits.
    F64,
}

impl Scalar {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
    ];

    /// Bytes of one value.
    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

/// A number that can be written as a voxel.
pub trait Sample: Copy + Default {
    /// Its scalar type.
    const SCALAR: Scalar;
    /// Appends the value, the least significant byte first.
    fn append_to(self, bytes: &mut Vec<u8>);
}

macro_rules! sample {
    ($scalar:ty, $name:ident) => {
        impl Sample for $scalar {
            const SCALAR: Scalar = Scalar::$name;
            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}
sample!(u8, U8);
sample!(i16, I16);
sample!(f32, F32);

/// Voxels as bytes, the least significant first.
pub(super) fn bytes_of<T: Sample>(voxels: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(voxels));
    for voxel in voxels {
        voxel.append_to(&mut bytes);
    }
    bytes
}

impl Raw {
    /// The volume in canonical orientation, of intensities or label values. Room for it is made before the voxels
    /// are read: as many as the file can hold by its size.
    pub(super) fn canonical<T: Voxel>(self) -> Result<Volume<T>> {
        let (grid, path) = (self.grid.clone(), self.path.clone());
        let mut voxels = vec![T::default(); grid.len()];
        self.fill(&mut voxels)?;
        Volume::new(grid, voxels, path)
    }

    /// Puts what the voxels become into `voxels`, as many as there are, in canonical order.
    pub(super) fn fill<T: Voxel>(self, voxels: &mut [T]) -> Result<()> {
        macro_rules! fill {
            ($($name:ident: $scalar:ty),*) => {
                match self.scalar {
                    $(Scalar::$name => self.fill_from::<T, $scalar, { size_of::<$scalar>() }>(voxels),)*
                }
            };
        }
        fill!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64)
    }

    fn scale(&self) -> Scale {
        let near = match self.scalar {
            Scalar::F32 | Scalar::F64 => NEAR,
            // A scaled whole number is up to half a step off what was meant.
            _ => (0.51 * self.slope.abs()).clamp(NEAR, NEAR_AT_MOST),
        };
        let (slope, intercept) = (self.slope, self.intercept);
        ((slope, intercept) != (1.0, 0.0)).then_some(Scaling {
            slope,
            intercept,
            near,
        })
    }

    /// Reads and converts plane after plane: volumes of a gigabyte occur.
    fn fill_from<T: Voxel, S: Stored<N>, const N: usize>(mut self, voxels: &mut [T]) -> Result<()> {
        let scale = self.scale();
        let [width, height, depth] = self.grid.stored_shape();
        let (mut rows, step) = self.grid.stored_rows();
        let mut unfit: Option<(S, usize)> = None;
        for _ in 0..depth {
            let plane = self.voxels.next(width * height * N)?;
            if self.order == ByteOrder::Big {
                plane.chunks_exact_mut(N).for_each(<[u8]>::reverse);
            }
            // The plane's rows come first: `zip` takes from its left side before it finds the right one empty.
            let plane = plane.as_chunks::<N>().0.chunks(width);
            for (row, first) in plane.zip(rows.by_ref()) {
                fill_row(voxels, first, step, row, |s| T::of(S::read(s), scale));
                // Without an early end, several voxels are looked at at a time.
                if !row
                    .iter()
                    .fold(true, |all, s| all & T::holds(S::read(*s), scale))
                {
                    let stored = row.iter().map(|s| S::read(*s));
                    for value in stored.filter(|s| !T::holds(*s, scale)) {
                        let (first, count) = unfit.unwrap_or((value, 0));
                        unfit = Some((first, count + 1));
                    }
                }
            }
        }
        self.voxels.end()?;
        if let Some((first, count)) = unfit {
            let problem = T::unfit(first.to_f64() * self.slope + self.intercept, count);
            return Err(DataError::content(&self.path, problem));
        }
        Ok(())
    }
}

/// Puts what `value` makes of `row` into `voxels`, from the `first` on in such steps.
fn fill_row<T, S: Copy>(
    voxels: &mut [T],
    first: usize,
    step: isize,
    row: &[S],
    value: impl Fn(S) -> T,
) {
    let fill = |(voxel, stored): (&mut T, &S)| *voxel = value(*stored);
    let stride = step.unsigned_abs();
    // Rows that lie in one piece, as nearly all do, are converted several voxels at a time.
    match step {
        1 => voxels[first..].iter_mut().zip(row).for_each(fill),
        -1 => voxels[..=first].iter_mut().rev().zip(row).for_each(fill),
        2.. => voxels[first..]
            .iter_mut()
            .step_by(stride)
            .zip(row)
            .for_each(fill),
        _ => voxels[..=first]
            .iter_mut()
            .rev()
            .step_by(stride)
            .zip(row)
            .for_each(fill),
    }
}

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
    use super::*;
    use std::path::Path;

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
