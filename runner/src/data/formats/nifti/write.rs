//! NIfTI headers for writing, and files that appear whole or not at all. Offsets follow `nifti1.h` and
//! `nifti2.h`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use nifti::NiftiType;

use super::header::{CheckedHeader, Version};
use crate::data::error::{DataError, Result};
use crate::data::formats::raw::ByteOrder;
use crate::data::volume::Grid;

/// A scalar that can be written as a voxel.
pub trait Sample: Copy + Default {
    /// NIfTI code of the scalar type.
    const TYPE: NiftiType;
    /// Appends the value in little-endian order.
    fn append_to(self, bytes: &mut Vec<u8>);
}

macro_rules! sample {
    ($scalar:ty, $code:ident) => {
        impl Sample for $scalar {
            const TYPE: NiftiType = NiftiType::$code;
            fn append_to(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}
sample!(u8, Uint8);
sample!(i16, Int16);
sample!(f32, Float32);

/// A new little-endian header for voxels of type `T` on `grid`, in the grid's own orientation.
pub(super) fn fresh_header<T: Sample>(grid: &Grid) -> Vec<u8> {
    let mut header = vec![0; Version::One.header_bytes()];
    put(&mut header, 0, 348_i32.to_le_bytes());
    header[38] = b'r';
    put_dim(&mut header, grid, i16::to_le_bytes);
    put(&mut header, 70, (T::TYPE as i16).to_le_bytes());
    put(
        &mut header,
        72,
        (8 * T::TYPE.size_of() as i16).to_le_bytes(),
    );
    put(&mut header, 76, 1_f32.to_le_bytes());
    for (canonical, stored) in grid.orientation.axes.into_iter().enumerate() {
        let spacing = grid.spacing_mm[canonical] as f32;
        put(&mut header, 80 + 4 * stored, spacing.to_le_bytes());
    }
    put(&mut header, 108, 352_f32.to_le_bytes());
    put(&mut header, 112, 1_f32.to_le_bytes());
    header[123] = 2; // xyzt_units: millimetres
    put(&mut header, 254, 1_i16.to_le_bytes()); // sform_code: scanner coordinates
    for (row, values) in grid.stored_affine.iter().take(3).enumerate() {
        for (column, value) in values.iter().enumerate() {
            let offset = 280 + 16 * row + 4 * column;
            put(&mut header, offset, (*value as f32).to_le_bytes());
        }
    }
    put(&mut header, 344, *b"n+1\0");
    header
}

/// The reference's header with everything about the stored values replaced by plain u8 labels in the
/// same file.
pub(super) fn label_header(reference: &CheckedHeader) -> Vec<u8> {
    let mut header = reference.raw.clone();
    let big = reference.order == ByteOrder::Big;
    macro_rules! put {
        ($offset:expr, $value:expr) => {
            match big {
                true => put(&mut header, $offset, $value.to_be_bytes()),
                false => put(&mut header, $offset, $value.to_le_bytes()),
            }
        };
    }
    let u8_code = NiftiType::Uint8 as i16;
    // The voxels begin behind the header and four bytes that say that there are no extensions.
    match reference.version {
        Version::One => {
            put_dim(&mut header, &reference.grid, |n| match big {
                true => n.to_be_bytes(),
                false => n.to_le_bytes(),
            });
            put!(70, u8_code);
            put!(72, 8_i16);
            put!(108, 352_f32); // vox_offset
            put!(112, 1_f32); // scl_slope
            put!(116, 0_f32); // scl_inter
            put!(124, 0_f32); // cal_max and cal_min: display range of the intensities
            put!(128, 0_f32);
            put(&mut header, 344, *b"n+1\0");
        }
        Version::Two => {
            put!(12, u8_code);
            put!(14, 8_i16);
            put!(168, 544_i64); // vox_offset
            put!(176, 1_f64); // scl_slope
            put!(184, 0_f64); // scl_inter
            put!(192, 0_f64); // cal_max and cal_min
            put!(200, 0_f64);
            put(&mut header, 4, *b"n+2\0");
        }
    }
    header
}

/// Writes header and voxels to a temporary neighbour of `path`, then renames it.
pub(super) fn write_file<T: Sample>(path: &Path, header: &[u8], stored: &[T]) -> Result<()> {
    let mut bytes = Vec::with_capacity(header.len() + 4 + size_of_val(stored));
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 4]); // no header extensions
    for value in stored {
        value.append_to(&mut bytes);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    let written = write_bytes(partial, &bytes, path.extension().is_some_and(|e| e == "gz"))
        .and_then(|()| std::fs::rename(partial, path));
    written.map_err(|e| {
        // The failure that matters is the one already in hand.
        let _ = std::fs::remove_file(partial);
        DataError::io(path, "write", e)
    })
}

fn write_bytes(path: &Path, bytes: &[u8], compress: bool) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    if compress {
        let mut encoder = GzEncoder::new(file, Compression::fast());
        encoder.write_all(bytes)?;
        file = encoder.finish()?;
    } else {
        file.write_all(bytes)?;
    }
    file.flush()
}

fn put_dim(header: &mut [u8], grid: &Grid, bytes: impl Fn(i16) -> [u8; 2]) {
    let [x, y, z] = grid.stored_shape().map(|n| n as i16);
    for (i, extent) in [3, x, y, z, 1, 1, 1, 1].into_iter().enumerate() {
        put(header, 40 + 2 * i, bytes(extent));
    }
}

fn put<const N: usize>(header: &mut [u8], offset: usize, bytes: [u8; N]) {
    header[offset..offset + N].copy_from_slice(&bytes);
}
