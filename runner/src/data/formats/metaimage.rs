//! MetaImage volumes (`.mha`, and `.mhd` with a data file): plain or zlib, either byte order. Keys as
//! in <https://itk.org/Wiki/ITK/MetaIO/Documentation>.

use std::io::BufRead;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::channels::{Channels, Order};
use super::payload::{Packing, Source};
use super::raw::{ByteOrder, Raw, Sample, Scalar, bytes_of};
use super::text_header::{LPS, Lines, TextHeader};
use super::text_volume::{Start, TextVolume};
use super::write::write_file;
use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Volume};

/// The grid alone, of the volume or of one of its channels.
pub(super) fn read_grid(path: &Path, channel: Option<usize>) -> Result<Grid> {
    header(path, &mut Source::open(path)?)?.into_grid(path, channel)
}

/// The file that holds the voxels, if they are in one of their own.
pub(super) fn voxel_file(path: &Path) -> Result<Option<PathBuf>> {
    header(path, &mut Source::open(path)?)?.voxel_file(path)
}

/// The voxels of the volume or of one of its channels, as they are stored.
pub(super) fn read(path: &Path, channel: Option<usize>) -> Result<Raw> {
    let mut source = Source::open(path)?;
    header(path, &mut source)?.read(path, source, channel)
}

/// Writes a volume in its grid's own orientation: as one `.mha` file, or as an `.mhd` file and a `.raw`
/// file beside it. Files appear whole or not at all.
///
/// # Errors
/// A file cannot be written.
pub fn write<T: Sample>(path: &Path, volume: &Volume<T>) -> Result<()> {
    let grid = &volume.grid;
    let voxels = bytes_of(&volume.to_stored());
    let is_single = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("mha"));
    let raw = written_voxels(path);
    let data_file = match is_single {
        true => "LOCAL".into(),
        false => raw.file_name().unwrap_or_default().to_string_lossy(),
    };
    // RAS to LPS.
    let lps = |row: usize, column: usize| LPS[row] * grid.stored_affine[row][column];
    let lengths = [0, 1, 2].map(|c| (0..3).map(|r| lps(r, c).powi(2)).sum::<f64>().sqrt());
    let list = |numbers: &mut dyn Iterator<Item = f64>| {
        numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
    };
    let [x, y, z] = grid.stored_shape();
    let header = format!(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n\
         CompressedData = False\nTransformMatrix = {}\nOffset = {}\nElementSpacing = {}\n\
         DimSize = {x} {y} {z}\nElementType = {}\nElementDataFile = {data_file}\n",
        list(&mut (0..9).map(|i| lps(i % 3, i / 3) / lengths[i / 3])),
        list(&mut (0..3).map(|row| lps(row, 3))),
        list(&mut lengths.into_iter()),
        type_name(T::SCALAR),
    );
    if is_single {
        return write_file(path, &[header.as_bytes(), &voxels].concat());
    }
    write_file(&raw, &voxels)?;
    write_file(path, header.as_bytes())
}

/// Where [`write`] puts the voxels of an `.mhd` file.
pub(super) fn written_voxels(path: &Path) -> PathBuf {
    path.with_extension("raw")
}

fn type_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::U8 => "MET_UCHAR",
        Scalar::I8 => "MET_CHAR",
        Scalar::U16 => "MET_USHORT",
        Scalar::I16 => "MET_SHORT",
        Scalar::U32 => "MET_UINT",
        Scalar::I32 => "MET_INT",
        Scalar::U64 => "MET_ULONG_LONG",
        Scalar::I64 => "MET_LONG_LONG",
        Scalar::F32 => "MET_FLOAT",
        Scalar::F64 => "MET_DOUBLE",
    }
}

/// The header's values by key.
struct Keys<'a>(TextHeader<'a>);

/// Reads the header; the source is then at the voxels, if they are in the same file.
fn header(path: &Path, source: &mut Source) -> Result<TextVolume> {
    let keys = Keys::read(path, source.plain())?;
    let extents: Vec<u64> = keys.numbers("DimSize")?;
    let dimension = extents.len();
    let (shape, channels) = match extents.as_slice() {
        [volume @ .., 1] if dimension == 4 => (volume, keys.values()?),
        [volume @ .., volumes] if dimension == 4 => (volume, keys.volumes(*volumes)?),
        volume => (volume, keys.values()?),
    };
    let shape = keys.shape("DimSize", shape)?;
    if keys.is_true("BinaryData") == Some(false) {
        let problem = "numbers as text are not read; save the file as binary";
        return Err(keys.refuse("BinaryData", problem));
    }
    let order = ["BinaryDataByteOrderMSB", "ElementByteOrderMSB"];
    let order = match order.into_iter().find_map(|key| keys.is_true(key)) {
        Some(true) => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    let packing = match keys.is_true("CompressedData") {
        Some(true) => Packing::Zlib,
        _ => Packing::Plain,
    };
    let data_file = match keys.get("ElementDataFile") {
        Some("LOCAL" | "Local" | "local") => None,
        Some(name) if name.starts_with("LIST") || name.contains('%') => {
            let problem = format!("`{name}`: one file for each slice is not read; save one file");
            return Err(keys.refuse("ElementDataFile", problem));
        }
        Some(name) => Some(("ElementDataFile", name.to_owned())),
        None => return Err(keys.refuse("ElementDataFile", "is missing")),
    };
    let skip = keys.number::<i64>("HeaderSize")?.unwrap_or(0);
    let start = match (u64::try_from(skip), packing) {
        (Ok(byte), _) => Start::At(byte),
        // What is packed is of a length of its own, and begins here.
        (Err(_), Packing::Zlib) => Start::At(0),
        (Err(_), _) => Start::Last,
    };
    let grid = Grid::from_stored(shape, keys.affine(dimension)?).ok_or_else(|| {
        let problem = "spacing, directions and offset are not finite or not invertible";
        keys.refuse("TransformMatrix", problem)
    })?;
    Ok(TextVolume {
        grid,
        scalar: keys.scalar()?,
        order,
        channels,
        packing,
        data_file,
        start,
    })
}

impl<'a> Deref for Keys<'a> {
    type Target = TextHeader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Keys<'a> {
    fn read(path: &'a Path, reader: impl BufRead) -> Result<Self> {
        let mut keys = TextHeader::new(path);
        let mut lines = Lines::new(path, reader);
        loop {
            let line = lines.next()?;
            let Some((key, value)) = line.as_deref().and_then(|line| line.split_once('=')) else {
                let problem =
                    "is not a MetaImage header, lines of `Key = value` up to ElementDataFile";
                return Err(DataError::content(path, problem));
            };
            keys.insert(key, value);
            // By definition the last one: the voxels may follow.
            if key.trim() == "ElementDataFile" {
                return Ok(Self(keys));
            }
        }
    }

    fn is_true(&self, key: &str) -> Option<bool> {
        self.get(key)
            .map(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// The first of these keys that is there, with its numbers.
    fn first(&self, keys: &[&'static str], count: usize) -> Result<Option<Vec<f64>>> {
        let Some(&key) = keys.iter().find(|key| self.get(key).is_some()) else {
            return Ok(None);
        };
        let numbers = self.numbers(key)?;
        if numbers.len() != count {
            let problem = format!("{} numbers instead of {count}", numbers.len());
            return Err(self.refuse(key, problem));
        }
        Ok(Some(numbers))
    }

    /// Values of each voxel, one behind the other.
    fn values(&self) -> Result<Channels> {
        let field = "ElementNumberOfChannels";
        let count = self.number(field)?.unwrap_or(1);
        self.channels(field, count, Order::Voxels)
    }

    /// Volumes, one behind the other.
    fn volumes(&self, count: u64) -> Result<Channels> {
        if self.values()?.count > 1 {
            let problem = "several values in each voxel of several volumes; save one volume";
            return Err(self.refuse("DimSize", problem));
        }
        self.channels("DimSize", count, Order::Volumes)
    }

    fn scalar(&self) -> Result<Scalar> {
        let name = match self.get("ElementType").unwrap_or_default() {
            "MET_LONG" => "MET_INT",
            "MET_ULONG" => "MET_UINT",
            name => name,
        };
        let found = Scalar::ALL.into_iter().find(|s| type_name(*s) == name);
        found.ok_or_else(|| {
            let problem = format!("`{name}` is not a real scalar type");
            self.refuse("ElementType", problem)
        })
    }

    /// Stored voxels to RAS+ millimetres. The file's millimetres run left, posterior and superior, and
    /// its matrix holds the direction of one axis after the other.
    fn affine(&self, dimension: usize) -> Result<[[f64; 4]; 4]> {
        let spacing = self.first(&["ElementSpacing", "ElementSize"], dimension)?;
        let origin = self.first(&["Offset", "Position", "Origin"], dimension)?;
        let keys = ["TransformMatrix", "Rotation", "Orientation"];
        let directions = self.first(&keys, dimension * dimension)?;
        let mut affine = [[0.0; 4]; 4];
        for (axis, row) in affine.iter_mut().enumerate() {
            row[axis] = 1.0;
        }
        let used = dimension.min(3);
        for row in 0..3 {
            for column in 0..3 {
                let direction = match &directions {
                    Some(matrix) if row < used && column < used => matrix[column * dimension + row],
                    _ => f64::from(u8::from(row == column)),
                };
                let length = spacing.as_ref().and_then(|s| s.get(column)).unwrap_or(&1.0);
                affine[row][column] = LPS[row] * direction * length;
            }
            let start = origin.as_ref().and_then(|o| o.get(row)).unwrap_or(&0.0);
            affine[row][3] = LPS[row] * start;
        }
        Ok(affine)
    }
}
