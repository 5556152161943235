//! Arrays of HDF5 files: UA-MT's left atria and TransUNet's Synapse test volumes.

use std::io::{self, Read};
use std::path::Path;

use hdf5_pure::{Dataset, Datatype, DatatypeByteOrder, File, FileBuilder};

use super::element::Element;
use super::payload::{MAX_DEFLATE_RATIO, Voxels};
use super::raw::{ByteOrder, Raw, Scalar};
use super::{ArrayAxes, Arrays, Role, array_grid};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// The grid of the image or the label map.
pub(super) fn read_grid(path: &Path, role: Role, arrays: Arrays) -> Result<Grid> {
    open(path, role, arrays).map(|(grid, _)| grid)
}

/// The voxels as they are stored.
pub(super) fn read(path: &Path, role: Role, arrays: Arrays) -> Result<Raw> {
    let (grid, dataset) = open(path, role, arrays)?;
    let unreadable = |e| unreadable(path, &e);
    let datatype = dataset.datatype().map_err(unreadable)?;
    let Some((element, order)) = element(&datatype) else {
        let found = dataset.dtype().map_err(unreadable)?;
        let problem = format!("has an array of {found}, not of numbers");
        return Err(DataError::content(path, problem));
    };
    let promised = grid.len() * element.size();
    check_room(path, &dataset, element, promised)?;
    let is_chunked = dataset.chunk_shape().map_err(unreadable)?.is_some();
    let (scalar, order, voxels) = match element {
        Element::Scalar(scalar) if !is_chunked => {
            let rows = Box::new(Rows::of(dataset));
            (scalar, order, Voxels::behind(path, rows, promised))
        }
        // Rows may share chunks, and each would be unpacked for every row.
        _ => {
            let bytes = dataset.read_raw().map_err(unreadable)?;
            if bytes.len() != promised {
                let problem = "holds fewer values than it promises; copy it again";
                return Err(DataError::content(path, problem));
            }
            let (scalar, order, bytes) = element.scalars(order, bytes);
            (scalar, order, Voxels::in_memory(path, bytes))
        }
    };
    Ok(Raw {
        path: path.to_owned(),
        grid,
        scalar,
        order,
        voxels,
        slope: 1.0,
        intercept: 0.0,
    })
}

/// Writes an image and its label map as the arrays `image` and `label`, with axes (z, y, x) or, as UA-MT
/// has them, (x, y, z), of which each runs as the volumes' grid says that files store it.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, image: &Volume<f32>, label: &Volume<u8>, axes: ArrayAxes) -> Result<()> {
    let [x, y, z] = image.grid.stored_shape();
    let shape = match axes {
        ArrayAxes::Zyx => [z, y, x],
        ArrayAxes::Xyz => [x, y, z],
    };
    let shape = shape.map(|n| n as u64);
    let mut file = FileBuilder::new();
    file.create_dataset("image")
        .with_f32_data(&ordered(image, axes))
        .with_shape(&shape);
    file.create_dataset("label")
        .with_u8_data(&ordered(label, axes))
        .with_shape(&shape);
    file.write(path)
        .map_err(|e| DataError::content(path, format!("cannot be written: {e}")))
}

fn ordered<T: Copy>(volume: &Volume<T>, axes: ArrayAxes) -> Vec<T> {
    let [nx, ny, nz] = volume.grid.stored_shape();
    let stored = volume.to_stored();
    match axes {
        ArrayAxes::Zyx => stored,
        ArrayAxes::Xyz => (0..nx * ny * nz)
            .map(|i| stored[i / (ny * nz) + nx * (i / nz % ny + ny * (i % nz))])
            .collect(),
    }
}

/// Type and byte order of an array's elements, if they are numbers. Booleans are names for 0 and 1, or bits.
fn element(datatype: &Datatype) -> Option<(Element, ByteOrder)> {
    let (element, order) = match datatype {
        Datatype::Enumeration { base_type, .. } => return element(base_type),
        Datatype::FloatingPoint {
            size: 2,
            byte_order,
            layout,
        } if layout.exponent_size == 5 => (Element::Half, byte_order),
        Datatype::FloatingPoint {
            size, byte_order, ..
        } => match size {
            4 => (Element::Scalar(Scalar::F32), byte_order),
            8 => (Element::Scalar(Scalar::F64), byte_order),
            _ => return None,
        },
        Datatype::FixedPoint {
            size,
            byte_order,
            layout,
        } => {
            let scalar = match (size, layout.signed) {
                (1, false) => Scalar::U8,
                (1, true) => Scalar::I8,
                (2, false) => Scalar::U16,
                (2, true) => Scalar::I16,
                (4, false) => Scalar::U32,
                (4, true) => Scalar::I32,
                (8, false) => Scalar::U64,
                (8, true) => Scalar::I64,
                _ => return None,
            };
            (Element::Scalar(scalar), byte_order)
        }
        Datatype::BitField {
            size: 1,
            byte_order,
            ..
        } => (Element::Scalar(Scalar::U8), byte_order),
        _ => return None,
    };
    let order = match order {
        DatatypeByteOrder::BigEndian => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    Some((element, order))
}

/// The bytes of an array that lies in one piece, read along its first axis.
struct Rows {
    dataset: Dataset,
    next: u64,
    row: Vec<u8>,
    /// Bytes taken of it.
    taken: usize,
}

impl Rows {
    fn of(dataset: Dataset) -> Self {
        Self {
            dataset,
            next: 0,
            row: Vec::new(),
            taken: 0,
        }
    }
}

impl Read for Rows {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.row.len() {
            let row = self.dataset.read_raw_rows(self.next, 1);
            self.row = row.map_err(io::Error::other)?;
            self.next += 1;
            self.taken = 0;
        }
        let count = (&self.row[self.taken..]).read(bytes)?;
        self.taken += count;
        Ok(count)
    }
}

/// Fails where the file cannot hold the values or a chunk that it promises, or has a chunk outside of its array or
/// that ends beyond the file: the library makes room for all values and for chunks as they are stored, and walks
/// through whole chunks, whether they are there or not.
fn check_room(path: &Path, dataset: &Dataset, element: Element, promised: usize) -> Result<()> {
    let unreadable = |e| unreadable(path, &e);
    let shape = dataset.shape().map_err(unreadable)?;
    let chunk = dataset.chunk_shape().map_err(unreadable)?;
    let chunk = chunk.unwrap_or_default().into_iter();
    let chunk = chunk.fold(element.size() as u64, u64::saturating_mul);
    let (most, size) = (chunk.max(promised as u64), file_size(path)?);
    if most > size.saturating_mul(MAX_DEFLATE_RATIO) {
        let problem =
            format!("promises {most} bytes of values, its {size} cannot hold them; copy it again");
        return Err(DataError::content(path, problem));
    }
    // Not every kind of index can be listed.
    let chunks = dataset.chunks().unwrap_or_default();
    let outside = |offset: &[u64]| offset.iter().zip(&shape).any(|(at, size)| at >= size);
    if let Some(chunk) = chunks.iter().find(|chunk| outside(&chunk.offset)) {
        let at = &chunk.offset;
        let problem = format!("has a chunk at {at:?} of an array of {shape:?}; copy it again");
        return Err(DataError::content(path, problem));
    }
    let end = chunks
        .iter()
        .map(|c| c.address.saturating_add(c.storage_size));
    match end.max().filter(|end| *end > size) {
        Some(end) => {
            let problem = format!("has a chunk up to byte {end} of its {size}; copy it again");
            Err(DataError::content(path, problem))
        }
        None => Ok(()),
    }
}

fn open(path: &Path, role: Role, arrays: Arrays) -> Result<(Grid, Dataset)> {
    file_size(path)?;
    let unreadable = |e| unreadable(path, &e);
    let file = File::open_streaming(path).map_err(unreadable)?;
    let names = file.root().datasets().map_err(unreadable)?;
    let name = role.choose(path, &names)?;
    let dataset = file.dataset(&name).map_err(unreadable)?;
    let shape = dataset.shape().map_err(unreadable)?;
    Ok((array_grid(path, &shape, arrays)?, dataset))
}

fn file_size(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, "read", e))?;
    Ok(metadata.len())
}

fn unreadable(path: &Path, error: &hdf5_pure::Error) -> DataError {
    DataError::content(path, format!("cannot be read as HDF5: {error}"))
}
