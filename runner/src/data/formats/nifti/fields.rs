//! The fields of both NIfTI headers. Names and offsets follow `nifti1.h` and `nifti2.h`.

use std::path::Path;

use nifti::NiftiHeader;

use super::header::Version;
use crate::data::error::{DataError, Result};
use crate::data::formats::raw::ByteOrder;

/// The fields that both versions have; lengths are in millimetres.
pub(super) struct Fields {
    pub(super) dim: [i64; 8],
    pub(super) datatype: i16,
    pub(super) pixdim: [f64; 8],
    pub(super) vox_offset: f64,
    pub(super) scl_slope: f64,
    pub(super) scl_inter: f64,
    pub(super) qform_code: i32,
    pub(super) sform_code: i32,
    pub(super) quatern: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [[f64; 4]; 3],
    pub(super) xyzt_units: i32,
}

impl Fields {
    /// Reads the fields of a header.
    pub(super) fn read(
        path: &Path,
        version: Version,
        order: ByteOrder,
        raw: &[u8],
    ) -> Result<Self> {
        let fields = match version {
            Version::One => Self::nifti_1(path, raw)?,
            Version::Two => Self::nifti_2(raw, order),
        };
        Ok(fields.in_millimetres())
    }

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
            xyzt_units: i32::from(header.xyzt_units),
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
            xyzt_units: read!(i32, 500),
        }
    }

    /// Many files leave the unit open, and mean millimetres.
    fn in_millimetres(mut self) -> Self {
        let unit = match self.xyzt_units & 7 {
            1 => 1e3,  // metres
            3 => 1e-3, // micrometres
            _ => return self,
        };
        let sizes = self.pixdim[1..4].iter_mut();
        let places = self.qoffset.iter_mut().chain(self.srow.as_flattened_mut());
        sizes.chain(places).for_each(|length| *length *= unit);
        self
    }
}
