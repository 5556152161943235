//! One DICOM file: a slice's place in the patient, and its intensities.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use dicom_object::{DefaultDicomObject, Tag};

use super::file::{self, unreadable};
use super::pixels;
use crate::data::error::{DataError, Result};

/// Pixel Data; what is read of a header lies before it.
pub(super) const PIXEL_DATA: Tag = Tag(0x7fe0, 0x0010);

/// Modalities of objects that lie in the patient as scans do, and are computed from them.
const NO_SCANS: [&str; 2] = ["RTDOSE", "SEG"];

/// What a slice says of its series.
pub(super) struct Series {
    /// SeriesInstanceUID.
    pub(super) uid: String,
    /// SeriesNumber.
    pub(super) number: Option<i64>,
    /// SeriesDescription, empty if there is none.
    pub(super) description: String,
}

/// The header of a slice. Vectors are in millimetres left, posterior and superior.
pub(super) struct Slice {
    /// The file.
    pub(super) path: PathBuf,
    /// The scan it belongs to.
    pub(super) series: Series,
    /// Columns and rows.
    pub(super) shape: [u32; 2],
    /// Centre of the first voxel.
    pub(super) position: [f64; 3],
    /// Unit vectors from one column to the next and from one row to the next.
    pub(super) directions: [[f64; 3]; 2],
    /// Millimetres from one column to the next and from one row to the next.
    pub(super) spacing: [f64; 2],
    /// Millimetres to the next slice, as far as one slice can tell.
    pub(super) thickness: f64,
}

impl Slice {
    /// Reads the header; `None` of objects without a place in the patient, such as reports and screenshots, and of
    /// those that are no scans, such as segmentations and doses.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let object = file::open(path, Some(PIXEL_DATA))?;
        let field = Fields {
            path,
            object: &object,
        };
        if NO_SCANS.contains(&field.text("Modality").as_str()) {
            return Ok(None);
        }
        if field.get("ImagePositionPatient").is_none() {
            return match field.get("PerFrameFunctionalGroupsSequence") {
                Some(_) => Err(several_frames(path)),
                None => Ok(None),
            };
        }
        let [row_x, row_y, row_z, column_x, column_y, column_z] =
            field.numbers("ImageOrientationPatient")?;
        // Between rows first.
        let [rows_mm, columns_mm] = field.numbers("PixelSpacing")?;
        let [columns] = field.numbers("Columns")?;
        let [rows] = field.numbers("Rows")?;
        let thickness = ["SpacingBetweenSlices", "SliceThickness"]
            .into_iter()
            .find_map(|name| field.numbers::<1>(name).ok())
            .map_or(1.0, |[thickness]| thickness.abs());
        Ok(Some(Self {
            path: path.to_owned(),
            series: Series {
                uid: field.text("SeriesInstanceUID"),
                number: field.text("SeriesNumber").trim().parse().ok(),
                description: field.text("SeriesDescription"),
            },
            shape: [columns as u32, rows as u32],
            position: field.numbers("ImagePositionPatient")?,
            directions: [[row_x, row_y, row_z], [column_x, column_y, column_z]],
            spacing: [columns_mm, rows_mm],
            thickness: if thickness > 0.0 { thickness } else { 1.0 },
        }))
    }

    /// Unit vector across the slice: column direction × row direction, the way slices are counted.
    pub(super) fn normal(&self) -> [f64; 3] {
        let [a, b] = self.directions;
        [0, 1, 2].map(|axis| {
            let (next, last) = ((axis + 1) % 3, (axis + 2) % 3);
            a[next] * b[last] - a[last] * b[next]
        })
    }

    /// The field in which another slice differs, so that both cannot be of one scan.
    pub(super) fn differs_from(&self, other: &Self) -> Option<&'static str> {
        let far = |a: &[f64], b: &[f64]| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3);
        if self.shape[1] != other.shape[1] {
            return Some("Rows");
        }
        if self.shape[0] != other.shape[0] {
            return Some("Columns");
        }
        let directions = (self.directions.concat(), other.directions.concat());
        if far(&directions.0, &directions.1) {
            return Some("ImageOrientationPatient");
        }
        far(&self.spacing, &other.spacing).then_some("PixelSpacing")
    }

    /// The rescaled intensities as f32, row after row, the least significant byte first.
    pub(super) fn intensities(&self) -> Result<Vec<u8>> {
        let path = self.path.as_path();
        let object = file::open(path, None)?;
        let [columns, rows] = self.shape.map(|n| n as usize);
        let field = Fields {
            path,
            object: &object,
        };
        let whole = |name| field.numbers::<1>(name).map(|[number]| number as u32);
        if field.number_or(1.0, "NumberOfFrames")? != 1.0 {
            return Err(several_frames(path));
        }
        let samples = whole("SamplesPerPixel")?;
        if samples != 1 {
            let problem = format!("{samples} values in a pixel; grey images are read");
            return Err(DataError::header(path, "SamplesPerPixel", problem));
        }
        let (allocated, stored, high) = (
            whole("BitsAllocated")?,
            whole("BitsStored")?,
            whole("HighBit")?,
        );
        let bytes = allocated as usize / 8;
        let is_whole = matches!(allocated, 8 | 16 | 32);
        if !is_whole || high >= allocated || !(1..=high + 1).contains(&stored) {
            let problem = format!("{stored} bits up to bit {high} of {allocated}");
            return Err(DataError::header(path, "BitsStored", problem));
        }
        // Some decoders index where a damaged file ends.
        let decode = AssertUnwindSafe(|| pixels::decode(&object, (columns, rows), bytes));
        let data = catch_unwind(decode)
            .map_err(|_| DataError::header(path, "PixelData", "is damaged; copy the file again"))?
            .map_err(|e| unreadable(path, &*e))?;
        if data.len() < columns * rows * bytes {
            let problem = format!(
                "{} bytes of pixels, {columns}×{rows} need {}: truncated; copy the file again",
                data.len(),
                columns * rows * bytes
            );
            return Err(DataError::header(path, "PixelData", problem));
        }
        let slope = field.number_or(1.0, "RescaleSlope")?;
        let intercept = field.number_or(0.0, "RescaleIntercept")?;
        let is_signed = whole("PixelRepresentation")? == 1;
        let value = |pixel: &[u8]| {
            let mut word = [0; 4];
            word[..bytes].copy_from_slice(pixel);
            // Bits above the highest and below the stored ones may hold something else.
            let top = u32::from_le_bytes(word) << (31 - high);
            match is_signed {
                true => f64::from(top.cast_signed() >> (32 - stored)),
                false => f64::from(top >> (32 - stored)),
            }
        };
        let pixels = data.chunks_exact(bytes).take(columns * rows);
        let intensities = pixels.map(|pixel| (value(pixel) * slope + intercept) as f32);
        Ok(intensities.flat_map(f32::to_le_bytes).collect())
    }
}

fn several_frames(path: &Path) -> DataError {
    let problem = "several slices in one object are not read; convert it to NIfTI";
    DataError::header(path, "NumberOfFrames", problem)
}

struct Fields<'a> {
    path: &'a Path,
    object: &'a DefaultDicomObject,
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&dicom_object::mem::InMemElement> {
        self.object.element_by_name_opt(name).ok().flatten()
    }

    /// The number, or `default` if it is missing or empty.
    fn number_or(&self, default: f64, name: &'static str) -> Result<f64> {
        match self.get(name).map(|element| element.value().multiplicity()) {
            None | Some(0) => Ok(default),
            Some(_) => self.numbers(name).map(|[number]| number),
        }
    }

    /// The value as text, empty if there is none.
    fn text(&self, name: &str) -> String {
        let text = self.get(name).and_then(|element| element.to_str().ok());
        text.unwrap_or_default()
            .trim_end_matches(['\0', ' '])
            .to_owned()
    }

    fn numbers<const N: usize>(&self, name: &'static str) -> Result<[f64; N]> {
        let refused = |problem: String| DataError::header(self.path, name, problem);
        let element = self
            .get(name)
            .ok_or_else(|| refused("is missing, and slices cannot be read without it".into()))?;
        let numbers = element
            .to_multi_float64()
            .map_err(|e| refused(e.to_string()))?;
        let found = numbers.len();
        <[f64; N]>::try_from(numbers)
            .ok()
            .filter(|numbers| numbers.iter().all(|n| n.is_finite()))
            .ok_or_else(|| refused(format!("{found} numbers instead of {N} finite ones")))
    }
}
