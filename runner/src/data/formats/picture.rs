//! Pictures as volumes of one slice: PNG, JPEG, TIFF and BMP, grey. A picture is taken for an axial
//! slice as radiologists see it, with square pixels of 1 mm.

use std::path::Path;

use image::{DynamicImage, ImageReader};

use super::Role;
use super::checked_shape;
use super::payload::Voxels;
use super::raw::{ByteOrder, Raw, Scalar};
use crate::data::error::{DataError, Result};
use crate::data::volume::Grid;

/// The grid alone.
pub(super) fn read_grid(path: &Path) -> Result<Grid> {
    let size = open(path)?.into_dimensions();
    let (width, height) = size.map_err(|e| unreadable(path, &e))?;
    grid(path, width, height)
}

/// The voxels: of a coloured picture its luminance, or, as a label map, an error.
pub(super) fn read(path: &Path, role: Role) -> Result<Raw> {
    let picture = open(path)?.decode().map_err(|e| unreadable(path, &e))?;
    let grid = grid(path, picture.width(), picture.height())?;
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
                "has pixels of {:?}; a label map is grey, each pixel the number of its class",
                colours.color()
            );
            return Err(DataError::content(path, problem));
        }
    };
    Ok(Raw {
        path: path.to_owned(),
        grid,
        scalar,
        order: ByteOrder::Little,
        voxels: Voxels::in_memory(path, bytes),
        slope: 1.0,
        intercept: 0.0,
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

fn open(path: &Path) -> Result<ImageReader<std::io::BufReader<std::fs::File>>> {
    let io = |e| DataError::io(path, "read", e);
    ImageReader::open(path)
        .map_err(io)?
        .with_guessed_format()
        .map_err(io)
}

fn grid(path: &Path, width: u32, height: u32) -> Result<Grid> {
    const LPS: [[f64; 4]; 4] = [
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, -1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let shape = checked_shape([width.into(), height.into(), 1]);
    let grid = shape.and_then(|shape| Grid::from_stored(shape, LPS));
    grid.ok_or_else(|| DataError::content(path, format!("has {width}×{height} pixels")))
}

fn unreadable(path: &Path, error: &image::ImageError) -> DataError {
    DataError::content(
        path,
        format!("cannot be read as a picture: {error}; save it again"),
    )
}
