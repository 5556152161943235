//! NRRD volumes (`.nrrd`, and `.nhdr` with a data file): raw or gzip, either byte order. Fields as in
//! the format's definition, <https://teem.sourceforge.net/nrrd/format.html>.

mod space;

use std::io::BufRead;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::payload::{Packing, Source};
use super::raw::{ByteOrder, Raw, Sample, Scalar, bytes_of};
use super::text_header::{LPS, Lines, TextHeader};
use super::text_volume::{Start, TextVolume};
use super::write::{gzipped, write_file};
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

/// Writes a volume in its grid's own orientation, as one gzipped `.nrrd` file that appears whole or not
/// at all.
///
/// # Errors
/// The file cannot be written.
pub fn write<T: Sample>(path: &Path, volume: &Volume<T>) -> Result<()> {
    let (grid, scalar) = (&volume.grid, T::SCALAR);
    let [x, y, z] = grid.stored_shape();
    // RAS to LPS.
    let lps = |column: usize| {
        let [x, y, z] = [0, 1, 2].map(|row| LPS[row] * grid.stored_affine[row][column]);
        format!("({x},{y},{z})")
    };
    let header = format!(
        "NRRD0004\ntype: {}\ndimension: 3\nspace: left-posterior-superior\nsizes: {x} {y} {z}\n\
         space directions: {} {} {}\nkinds: domain domain domain\nendian: little\n\
         encoding: gzip\nspace origin: {}\n\n",
        type_name(scalar),
        lps(0),
        lps(1),
        lps(2),
        lps(3),
    );
    let voxels = gzipped(&bytes_of(&volume.to_stored()));
    write_file(path, &[header.as_bytes(), &voxels].concat())
}

fn type_name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::U8 => "uint8",
        Scalar::I8 => "int8",
        Scalar::U16 => "uint16",
        Scalar::I16 => "int16",
        Scalar::U32 => "uint32",
        Scalar::I32 => "int32",
        Scalar::U64 => "uint64",
        Scalar::I64 => "int64",
        Scalar::F32 => "float",
        Scalar::F64 => "double",
    }
}

/// The header's fields by their names.
struct Fields<'a>(TextHeader<'a>);

/// Reads the header; the source is then at the voxels, if they are in the same file.
fn header(path: &Path, source: &mut Source) -> Result<TextVolume> {
    let fields = Fields::read(path, source.plain())?;
    let sizes: Vec<u64> = fields.numbers("sizes")?;
    let dimension: Option<usize> = fields.number("dimension")?;
    if dimension != Some(sizes.len()) {
        let problem = format!("{dimension:?} with {} sizes", sizes.len());
        return Err(fields.refuse("dimension", problem));
    }
    let directions = fields.directions(&sizes)?;
    let (axes, channels) = fields.axes(&sizes, &directions)?;
    let extents: Vec<u64> = axes.iter().map(|axis| sizes[*axis]).collect();
    let shape = fields.shape("sizes", &extents)?;
    let affine = fields.affine(axes.iter().map(|axis| directions[*axis]))?;
    let grid = Grid::from_stored(shape, affine).ok_or_else(|| {
        let problem = "the directions and origin are not finite or not invertible";
        fields.refuse("space directions", problem)
    })?;
    let scalar = fields.scalar()?;
    let order = match (fields.word("endian").as_str(), scalar.size()) {
        ("big", _) => ByteOrder::Big,
        ("little", _) | ("", 1) => ByteOrder::Little,
        (other, _) => {
            let problem = format!("`{other}` instead of little or big");
            return Err(fields.refuse("endian", problem));
        }
    };
    let packing = match fields.word("encoding").as_str() {
        "raw" => Packing::Plain,
        "gzip" | "gz" => Packing::Gzip,
        other => {
            let problem =
                format!("`{other}` instead of raw or gzip; save the file as one of these");
            return Err(fields.refuse("encoding", problem));
        }
    };
    let byte_skip = fields.number("byte skip")?.unwrap_or(0);
    let start = match (u64::try_from(byte_skip), packing) {
        (Ok(bytes), _) => Start::Behind {
            lines: fields.number("line skip")?.unwrap_or(0),
            bytes,
        },
        (Err(_), Packing::Plain) if byte_skip == -1 => Start::Last,
        _ => {
            let problem = format!("{byte_skip}; only raw voxels may be the last bytes, -1");
            return Err(fields.refuse("byte skip", problem));
        }
    };
    let data_file = fields.get("data file");
    Ok(TextVolume {
        grid,
        scalar,
        order,
        channels,
        packing,
        data_file: data_file.map(|name| ("data file", name.to_owned())),
        start,
    })
}

impl<'a> Deref for Fields<'a> {
    type Target = TextHeader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'a> Fields<'a> {
    fn read(path: &'a Path, reader: impl BufRead) -> Result<Self> {
        let mut lines = Lines::new(path, reader);
        let first = lines.next()?.unwrap_or_default();
        if !first.starts_with("NRRD000") {
            let found: String = first.chars().take(8).collect();
            let problem = format!("begins with {found:?} instead of NRRD0001 to NRRD0005");
            return Err(DataError::content(path, problem));
        }
        let mut fields = TextHeader::new(path);
        while let Some(line) = lines.next()?.filter(|line| !line.is_empty()) {
            // `key:=value` is for people, `# …` a comment.
            let is_field = !line.starts_with('#') && !line.contains(":=");
            if let Some((name, value)) = line.split_once(':').filter(|_| is_field) {
                let name = name.trim().to_ascii_lowercase();
                let name = match name.as_str() {
                    "datafile" => "data file",
                    "lineskip" => "line skip",
                    "byteskip" => "byte skip",
                    name => name,
                };
                fields.insert(name, value);
            }
        }
        Ok(Self(fields))
    }

    /// A field of fixed words, which are the same in capitals; empty if there is none.
    fn word(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_ascii_lowercase()
    }

    fn scalar(&self) -> Result<Scalar> {
        Ok(match self.word("type").as_str() {
            "signed char" | "int8" | "int8_t" => Scalar::I8,
            "uchar" | "unsigned char" | "uint8" | "uint8_t" => Scalar::U8,
            "short" | "short int" | "signed short" | "signed short int" | "int16" | "int16_t" => {
                Scalar::I16
            }
            "ushort" | "unsigned short" | "unsigned short int" | "uint16" | "uint16_t" => {
                Scalar::U16
            }
            "int" | "signed int" | "int32" | "int32_t" => Scalar::I32,
            "uint" | "unsigned int" | "uint32" | "uint32_t" => Scalar::U32,
            "longlong"
            | "long long"
            | "long long int"
            | "signed long long"
            | "signed long long int"
            | "int64"
            | "int64_t" => Scalar::I64,
            "ulonglong"
            | "unsigned long long"
            | "unsigned long long int"
            | "uint64"
            | "uint64_t" => Scalar::U64,
            "float" => Scalar::F32,
            "double" => Scalar::F64,
            other => {
                return Err(self.refuse("type", format!("`{other}` is not a real scalar type")));
            }
        })
    }
}
