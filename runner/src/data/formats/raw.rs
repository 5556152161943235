//! Voxels as a file stores them, and what they mean.

use std::path::PathBuf;

use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// The voxels of a file.
#[derive(Debug)]
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
    pub(super) bytes: Vec<u8>,
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
    /// Intensities in canonical orientation.
    pub(super) fn image(self) -> Result<Volume<f32>> {
        let volume = self.canonical(|value| value as f32)?;
        let bad = volume.voxels.iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            let problem =
                format!("{bad} voxels are NaN or infinite; replace them, for example by 0");
            return Err(DataError::content(&volume.path, problem));
        }
        Ok(volume)
    }

    /// Label values in canonical orientation.
    pub(super) fn labels(self) -> Result<Volume<u8>> {
        let mut unusable = None;
        let volume = self.canonical(|label| {
            // Without its fraction, brought to 0…255, and 0 for NaN.
            let class = label as u8;
            if f64::from(class) != label {
                unusable = Some(label);
            }
            class
        })?;
        if let Some(value) = unusable {
            let problem = format!("label value {value} is not a whole number in 0…255");
            return Err(DataError::content(&volume.path, problem));
        }
        Ok(volume)
    }

    /// What `convert` makes of every scaled value, in canonical orientation. Nothing but the result is
    /// allocated: volumes of a gigabyte occur.
    fn canonical<T: Copy>(self, mut convert: impl FnMut(f64) -> T) -> Result<Volume<T>> {
        let (slope, intercept) = (self.slope, self.intercept);
        let mut scaled = |stored: f64| convert(stored * slope + intercept);
        macro_rules! volume {
            ($scalar:ty) => {{
                let stored = self.bytes.as_chunks::<{ size_of::<$scalar>() }>().0;
                let (grid, path) = (self.grid, self.path);
                match self.order {
                    ByteOrder::Little => {
                        let value = |bytes| scaled(<$scalar>::from_le_bytes(bytes) as f64);
                        Volume::from_stored(grid, stored, value, path)
                    }
                    ByteOrder::Big => {
                        let value = |bytes| scaled(<$scalar>::from_be_bytes(bytes) as f64);
                        Volume::from_stored(grid, stored, value, path)
                    }
                }
            }};
        }
        match self.scalar {
            Scalar::U8 => volume!(u8),
            Scalar::I8 => volume!(i8),
            Scalar::U16 => volume!(u16),
            Scalar::I16 => volume!(i16),
            Scalar::U32 => volume!(u32),
            Scalar::I32 => volume!(i32),
            Scalar::U64 => volume!(u64),
            Scalar::I64 => volume!(i64),
            Scalar::F32 => volume!(f32),
            Scalar::F64 => volume!(f64),
        }
    }
}
