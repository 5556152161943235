//! NumPy's `.npy` files, and `.npz` archives of them. A header is one line of text in a fixed form;
//! crates that read all forms of it need a parser generator.
//!
//! Source: `numpy/lib/format.py`, versions 1 to 3.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use samora_engine::Tensor;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::element::Element;
use super::payload::{MAX_DEFLATE_RATIO, Source, Voxels};
use super::raw::{ByteOrder, Raw, Scalar, bytes_of};
use super::write::write_file;
use super::{Arrays, Role, array_grid, volume_of};
use crate::data::error::{DataError, Result};
use crate::data::volume::Grid;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header read; NumPy's own are far below it.
const MAX_HEADER_BYTES: u32 = 1 << 16;

/// Reads an array of exactly this shape, little-endian f32 in C order.
///
/// # Errors
/// A file that cannot be read, is no `.npy` file, or holds another type, order or shape.
pub fn read_tensor(path: &Path, shape: &[usize]) -> Result<Tensor> {
    let mut source = Source::open(path)?;
    let refused = |problem| DataError::content(path, problem);
    let header = Header::read(source.plain()).map_err(refused)?;
    let extents: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    if (header.descr.as_str(), header.is_fortran) != ("<f4", false) || header.shape != extents {
        let problem = format!(
            "holds {}, not {}; save it with np.save(path, np.ascontiguousarray(x, dtype=\"<f4\"))",
            header.text.trim(),
            dictionary(shape)
        );
        return Err(DataError::content(path, problem));
    }
    let bytes = source
        .unpacked()?
        .voxels(0, 4 * shape.iter().product::<usize>())?
        .all()?;
    let words = bytes.as_chunks::<4>().0;
    let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    Ok(Tensor::f32(shape, values))
}

/// How many axes an array has.
///
/// # Errors
/// A file that cannot be read or is no `.npy` file.
pub fn axes(path: &Path) -> Result<usize> {
    let mut source = Source::open(path)?;
    let header = Header::read(source.plain());
    let header = header.map_err(|problem| DataError::content(path, problem))?;
    Ok(header.shape.len())
}

/// Writes an f32 tensor.
///
/// # Errors
/// A file that cannot be written.
pub fn write_tensor(path: &Path, tensor: &Tensor) -> Result<()> {
    write_file(path, &array(&tensor.shape, tensor.as_f32()))
}

/// Writes f32 arrays of one shape as an uncompressed `.npz` archive.
///
/// # Errors
/// A file that cannot be written.
pub fn write_archive(path: &Path, arrays: &[(&str, &[f32])], shape: &[usize]) -> Result<()> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let failed = |e: std::io::Error| DataError::io(path, "write", e);
    for (name, values) in arrays {
        let started = writer.start_file(format!("{name}.npy"), options);
        started.map_err(|e| failed(e.into()))?;
        writer.write_all(&array(shape, values)).map_err(failed)?;
    }
    let bytes = writer.finish().map_err(|e| failed(e.into()))?.into_inner();
    write_file(path, &bytes)
}

/// A `.npy` file.
fn array(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let mut header = dictionary(shape);
    // The numbers begin at a multiple of 64 bytes, after a line feed.
    let before = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(
        ' ',
        before.next_multiple_of(64) - before,
    ));
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(bytes_of(values));
    bytes
}

/// The grid of the image or the label map.
pub(super) fn read_grid(path: &Path, role: Role, arrays: Arrays) -> Result<Grid> {
    with_array(path, role, |header, _, _| header.grid(path, arrays))
}

/// The voxels as they are stored.
pub(super) fn read_volume(path: &Path, role: Role, arrays: Arrays) -> Result<Raw> {
    with_array(path, role, |header, behind, at_most| {
        let grid = header.grid(path, arrays)?;
        let (element, order) = header.element(path)?;
        let count = grid.len() * element.size();
        let ends = |problem: String| {
            let problem =
                format!("{problem}; {count} bytes of numbers are promised. Save it again");
            DataError::content(path, problem)
        };
        if count as u64 > at_most {
            return Err(ends("the file is too short".into()));
        }
        let mut bytes = Vec::with_capacity(count + 1);
        // One byte more is asked for, so that an archive's checksum is compared.
        let read = behind.take(count as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|e| ends(format!("is damaged ({e})")))?;
        if bytes.len() < count {
            return Err(ends(format!("ends after {} bytes", bytes.len())));
        }
        bytes.truncate(count);
        let (scalar, order, bytes) = element.scalars(order, bytes);
        Ok(Raw {
            path: path.to_owned(),
            grid,
            scalar,
            order,
            voxels: Voxels::in_memory(path, bytes),
            slope: 1.0,
            intercept: 0.0,
        })
    })
}

/// Calls `read` with an array's header, its numbers, and the most bytes that these can be.
fn with_array<T>(
    path: &Path,
    role: Role,
    read: impl FnOnce(Header, &mut dyn Read, u64) -> Result<T>,
) -> Result<T> {
    let mut source = Source::open(path)?;
    let refused = |problem| DataError::content(path, problem);
    if !path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("npz"))
    {
        let header = Header::read(source.plain()).map_err(refused)?;
        let at_most = source.bytes();
        return read(header, source.plain(), at_most);
    }
    let broken = |e: ZipError| refused(format!("cannot be read as .npz: {e}; save it again"));
    let mut archive = ZipArchive::new(source.plain()).map_err(broken)?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()))
        .collect();
    let name = format!("{}.npy", role.choose(path, &names)?);
    let mut entry = archive.by_name(&name).map_err(broken)?;
    let at_most = entry.compressed_size().saturating_mul(MAX_DEFLATE_RATIO);
    let header = Header::read(&mut entry).map_err(refused)?;
    read(header, &mut entry, at_most)
}

/// What a `.npy` file says of its array.
struct Header {
    /// The line of text it stands in.
    text: String,
    /// Type and byte order, such as `<f4`.
    descr: String,
    /// Whether the first axis is the fastest.
    is_fortran: bool,
    shape: Vec<u64>,
}

impl Header {
    /// Reads the header; the reader is then at the numbers.
    fn read(file: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        let mut length = [0; 4];
        let not_npy = |_| "is not a NumPy .npy file".to_string();
        file.read_exact(&mut start).map_err(not_npy)?;
        if !start.starts_with(MAGIC) {
            return Err("is not a NumPy .npy file".into());
        }
        let short = if start[6] == 1 { 2 } else { 4 };
        file.read_exact(&mut length[..short]).map_err(not_npy)?;
        let length = u32::from_le_bytes(length);
        if length > MAX_HEADER_BYTES {
            return Err(format!("claims a header of {length} bytes; save it again"));
        }
        let mut text = vec![0; length as usize];
        file.read_exact(&mut text).map_err(not_npy)?;
        let strange = || "has a header that is not NumPy's; save it again".to_string();
        let text = String::from_utf8(text).map_err(|_| strange())?;
        let parsed = Self::parse(&text).ok_or_else(strange)?;
        Ok(Self { text, ..parsed })
    }

    /// Of `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }`; a type of several fields, a list,
    /// has an empty `descr`.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let descr = value("descr")?.strip_prefix('\'').unwrap_or_default();
        let shape = value("shape")?.strip_prefix('(')?;
        let (extents, _) = shape.split_once(')')?;
        let extents = extents.split(',').map(str::trim).filter(|n| !n.is_empty());
        Some(Self {
            text: String::new(),
            descr: descr.split('\'').next()?.into(),
            is_fortran: value("fortran_order")?.starts_with("True"),
            shape: extents.map(|n| n.parse().ok()).collect::<Option<_>>()?,
        })
    }

    /// Where a volume of this array lies.
    fn grid(&self, path: &Path, arrays: Arrays) -> Result<Grid> {
        // In Fortran order the axes lie the other way round.
        let (shape, arrays) = match (self.is_fortran, volume_of(&self.shape)) {
            (false, _) => (self.shape.clone(), arrays),
            (true, volume @ [_, _, _]) => {
                (volume.iter().rev().copied().collect(), arrays.reversed())
            }
            (true, _) => {
                let problem = "is a slice in Fortran order; save it with np.ascontiguousarray";
                return Err(DataError::content(path, problem));
            }
        };
        array_grid(path, &shape, arrays)
    }

    fn element(&self, path: &Path) -> Result<(Element, ByteOrder)> {
        let (order, kind) = match self.descr.split_at_checked(1) {
            Some((">", kind)) => (ByteOrder::Big, kind),
            Some(("<" | "|", kind)) => (ByteOrder::Little, kind),
            _ => (ByteOrder::Little, ""),
        };
        let scalar = match kind {
            "f2" => return Ok((Element::Half, order)),
            "b1" | "u1" => Scalar::U8,
            "i1" => Scalar::I8,
            "u2" => Scalar::U16,
            "i2" => Scalar::I16,
            "u4" => Scalar::U32,
            "i4" => Scalar::I32,
            "u8" => Scalar::U64,
            "i8" => Scalar::I64,
            "f4" => Scalar::F32,
            "f8" => Scalar::F64,
            _ => {
                let problem = format!(
                    "holds {}, not an array of real numbers; save it as one",
                    self.text.trim()
                );
                return Err(DataError::content(path, problem));
            }
        };
        Ok((Element::Scalar(scalar), order))
    }
}

/// What a header says of an f32 array in C order, as NumPy writes it.
fn dictionary(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{comma}), }}",
        extents.join(", ")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn arrays_return_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let tensor = Tensor::f32(&[1, 2, 3], vec![0.0, 1.5, -2.0, 3.0, 4.0, 5.0]);
        write_tensor(&path, &tensor).unwrap();
        assert_eq!(read_tensor(&path, &[1, 2, 3]).unwrap(), tensor);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 128 + 24);
        assert_eq!(bytes[127], b'\n');

        let refused = |shape: &[usize]| read_tensor(&path, shape).unwrap_err().to_string();
        assert!(refused(&[1, 3, 2]).contains("'shape': (1, 3, 2)"));
        std::fs::write(&path, &bytes[..140]).unwrap();
        assert!(refused(&[1, 2, 3]).contains("end early"));
        std::fs::write(&path, b"\x93NUMPY\x02\0\xff\xff\xff\xff").unwrap();
        assert!(refused(&[1, 2, 3]).contains("claims a header"));
        std::fs::write(&path, "text").unwrap();
        assert!(refused(&[1, 2, 3]).contains("not a NumPy"));
    }
}
