//! Arrays of HDF5 files: UA-MT's left atria and TransUNet's Synapse test volumes.

use std::io::{self, Read};
use std::path::Path;

use hdf5_pure::{DType, Dataset, Datatype, DatatypeByteOrder, File, FileBuilder};

use super::payload::{MAX_DEFLATE_RATIO, Voxels};
use super::raw::{ByteOrder, Raw, Scalar};
use super::{ArrayAxes, Arrays, Role, array_grid};
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// The grid of the image.
pub(super) fn read_grid(path: &Path, arrays: Arrays) -> Result<Grid> {
    open(path, Role::Image, arrays).map(|(grid, _)| grid)
}

/// The voxels as they are stored.
pub(super) fn read(path: &Path, role: Role, arrays: Arrays) -> Result<Raw> {
    let (grid, dataset) = open(path, role, arrays)?;
    let unreadable = |e| unreadable(path, &e);
    let scalar = match dataset.dtype().map_err(unreadable)? {
        DType::U8 => Scalar::U8,
        DType::I8 => Scalar::I8,
        DType::U16 => Scalar::U16,
        DType::I16 => Scalar::I16,
        DType::U32 => Scalar::U32,
        DType::I32 => Scalar::I32,
        DType::U64 => Scalar::U64,
        DType::I64 => Scalar::I64,
        DType::F32 => Scalar::F32,
        DType::F64 => Scalar::F64,
        other => {
            let problem = format!("has an array of {other}, not of numbers");
            return Err(DataError::content(path, problem));
        }
    };
    let order = match dataset.datatype().map_err(unreadable)? {
        Datatype::FixedPoint { byte_order, .. } | Datatype::FloatingPoint { byte_order, .. }
            if byte_order == DatatypeByteOrder::BigEndian =>
        {
            ByteOrder::Big
        }
        _ => ByteOrder::Little,
    };
    let promised = grid.len() * scalar.size();
    check_room(path, &dataset, scalar, promised)?;
    let voxels = match dataset.chunk_shape().map_err(unreadable)? {
        None => Voxels::behind(path, Box::new(Rows::of(dataset)), promised),
        // Rows may share chunks, and each would be unpacked for every row.
        Some(_) => {
            let bytes = dataset.read_raw().map_err(unreadable)?;
            if bytes.len() != promised {
                let problem = "holds fewer values than it promises; copy it again";
                return Err(DataError::content(path, problem));
            }
            Voxels::in_memory(path, bytes)
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
/// has them, (x, y, z), in the volumes' canonical orientation.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, image: &Volume<f32>, label: &Volume<u8>, axes: ArrayAxes) -> Result<()> {
    let [x, y, z] = image.grid.shape;
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
    let [nx, ny, nz] = volume.grid.shape;
    match axes {
        ArrayAxes::Zyx => volume.voxels.clone(),
        ArrayAxes::Xyz => (0..nx * ny * nz)
            .map(|i| volume.voxels[i / (ny * nz) + nx * (i / nz % ny + ny * (i % nz))])
            .collect(),
    }
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
fn check_room(path: &Path, dataset: &Dataset, scalar: Scalar, promised: usize) -> Result<()> {
    let unreadable = |e| unreadable(path, &e);
    let shape = dataset.shape().map_err(unreadable)?;
    let chunk = dataset.chunk_shape().map_err(unreadable)?;
    let chunk = chunk.unwrap_or_default().into_iter();
    let chunk = chunk.fold(scalar.size() as u64, u64::saturating_mul);
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
