//! NIfTI headers, checked field by field before anything is allocated. Field names and offsets follow
//! `nifti1.h` and `nifti2.h`.

use std::path::Path;

use nifti::NiftiHeader;

use crate::data::error::{DataError, Result};
use crate::data::formats::checked_shape;
use crate::data::formats::raw::{ByteOrder, Scalar};
use crate::data::volume::Grid;

/// Which NIfTI a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// NIfTI-1.
    One,
    /// NIfTI-2.
    Two,
}

impl Version {
    /// Bytes of the header.
    pub(super) fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }

    /// Version and byte order, from a file's first four bytes.
    pub(super) fn of(path: &Path, raw: &[u8]) -> Result<(Self, ByteOrder)> {
        let size = [raw[0], raw[1], raw[2], raw[3]];
        let (little, big) = (i32::from_le_bytes(size), i32::from_be_bytes(size));
        match (little, big) {
            (348, _) => Ok((Self::One, ByteOrder::Little)),
            (_, 348) => Ok((Self::One, ByteOrder::Big)),
            (540, _) => Ok((Self::Two, ByteOrder::Little)),
            (_, 540) => Ok((Self::Two, ByteOrder::Big)),
            _ => {
                let problem = format!("{little} instead of 348 or 540: not a NIfTI file");
                Err(DataError::header(path, "sizeof_hdr", problem))
            }
        }
    }
}

/// A header that passed every check.
#[derive(Clone, Debug)]
pub struct CheckedHeader {
    /// Canonical grid of the volume.
    pub grid: Grid,
    /// Scalar type of the voxels.
    pub scalar: Scalar,
    /// Order of a number's bytes.
    pub order: ByteOrder,
    /// Intensity = slope·stored + intercept.
    pub slope: f64,
    /// Intensity = slope·stored + intercept.
    pub intercept: f64,
    /// Whether the voxels are in a file of their own.
    pub is_pair: bool,
    /// Bytes before the first voxel.
    pub voxel_offset: u64,
    /// Which NIfTI it is.
    pub version: Version,
    /// The header's bytes.
    pub raw: Vec<u8>,
}

/// The fields that both versions have.
struct Fields {
    dim: [i64; 8],
    datatype: i16,
    pixdim: [f64; 8],
    vox_offset: f64,
    scl_slope: f64,
    scl_inter: f64,
    qform_code: i32,
    sform_code: i32,
    quatern: [f64; 3],
    qoffset: [f64; 3],
    srow: [[f64; 4]; 3],
}

impl CheckedHeader {
    /// Checks the header of the file at `path`.
    pub(super) fn parse(
        path: &Path,
        version: Version,
        order: ByteOrder,
        raw: Vec<u8>,
    ) -> Result<Self> {
        let is_pair = is_pair(path, version, &raw)?;
        let fields = match version {
            Version::One => Fields::nifti_1(path, &raw)?,
            Version::Two => Fields::nifti_2(&raw, order),
        };
        let shape = check_dim(path, &fields.dim)?;
        let scalar = check_datatype(path, fields.datatype)?;
        let (slope, intercept) = check_scaling(path, &fields)?;
        let offset = fields.vox_offset;
        let least = if is_pair { 0 } else { raw.len() + 4 };
        if !(least as f64..1e9).contains(&offset) {
            let problem = format!("{offset} is not the start of the voxels ({least} or more)");
            return Err(DataError::header(path, "vox_offset", problem));
        }
        let (affine, field) = affine(path, &fields, shape)?;
        let grid = Grid::from_stored(shape, affine).ok_or_else(|| {
            let problem = "the affine is not finite or not invertible; set a valid sform";
            DataError::header(path, field, problem)
        })?;
        Ok(Self {
            grid,
            scalar,
            order,
            slope,
            intercept,
            is_pair,
            voxel_offset: offset as u64,
            version,
            raw,
        })
    }

    /// Bytes of the voxels.
    pub fn voxel_bytes(&self) -> usize {
        self.grid.len() * self.scalar.size()
    }
}

impl Fields {
    fn nifti_1(path: &Path, raw: &[u8]) -> Result<Self> {
        let header = NiftiHeader::from_reader(raw)
            .map_err(|e| DataError::header(path, "magic", e.to_string()))?;
        // Extents are signed in the file.
        let dim = header.dim.map(|n| i64::from(n as i16));
        Ok(Self {
            dim,
            datatype: header.datatype,
            pixdim: header.pixdim.map(f64::from),
            vox_offset: f64::from(header.vox_offset),
            scl_slope: f64::from(header.scl_slope),
            scl_inter: f64::from(header.scl_inter),
            qform_code: i32::from(header.qform_code),
            sform_code: i32::from(header.sform_code),
            quatern: [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from),
            qoffset: [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from),
            srow: [header.srow_x, header.srow_y, header.srow_z].map(|row| row.map(f64::from)),
        })
    }

    fn nifti_2(raw: &[u8], order: ByteOrder) -> Self {
        fn at<const N: usize>(raw: &[u8], offset: usize) -> [u8; N] {
            std::array::from_fn(|i| raw[offset + i])
        }
        macro_rules! read {
            ($kind:ty, $offset:expr) => {
                match order {
                    ByteOrder::Little => <$kind>::from_le_bytes(at(raw, $offset)),
                    ByteOrder::Big => <$kind>::from_be_bytes(at(raw, $offset)),
                }
            };
        }
        let float = |offset| read!(f64, offset);
        Self {
            dim: std::array::from_fn(|i| read!(i64, 16 + 8 * i)),
            datatype: read!(i16, 12),
            pixdim: std::array::from_fn(|i| float(104 + 8 * i)),
            vox_offset: read!(i64, 168) as f64,
            scl_slope: float(176),
            scl_inter: float(184),
            qform_code: read!(i32, 344),
            sform_code: read!(i32, 348),
            quatern: [352, 360, 368].map(float),
            qoffset: [376, 384, 392].map(float),
            srow: [400, 432, 464].map(|row| std::array::from_fn(|i| float(row + 8 * i))),
        }
    }
}

/// Whether the voxels are in a file of their own.
fn is_pair(path: &Path, version: Version, raw: &[u8]) -> Result<bool> {
    let magic = match version {
        Version::One => &raw[344..348],
        Version::Two => &raw[4..8],
    };
    match (version, magic) {
        (Version::One, b"n+1\0") | (Version::Two, b"n+2\0") => Ok(false),
        (Version::One, b"ni1\0") | (Version::Two, b"ni2\0") => Ok(true),
        (_, other) => {
            let problem = format!("{other:02x?} instead of \"n+1\" or its like: not a NIfTI file");
            Err(DataError::header(path, "magic", problem))
        }
    }
}

fn check_dim(path: &Path, dim: &[i64; 8]) -> Result<[usize; 3]> {
    let fail = |problem: String| Err(DataError::header(path, "dim", problem));
    let rank = dim[0];
    if !(1..=7).contains(&rank) {
        return fail(format!("dim[0] = {rank} is not a number of dimensions"));
    }
    let used = &dim[1..=rank as usize];
    if used.iter().any(|&n| n < 1) {
        return fail(format!("{used:?} has an empty or negative extent"));
    }
    if rank < 3 || used[3..].iter().any(|&n| n != 1) {
        return fail(format!(
            "{used:?} is not 3-D; split or stack it into 3-D volumes"
        ));
    }
    let shape = [used[0], used[1], used[2]].map(|n| n as u64);
    match checked_shape(shape) {
        Some(shape) => Ok(shape),
        None => fail(format!("{shape:?} is more than a scan has")),
    }
}

/// The code of a scalar type.
pub(super) fn datatype(scalar: Scalar) -> i16 {
    match scalar {
        Scalar::U8 => 2,
        Scalar::I16 => 4,
        Scalar::I32 => 8,
        Scalar::F32 => 16,
        Scalar::F64 => 64,
        Scalar::I8 => 256,
        Scalar::U16 => 512,
        Scalar::U32 => 768,
        Scalar::I64 => 1024,
        Scalar::U64 => 1280,
    }
}

fn check_datatype(path: &Path, code: i16) -> Result<Scalar> {
    let found = Scalar::ALL.into_iter().find(|s| datatype(*s) == code);
    found.ok_or_else(|| {
        let problem = format!("code {code} is not a real scalar type");
        DataError::header(path, "datatype", problem)
    })
}

/// A slope of 0 or one that is not finite means "not scaled".
fn check_scaling(path: &Path, fields: &Fields) -> Result<(f64, f64)> {
    let (slope, intercept) = (fields.scl_slope, fields.scl_inter);
    if slope == 0.0 || !slope.is_finite() {
        return Ok((1.0, 0.0));
    }
    if !intercept.is_finite() {
        let problem = format!("{intercept} with slope {slope}; set it to 0");
        return Err(DataError::header(path, "scl_inter", problem));
    }
    Ok((slope, intercept))
}

/// The sform if set, else the qform, else `pixdim` centred with x to the left, and the name of the
/// field it came from.
fn affine(
    path: &Path,
    fields: &Fields,
    shape: [usize; 3],
) -> Result<([[f64; 4]; 4], &'static str)> {
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    if fields.sform_code > 0 {
        affine[..3].copy_from_slice(&fields.srow);
        return Ok((affine, "srow"));
    }
    let spacing = [1, 2, 3].map(|i| fields.pixdim[i]);
    if spacing.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        let problem = format!("spacing {spacing:?} must be positive");
        return Err(DataError::header(path, "pixdim", problem));
    }
    if fields.qform_code > 0 {
        let handedness = if fields.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let rotation = quaternion_rotation(path, fields.quatern)?;
        for row in 0..3 {
            for column in 0..3 {
                let sign = if column == 2 { handedness } else { 1.0 };
                affine[row][column] = rotation[row][column] * spacing[column] * sign;
            }
            affine[row][3] = fields.qoffset[row];
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
fn quaternion_rotation(path: &Path, [b, c, d]: [f64; 3]) -> Result<[[f64; 3]; 3]> {
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
