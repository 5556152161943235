//! The bytes of a file's voxels, plain or compressed. No allocation is larger than the file can fill.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::data::error::{DataError, Result};

/// Deflate cannot compress better than this, so a header that claims more is damaged.
pub(super) const MAX_DEFLATE_RATIO: u64 = 1032;

/// An open file.
pub(super) struct Source {
    path: PathBuf,
    reader: BufReader<File>,
    bytes: u64,
}

impl Source {
    /// Opens a file for reading.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io = |e| DataError::io(path, "read", e);
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(DataError::content(path, "is a folder, not a file"));
        }
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(file),
            bytes: metadata.len(),
        })
    }

    /// Size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file as it is, to read a header.
    pub(super) fn plain(&mut self) -> &mut BufReader<File> {
        &mut self.reader
    }

    /// The rest of the file; gzip is recognised by its first bytes.
    pub(super) fn unpacked(mut self) -> Result<Unpacked> {
        let start = self.reader.fill_buf();
        let start = start.map_err(|e| DataError::io(&self.path, "read", e))?;
        let packing = match start.starts_with(&[0x1f, 0x8b]) {
            true => Packing::Gzip,
            false => Packing::Plain,
        };
        Ok(self.packed(packing))
    }

    /// The rest of the file, packed as said.
    pub(super) fn packed(self, packing: Packing) -> Unpacked {
        let (reader, ratio): (Box<dyn Read>, u64) = match packing {
            Packing::Plain => (Box::new(self.reader), 1),
            Packing::Gzip => (
                Box::new(MultiGzDecoder::new(self.reader)),
                MAX_DEFLATE_RATIO,
            ),
            Packing::Zlib => (Box::new(ZlibDecoder::new(self.reader)), MAX_DEFLATE_RATIO),
        };
        Unpacked {
            path: self.path,
            reader,
            at_most: self.bytes.saturating_mul(ratio),
        }
    }
}

/// How a file's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As they are.
    Plain,
    /// With gzip's frame and checksum.
    Gzip,
    /// With zlib's frame and checksum.
    Zlib,
}

/// The unpacked bytes of a file, read from front to back.
pub(super) struct Unpacked {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// The file cannot hold more.
    at_most: u64,
}

impl Unpacked {
    /// Fills `bytes`; says whether there were enough.
    pub(super) fn header(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        self.reader.read_exact(bytes)
    }

    /// Whether the file is large enough to hold this many bytes.
    pub(super) fn can_hold(&self, bytes: u64) -> bool {
        bytes <= self.at_most
    }

    /// Skips `skip` bytes and reads `count`, which must be the last ones but for padding.
    pub(super) fn voxels(mut self, skip: u64, count: usize) -> Result<Vec<u8>> {
        let damaged = |detail: String| {
            let problem = format!(
                "the voxels end early or are damaged ({detail}); {count} bytes are promised. Copy the file again"
            );
            DataError::content(&self.path, problem)
        };
        if !self.can_hold(skip.saturating_add(count as u64)) {
            return Err(damaged("the file is too short".into()));
        }
        let io = |e: std::io::Error| damaged(e.to_string());
        let skipped = std::io::copy(&mut self.reader.by_ref().take(skip), &mut std::io::sink());
        let skipped = skipped.map_err(io)?;
        let mut bytes = Vec::with_capacity(count);
        let mut voxels = self.reader.by_ref().take(count as u64);
        voxels.read_to_end(&mut bytes).map_err(io)?;
        if skipped < skip || bytes.len() < count {
            return Err(damaged(format!("{} bytes are there", bytes.len())));
        }
        // A checksum comes last; reading up to it tells damaged voxels from whole ones.
        let rest = std::io::copy(&mut self.reader.take(1 << 20), &mut std::io::sink());
        rest.map_err(io)?;
        Ok(bytes)
    }
}

/// The file that a header names as its voxels': it must lie in the header's own folder or below it.
pub(super) fn beside(header: &Path, field: &'static str, name: &str) -> Result<PathBuf> {
    let relative = Path::new(name);
    let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.is_empty() || !relative.components().all(inside) {
        let problem =
            format!("`{name}` is not a file beside the header; move it there and name it alone");
        return Err(DataError::header(header, field, problem));
    }
    let file = header.parent().unwrap_or(Path::new("")).join(relative);
    if !file.is_file() {
        let problem = format!(
            "the voxels should be in {}, which is not there",
            file.display()
        );
        return Err(DataError::header(header, field, problem));
    }
    Ok(file)
}
