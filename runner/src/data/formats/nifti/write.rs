//! NIfTI headers for writing. Offsets follow `nifti1.h` and `nifti2.h`.

use std::path::Path;

use super::header::{CheckedHeader, Version, datatype};
use super::qform;
use crate::data::error::Result;
use crate::data::formats::raw::{ByteOrder, Sample, Scalar, bytes_of};
use crate::data::formats::write::{self, gzipped};
use crate::data::volume::Grid;

/// A new little-endian header for voxels of type `T` on `grid`, in the grid's own orientation; the values
/// are `slope` times the voxels.
pub(super) fn fresh_header<T: Sample>(grid: &Grid, slope: f32) -> Vec<u8> {
    let mut header = vec![0; Version::One.header_bytes()];
    put(&mut header, 0, 348_i32.to_le_bytes());
    header[38] = b'r';
    for (i, extent) in dim(grid, 3).into_iter().enumerate() {
        put(&mut header, 40 + 2 * i, extent.to_le_bytes());
    }
    put(&mut header, 70, datatype(T::SCALAR).to_le_bytes());
    put(&mut header, 72, (8 * T::SCALAR.size() as i16).to_le_bytes());
    for (canonical, stored) in grid.orientation.axes.into_iter().enumerate() {
        let spacing = grid.spacing_mm[canonical] as f32;
        put(&mut header, 80 + 4 * stored, spacing.to_le_bytes());
    }
    put(&mut header, 108, 352_f32.to_le_bytes());
    put(&mut header, 112, slope.to_le_bytes());
    header[123] = 2; // xyzt_units: millimetres
    // Scanner coordinates twice: the sform as it is; the qform without shear, which ITK reads where there is some.
    put(&mut header, 252, 1_i16.to_le_bytes()); // qform_code
    put(&mut header, 254, 1_i16.to_le_bytes()); // sform_code
    let nearest = qform::nearest(&grid.stored_affine);
    put(&mut header, 76, (nearest.handedness as f32).to_le_bytes());
    for (i, part) in nearest.quatern.into_iter().enumerate() {
        put(&mut header, 256 + 4 * i, (part as f32).to_le_bytes());
        let origin = grid.stored_affine[i][3] as f32;
        put(&mut header, 268 + 4 * i, origin.to_le_bytes());
    }
    for (row, values) in grid.stored_affine.iter().take(3).enumerate() {
        for (column, value) in values.iter().enumerate() {
            let offset = 280 + 16 * row + 4 * column;
            put(&mut header, offset, (*value as f32).to_le_bytes());
        }
    }
    put(&mut header, 344, *b"n+1\0");
    header
}

/// The reference's header with everything about the stored values replaced by u8 voxels in the same file,
/// whose values are `slope` times as much.
pub(super) fn u8_header(reference: &CheckedHeader, slope: f32) -> Vec<u8> {
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
    let u8_code = datatype(Scalar::U8);
    let dim = dim(&reference.grid, reference.rank);
    // The voxels begin behind the header and four bytes that say that there are no extensions.
    match reference.version {
        Version::One => {
            for (i, extent) in dim.into_iter().enumerate() {
                put!(40 + 2 * i, extent);
            }
            put!(70, u8_code);
            put!(72, 8_i16);
            put!(108, 352_f32); // vox_offset
            put!(112, slope); // scl_slope
            put!(116, 0_f32); // scl_inter
            put!(124, 0_f32); // cal_max and cal_min: display range of the intensities
            put!(128, 0_f32);
            put(&mut header, 344, *b"n+1\0");
        }
        Version::Two => {
            for (i, extent) in dim.into_iter().enumerate() {
                put!(16 + 8 * i, i64::from(extent));
            }
            put!(12, u8_code);
            put!(14, 8_i16);
            put!(168, 544_i64); // vox_offset
            put!(176, f64::from(slope)); // scl_slope
            put!(184, 0_f64); // scl_inter
            put!(192, 0_f64); // cal_max and cal_min
            put!(200, 0_f64);
            put(&mut header, 4, *b"n+2\0");
        }
    }
    header
}

/// Writes header and voxels, compressed if the name ends in `.gz`.
pub(super) fn write_file<T: Sample>(path: &Path, header: &[u8], stored: &[T]) -> Result<()> {
    let no_extensions = [0; 4];
    let bytes = [header, &no_extensions, &bytes_of(stored)].concat();
    let gzip = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    write::write_file(path, &if gzip { gzipped(&bytes) } else { bytes })
}

/// The number of dimensions and their extents; those that are not used are 1.
fn dim(grid: &Grid, rank: usize) -> [i16; 8] {
    let [x, y, z] = grid.stored_shape().map(|n| n as i16);
    [rank as i16, x, y, z, 1, 1, 1, 1]
}

fn put<const N: usize>(header: &mut [u8], offset: usize, bytes: [u8; N]) {
    header[offset..offset + N].copy_from_slice(&bytes);
}
