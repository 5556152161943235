//! Voxels as a file stores them.

use std::path::PathBuf;

use super::payload::Voxels;
use super::voxel::{Scaling, Stored, Voxel};
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

    /// Reads and converts plane after plane: volumes of a gigabyte occur.
    fn fill_from<T: Voxel, S: Stored<N>, const N: usize>(mut self, voxels: &mut [T]) -> Result<()> {
        let scale = Scaling::new(self.scalar, self.slope, self.intercept);
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
