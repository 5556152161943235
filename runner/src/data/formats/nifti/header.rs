//! NIfTI headers, checked field by field before anything is allocated. Field names and offsets follow
//! `nifti1.h` and `nifti2.h`.

use std::path::Path;

use super::fields::Fields;
use super::qform::{Qform, affine_of};
use crate::data::error::{DataError, Result};
use crate::data::formats::channels::{Channels, Order};
use crate::data::formats::checked_shape;
use crate::data::formats::raw::{ByteOrder, Scalar};
use crate::data::volume::{Grid, Orientation};

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
    /// Canonical grid of the volume, or of each of several.
    pub grid: Grid,
    /// Volumes, one behind the other: channels or points in time.
    pub channels: usize,
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
    /// Whether `vox_offset` is 0, so that the voxels follow the header.
    pub(super) is_offset_unset: bool,
    /// Dimensions of the image: 2 for a slice, else 3.
    pub(super) rank: usize,
    /// Which NIfTI it is.
    pub version: Version,
    /// The header's bytes.
    pub raw: Vec<u8>,
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
        let fields = Fields::read(path, version, order, &raw)?;
        let (shape, channels) = check_dim(path, &fields.dim)?;
        let scalar = check_datatype(path, fields.datatype)?;
        let (slope, intercept) = check_scaling(path, &fields)?;
        let least = if is_pair { 0 } else { raw.len() + 4 };
        let is_offset_unset = !is_pair && fields.vox_offset == 0.0;
        let offset = match is_offset_unset {
            true => least as f64,
            false => fields.vox_offset,
        };
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
            channels,
            scalar,
            order,
            slope,
            intercept,
            is_pair,
            voxel_offset: offset as u64,
            is_offset_unset,
            rank: if fields.dim[0] == 2 { 2 } else { 3 },
            version,
            raw,
        })
    }

    /// The volumes as values of each voxel.
    pub(super) fn several(&self) -> Channels {
        Channels {
            count: self.channels,
            order: Order::Volumes,
            field: "dim",
        }
    }

    /// Bytes of a channel's voxels.
    pub fn voxel_bytes(&self) -> usize {
        self.grid.len() * self.scalar.size()
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

/// Shape of a volume, and how many there are along one further axis.
fn check_dim(path: &Path, dim: &[i64; 8]) -> Result<([usize; 3], usize)> {
    let fail = |problem: String| Err(DataError::header(path, "dim", problem));
    let rank = dim[0];
    if !(1..=7).contains(&rank) {
        return fail(format!("dim[0] = {rank} is not a number of dimensions"));
    }
    let used = &dim[1..=rank as usize];
    if used.iter().any(|&n| n < 1) {
        return fail(format!("{used:?} has an empty or negative extent"));
    }
    let (slice, others) = used.split_at(used.len().min(3));
    let several: Vec<i64> = others.iter().copied().filter(|&n| n > 1).collect();
    let (extents, channels) = match (slice, several.as_slice()) {
        (&[x, y], []) => ([x, y, 1], 1),
        (&[x, y, z], []) => ([x, y, z], 1),
        (&[x, y, z], &[channels]) => ([x, y, z], channels as usize),
        _ => {
            return fail(format!(
                "{used:?} is not a slice or a volume; split or stack it into 3-D volumes"
            ));
        }
    };
    let shape = extents.map(|n| n as u64);
    match checked_shape(shape) {
        Some(shape) => Ok((shape, channels)),
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
/// field it came from. An sform that places no voxel, such as one of zeros, gives way to a qform, as in ITK.
fn affine(
    path: &Path,
    fields: &Fields,
    shape: [usize; 3],
) -> Result<([[f64; 4]; 4], &'static str)> {
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    if fields.sform_code > 0 {
        affine[..3].copy_from_slice(&fields.srow);
        if fields.qform_code <= 0 || Orientation::of(&affine).is_some() {
            return Ok((affine, "srow"));
        }
    }
    // Some programs give a size the sign of a direction; and a slice need not have a thickness.
    let spacing = [0, 1, 2].map(|axis| match (fields.pixdim[1 + axis].abs(), shape[axis]) {
        (0.0, 1) => 1.0,
        (size, _) => size,
    });
    if spacing.iter().any(|s| !s.is_finite() || *s == 0.0) {
        let problem = format!("spacing {spacing:?} must not be 0");
        return Err(DataError::header(path, "pixdim", problem));
    }
    if fields.qform_code > 0 {
        let qform = Qform {
            handedness: if fields.pixdim[0] < 0.0 { -1.0 } else { 1.0 },
            quatern: fields.quatern,
        };
        let affine = affine_of(&qform, spacing, fields.qoffset).ok_or_else(|| {
            let [b, c, d] = fields.quatern;
            let problem = format!("({b}, {c}, {d}) is longer than 1");
            DataError::header(path, "quatern", problem)
        })?;
        return Ok((affine, "quatern"));
    }
    for axis in 0..3 {
        let sign = if axis == 0 { -1.0 } else { 1.0 };
        affine[axis][axis] = spacing[axis] * sign;
        affine[axis][3] = -affine[axis][axis] * (shape[axis] as f64 - 1.0) / 2.0;
    }
    Ok((affine, "pixdim"))
}
