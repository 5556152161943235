//! DICOM files: which ones are, and how they are opened. Some begin with the data set, without the file meta
//! information that should come first.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use dicom_object::file::ReadPreamble;
use dicom_object::{DefaultDicomObject, FileMetaTableBuilder, OpenFileOptions, Tag};

use super::lengths;
use crate::data::error::{DataError, Result};
use crate::data::formats::stem;

/// What a file that holds file meta information says before it.
const MARK: &[u8] = b"DICM";
/// Where the mark stands.
const PREAMBLE: usize = 128;

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With a preamble and the mark.
    Preamble,
    /// With the mark.
    Mark,
    /// With file meta information.
    Meta,
    /// With a data set of this transfer syntax, as far as its first element tells.
    DataSet(&'static str),
}

impl Start {
    /// Bytes before the file meta information or, without that, the transfer syntax.
    pub(super) fn before_meta(self) -> Result<u64, &'static str> {
        match self {
            Self::Preamble => Ok((PREAMBLE + MARK.len()) as u64),
            Self::Mark => Ok(MARK.len() as u64),
            Self::Meta => Ok(0),
            Self::DataSet(syntax) => Err(syntax),
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            _ if bytes.get(PREAMBLE..).is_some_and(|b| b.starts_with(MARK)) => Some(Self::Preamble),
            [b'D', b'I', b'C', b'M', ..] => Some(Self::Mark),
            [2, 0, _, 0, b'A'..=b'Z', b'A'..=b'Z', ..] => Some(Self::Meta),
            // The data set of an image begins with group 8: explicit or implicit, little endian.
            [8, 0, _, 0, b'A'..=b'Z', b'A'..=b'Z', ..] => {
                Some(Self::DataSet("1.2.840.10008.1.2.1"))
            }
            [8, 0, _, 0, _, 0, 0, 0, ..] => Some(Self::DataSet("1.2.840.10008.1.2")),
            _ => None,
        }
    }
}

/// Whether the name says that a file is DICOM; exports often have no ending, or the last part of an identifier.
pub(super) fn is_named(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_ascii_lowercase());
    ending.is_some_and(|e| e == "dcm" || e == "ima" || e == "dicom")
}

/// Whether a file is DICOM by its name or, where that is none of another format, by its beginning. The files that
/// macOS leaves beside others and tables of contents are not.
pub(super) fn is_dicom(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with('.') || is_contents(&name) || !path.is_file() {
        return false;
    }
    is_named(path) || (stem(&name).is_none() && matches!(start(path), Ok(Some(Start::Preamble))))
}

/// Whether a file lists what lies on a disc.
pub(super) fn is_contents(name: &str) -> bool {
    name.eq_ignore_ascii_case("DICOMDIR")
}

/// Reads a file, up to an element or all of it.
pub(super) fn open(path: &Path, until: Option<Tag>) -> Result<DefaultDicomObject> {
    let failed = |e| DataError::io(path, "read", e);
    let Some(start) = start(path).map_err(failed)? else {
        let problem = "cannot be read as DICOM: there is no `DICM` after 128 bytes, nor does it begin with a data \
                       set; take it out of the folder if it is something else";
        return Err(DataError::content(path, problem));
    };
    lengths::check(path, start)?;
    let mut options = OpenFileOptions::new();
    if let Some(tag) = until {
        options = options.read_until(tag);
    }
    let opened = match start {
        Start::Preamble => options.open_file(path),
        _ => {
            let file = BufReader::new(File::open(path).map_err(failed)?);
            let whole = Cursor::new(missing(start)).chain(file);
            options
                .read_preamble(ReadPreamble::Never)
                .from_reader(whole)
        }
    };
    opened.map_err(|e| unreadable(path, &e))
}

/// The error of what the library does not read, with all its causes.
pub(super) fn unreadable(path: &Path, error: &dyn std::error::Error) -> DataError {
    let mut problem = format!("cannot be read as DICOM: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        problem += &format!(": {error}");
        cause = error.source();
    }
    DataError::content(path, problem)
}

fn start(path: &Path) -> io::Result<Option<Start>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take((PREAMBLE + MARK.len()) as u64)
        .read_to_end(&mut bytes)?;
    Ok(Start::of(&bytes))
}

/// What should stand before a file that begins so.
fn missing(start: Start) -> Vec<u8> {
    match start {
        Start::Preamble | Start::Mark => Vec::new(),
        Start::Meta => MARK.to_vec(),
        Start::DataSet(syntax) => {
            let mut bytes = MARK.to_vec();
            let meta = FileMetaTableBuilder::new()
                .transfer_syntax(syntax)
                .media_storage_sop_class_uid("")
                .media_storage_sop_instance_uid("");
            // Without it the parser says what it misses; writing to memory does not fail.
            if let Ok(meta) = meta.build() {
                let _ = meta.write(&mut bytes);
            }
            bytes
        }
    }
}
