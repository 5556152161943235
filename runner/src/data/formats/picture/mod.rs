//! Pictures as volumes of one slice: PNG, JPEG, TIFF and BMP, grey; a TIFF of several pages is a volume of as many
//! slices. Unless more is known, a picture is taken for an axial slice as radiologists see it, with square pixels of
//! 1 mm.

mod palette;
mod tiff;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{DynamicImage, ImageReader};

use super::payload::Voxels;
use super::raw::{ByteOrder, Raw, Scalar};
use super::{ArrayAxes, Arrays, Role, array_grid};
use crate::data::error::{DataError, Result};
use crate::data::volume::Grid;

/// The grid alone.
pub(super) fn read_grid(path: &Path, arrays: Arrays) -> Result<Grid> {
    if let Some(shape) = tiff::shape(path)? {
        return grid(path, shape, arrays);
    }
    let size = open(path)?.into_dimensions();
    let (width, height) = size.map_err(|e| unreadable(path, &e))?;
    grid(path, [width, height, 1], arrays)
}

/// How many pictures a file holds.
pub(super) fn pages(path: &Path) -> Result<u32> {
    Ok(tiff::shape(path)?.map_or(1, |[_, _, pages]| pages))
}

/// The voxels: of a coloured picture its luminance, or, as a label map, an error; of a label map with a palette the
/// numbers of the colours.
pub(super) fn read(path: &Path, role: Role, arrays: Arrays) -> Result<Raw> {
    let grey = match tiff::read_grey(path, role)? {
        None if role == Role::Label => palette::read_indices(path)?,
        grey => grey,
    };
    let Grey {
        shape,
        scalar,
        bytes,
    } = match grey {
        Some(grey) => grey,
        None => decode(path, role)?,
    };
    Ok(Raw {
        path: path.to_owned(),
        grid: grid(path, shape, arrays)?,
        scalar,
        order: ByteOrder::Little,
        voxels: Voxels::in_memory(path, bytes),
        slope: 1.0,
        intercept: 0.0,
    })
}

/// Grey pixels, row after row.
struct Grey {
    /// Columns, rows and pages.
    shape: [u32; 3],
    scalar: Scalar,
    /// The least significant byte first.
    bytes: Vec<u8>,
}

fn decode(path: &Path, role: Role) -> Result<Grey> {
    let picture = open(path)?.decode().map_err(|e| unreadable(path, &e))?;
    let shape = [picture.width(), picture.height(), 1];
    let (scalar, bytes) = match picture {
        DynamicImage::ImageLuma16(grey) => {
            let bytes = grey.into_raw().into_iter().flat_map(u16::to_le_bytes);
            (Scalar::U16, bytes.collect())
        }
        picture if role == Role::Image || is_grey(&picture) => {
            (Scalar::U8, picture.into_luma8().into_raw())
        }
        colours => {
            let problem = format!(
                "has pixels of {:?}; a label map is grey, each pixel the number of its class, or has a palette",
                colours.color()
            );
            return Err(DataError::content(path, problem));
        }
    };
    Ok(Grey {
        shape,
        scalar,
        bytes,
    })
}

/// Whether the pixels are grey, be it written in colours as some formats and programs do.
fn is_grey(picture: &DynamicImage) -> bool {
    match picture {
        DynamicImage::ImageLuma8(_) => true,
        DynamicImage::ImageRgb8(colours) => colours
            .pixels()
            .all(|p| p.0[1..].iter().all(|c| *c == p.0[0])),
        _ => false,
    }
}

fn open(path: &Path) -> Result<ImageReader<BufReader<File>>> {
    let io = |e| DataError::io(path, "read", e);
    ImageReader::open(path)
        .map_err(io)?
        .with_guessed_format()
        .map_err(io)
}

fn grid(path: &Path, pixels: [u32; 3], arrays: Arrays) -> Result<Grid> {
    let [width, height, pages] = pixels.map(u64::from);
    // Rows are y and columns x, whatever the axes of arrays.
    let axes = ArrayAxes::Zyx;
    array_grid(path, &[pages, height, width], Arrays { axes, ..arrays })
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> DataError {
    DataError::content(
        path,
        format!("cannot be read as a picture: {error}; save it again"),
    )
}
