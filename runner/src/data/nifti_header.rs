//! The 348-byte NIfTI-1 header, checked field by field before anything is allocated.
//! Field names and offsets follow `nifti1.h`.

use super::error::{DataError, Result};
use super::volume::Grid;
use nifti::{NiftiHeader, NiftiType};
use std::path::Path;

/// Bytes of a NIfTI-1 header.
pub const HEADER_BYTES: usize = 348;

/// Most voxels a volume may have; larger claims come from damaged headers.
const MAX_VOXELS: usize = 1 << 30;

/// A header that passed every check.
#[derive(Clone, Debug)]
pub struct CheckedHeader {
    /// Canonical grid of the volume.
    pub grid: Grid,
    /// Scalar type of the voxels.
    pub scalar: NiftiType,
    /// Intensity = slope·stored + intercept.
    pub slope: f64,
    /// Intensity = slope·stored + intercept.
    pub intercept: f64,
    /// Bytes before the first voxel.
    pub voxel_offset: u64,
    /// The header as parsed by the `nifti` crate, with `bitpix` made to agree with `datatype`.
    pub parsed: NiftiHeader,
    /// The header's bytes.
    pub raw: [u8; HEADER_BYTES],
}

impl CheckedHeader {
    /// Checks the header of the file at `path`.
    ///
    /// # Errors
    /// [`DataError::Header`] with the first field that cannot be used.
    pub fn parse(path: &Path, raw: [u8; HEADER_BYTES]) -> Result<Self> {
        check_size_and_magic(path, &raw)?;
        let mut parsed = NiftiHeader::from_reader(&raw[..])
            .map_err(|e| DataError::header(path, "magic", e.to_string()))?;
        let shape = check_dim(path, &parsed.dim)?;
        let scalar = check_datatype(path, &parsed)?;
        parsed.bitpix = (scalar.size_of() * 8) as i16;
        let (slope, intercept) = check_scaling(path, &parsed)?;
        let offset = parsed.vox_offset;
        if !offset.is_finite() || !(352.0..1e9).contains(&offset) {
            let problem = format!("{offset} is not the start of the voxels (352 or more)");
            return Err(DataError::header(path, "vox_offset", problem));
        }
        let (affine, field) = affine(path, &parsed, shape)?;
        let grid = Grid::from_stored(shape, affine).ok_or_else(|| {
            let problem = "the affine is not finite or not invertible; set a valid sform";
            DataError::header(path, field, problem)
        })?;
        Ok(Self {
            grid,
            scalar,
            slope,
            intercept,
            voxel_offset: offset as u64,
            parsed,
            raw,
        })
    }

    /// Bytes of the voxels.
    pub fn voxel_bytes(&self) -> u64 {
        (self.grid.len() * self.scalar.size_of()) as u64
    }
}

fn check_size_and_magic(path: &Path, raw: &[u8; HEADER_BYTES]) -> Result<()> {
    let size = [raw[0], raw[1], raw[2], raw[3]];
    let sizes = [i32::from_le_bytes(size), i32::from_be_bytes(size)];
    if sizes.contains(&540) {
        let problem = "540 means NIfTI-2; convert the file to NIfTI-1";
        return Err(DataError::header(path, "sizeof_hdr", problem));
    }
    if !sizes.contains(&348) {
        let problem = format!("{} instead of 348: not a NIfTI-1 file", sizes[0]);
        return Err(DataError::header(path, "sizeof_hdr", problem));
    }
    match &raw[344..348] {
        b"n+1\0" => Ok(()),
        b"ni1\0" => {
            let problem = "the voxels are in a separate .img file; convert the pair to .nii.gz";
            Err(DataError::header(path, "magic", problem))
        }
        other => {
            let problem = format!("{other:02x?} instead of \"n+1\": not a NIfTI-1 file");
            Err(DataError::header(path, "magic", problem))
        }
    }
}

fn check_dim(path: &Path, dim: &[u16; 8]) -> Result<[usize; 3]> {
    let fail = |problem: String| Err(DataError::header(path, "dim", problem));
    let rank = usize::from(dim[0]);
    if !(1..=7).contains(&rank) {
        return fail(format!("dim[0] = {rank} is not a number of dimensions"));
    }
    let used = &dim[1..=rank];
    if used.contains(&0) || used.iter().any(|&n| n > i16::MAX as u16) {
        return fail(format!("{used:?} has an empty or negative extent"));
    }
    if rank < 3 || used[3..].iter().any(|&n| n != 1) {
        return fail(format!(
            "{used:?} is not 3-D; split or stack it into 3-D volumes"
        ));
    }
    let shape = [used[0], used[1], used[2]].map(usize::from);
    let voxels: u64 = shape.iter().map(|&n| n as u64).product();
    if voxels > MAX_VOXELS as u64 {
        return fail(format!(
            "{shape:?} is {voxels} voxels, more than {MAX_VOXELS}"
        ));
    }
    Ok(shape)
}

fn check_datatype(path: &Path, header: &NiftiHeader) -> Result<NiftiType> {
    match header.data_type() {
        Ok(
            scalar @ (NiftiType::Uint8
            | NiftiType::Int8
            | NiftiType::Uint16
            | NiftiType::Int16
            | NiftiType::Uint32
            | NiftiType::Int32
            | NiftiType::Uint64
            | NiftiType::Int64
            | NiftiType::Float32
            | NiftiType::Float64),
        ) => Ok(scalar),
        _ => {
            let problem = format!("code {} is not a real scalar type", header.datatype);
            Err(DataError::header(path, "datatype", problem))
        }
    }
}

/// A slope of 0 or one that is not finite means "not scaled".
fn check_scaling(path: &Path, header: &NiftiHeader) -> Result<(f64, f64)> {
    let (slope, intercept) = (header.scl_slope, header.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok((1.0, 0.0));
    }
    if !intercept.is_finite() {
        let problem = format!("{intercept} with slope {slope}; set it to 0");
        return Err(DataError::header(path, "scl_inter", problem));
    }
    Ok((f64::from(slope), f64::from(intercept)))
}

/// The sform if set, else the qform, else `pixdim` centred with x to the left, and the name of the
/// field it came from.
fn affine(
    path: &Path,
    header: &NiftiHeader,
    shape: [usize; 3],
) -> Result<([[f64; 4]; 4], &'static str)> {
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    if header.sform_code > 0 {
        for (row, srow) in affine
            .iter_mut()
            .zip([header.srow_x, header.srow_y, header.srow_z])
        {
            *row = srow.map(f64::from);
        }
        return Ok((affine, "srow"));
    }
    let spacing = [1, 2, 3].map(|i| f64::from(header.pixdim[i]));
    if spacing.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        let problem = format!("spacing {spacing:?} must be positive");
        return Err(DataError::header(path, "pixdim", problem));
    }
    if header.qform_code > 0 {
        let handedness = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let rotation = quaternion_rotation(path, header)?;
        let offset = [header.quatern_x, header.quatern_y, header.quatern_z];
        for row in 0..3 {
            for column in 0..3 {
                let sign = if column == 2 { handedness } else { 1.0 };
                affine[row][column] = rotation[row][column] * spacing[column] * sign;
            }
            affine[row][3] = f64::from(offset[row]);
        }
        return Ok((affine, "quatern"));
    }
    for axis in 0..3 {
        let sign = if axis == 0 { -1.0 } else { 1.0 };
        affine[axis][axis] = spacing[axis] * sign;
        affine[axis][3] = -affine[axis][axis] * (shape[axis] as f64 - 1.0) / 2.0;
    }
    Ok((affine, "pixdim"))
}

/// Rotation matrix of the unit quaternion whose last three components are stored.
fn quaternion_rotation(path: &Path, header: &NiftiHeader) -> Result<[[f64; 3]; 3]> {
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let rest = 1.0 - (b * b + c * c + d * d);
    // Stored as f32: near a half turn the rest is only rounding, either way.
    if !rest.is_finite() || rest < -1e-5 {
        let problem = format!("({b}, {c}, {d}) is longer than 1");
        return Err(DataError::header(path, "quatern", problem));
    }
    let rounding = 3.0 * f64::from(f32::EPSILON);
    let a = if rest < rounding { 0.0 } else { rest.sqrt() };
    let n = 2.0 / (a * a + b * b + c * c + d * d);
    Ok([
        [
            1.0 - n * (c * c + d * d),
            n * (b * c - a * d),
            n * (b * d + a * c),
        ],
        [
            n * (b * c + a * d),
            1.0 - n * (b * b + d * d),
            n * (c * d - a * b),
        ],
        [
            n * (b * d - a * c),
            n * (c * d + a * b),
            1.0 - n * (b * b + c * c),
        ],
    ])
}
