//! The bytes of a file's voxels, plain or compressed. No allocation is larger than the file can fill.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use flate2::bufread::{GzDecoder, ZlibDecoder};

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

    /// Goes on at this byte of the file, if it is not further already.
    pub(super) fn skip_to(&mut self, byte: u64) -> Result<()> {
        let failed = |e| DataError::io(&self.path, "read", e);
        let at = self.reader.stream_position().map_err(failed)?;
        let byte = SeekFrom::Start(byte.max(at));
        self.reader.seek(byte).map_err(failed)?;
        Ok(())
    }

    /// Goes on at the last `count` bytes of the file, or what is left of them.
    pub(super) fn skip_to_last(&mut self, count: usize) -> Result<()> {
        self.skip_to(self.bytes.saturating_sub(count as u64))
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
                Box::new(GzipMembers(Some(GzDecoder::new(self.reader)))),
                MAX_DEFLATE_RATIO,
            ),
            Packing::Zlib => (Box::new(ZlibDecoder::new(self.reader)), MAX_DEFLATE_RATIO),
        };
        Unpacked {
            path: self.path,
            reader,
            at: 0,
            at_most: self.bytes.saturating_mul(ratio),
        }
    }
}

/// The members of a gzip file, one after the other. What lies behind them and is none, such as the zeros that tapes
/// leave, is passed over, as gzip does.
struct GzipMembers(Option<GzDecoder<BufReader<File>>>);

impl Read for GzipMembers {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.0.take() {
            let read = member.read(bytes);
            if !matches!(read, Ok(0)) || bytes.is_empty() {
                self.0 = Some(member);
                return read;
            }
            self.0 = next_member(member.into_inner())?;
        }
        Ok(0)
    }
}

fn next_member(mut file: BufReader<File>) -> io::Result<Option<GzDecoder<BufReader<File>>>> {
    while file.fill_buf()?.first() == Some(&0) {
        let zeros = file.buffer().iter().take_while(|byte| **byte == 0);
        let zeros = zeros.count();
        file.consume(zeros);
    }
    let is_member = file.fill_buf()?.first() == Some(&0x1f);
    Ok(is_member.then(|| GzDecoder::new(file)))
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
    /// Bytes read of it.
    at: u64,
    /// The file cannot hold more.
    at_most: u64,
}

impl Unpacked {
    /// Fills `bytes`; says whether there were enough.
    pub(super) fn header(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.at += bytes.len() as u64;
        self.reader.read_exact(bytes)
    }

    /// Whether the file is large enough to hold this many bytes.
    pub(super) fn can_hold(&self, bytes: u64) -> bool {
        bytes <= self.at_most
    }

    /// The `count` bytes from byte `start` on are the voxels', and the last ones but for padding.
    pub(super) fn voxels(self, start: u64, count: usize) -> Result<Voxels> {
        self.made(start, (count, count), |reader| reader)
    }

    /// As [`Unpacked::voxels`], where the voxels take more bytes than are read: of each so many the `part`, `count`
    /// bytes in all.
    pub(super) fn parts(
        self,
        start: u64,
        count: usize,
        (bytes, part): (usize, Range<usize>),
    ) -> Result<Voxels> {
        let all = (count / part.len().max(1)).saturating_mul(bytes);
        self.made(start, (all, count), |reader| {
            Box::new(Parts {
                reader,
                bytes,
                part,
                read: Cursor::default(),
            })
        })
    }

    /// The voxels as `count` bytes that `make` makes of the `all` bytes from byte `start` on.
    fn made(
        self,
        start: u64,
        (all, count): (usize, usize),
        make: impl FnOnce(Box<dyn Read>) -> Box<dyn Read>,
    ) -> Result<Voxels> {
        let is_long_enough = self.can_hold(start.saturating_add(all as u64));
        let skip = start.saturating_sub(self.at);
        let mut reader = self.reader;
        // What is not there to be skipped is missed when the voxels are read.
        let skipped = match is_long_enough {
            true => io::copy(&mut reader.by_ref().take(skip), &mut io::sink()),
            false => Err(io::Error::other("the file is too short")),
        };
        let voxels = Voxels::behind(&self.path, make(reader), count);
        match skipped {
            Ok(_) => Ok(voxels),
            Err(e) => Err(voxels.damaged(e)),
        }
    }
}

/// Of each so many bytes of a reader those of a part.
struct Parts {
    reader: Box<dyn Read>,
    bytes: usize,
    part: Range<usize>,
    /// What was read last of the parts.
    read: Cursor<Vec<u8>>,
}

/// Bytes that are read at a time, of which parts are taken.
const AT_A_TIME: usize = 1 << 18;

impl Read for Parts {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.read.fill_buf()?.is_empty() {
            let mut whole = Vec::new();
            let bytes = self.bytes * (AT_A_TIME / self.bytes).max(1);
            let mut next = self.reader.by_ref().take(bytes as u64);
            next.read_to_end(&mut whole)?;
            let voxels = whole.chunks_exact(self.bytes);
            let parts = voxels.flat_map(|voxel| &voxel[self.part.clone()]);
            self.read = Cursor::new(parts.copied().collect());
        }
        self.read.read(bytes)
    }
}

/// The bytes of a volume's voxels, read from front to back.
pub(super) struct Voxels {
    path: PathBuf,
    bytes: Bytes,
    /// Bytes of all of them.
    count: usize,
    /// Bytes of those read so far.
    read: usize,
}

enum Bytes {
    InMemory(Vec<u8>),
    /// Where they come from, and those that were read last.
    Behind(Box<dyn Read>, Vec<u8>),
}

impl Voxels {
    /// The first `count` bytes of `reader`, the voxels of the file at `path`.
    pub(super) fn behind(path: &Path, reader: Box<dyn Read>, count: usize) -> Self {
        Self {
            path: path.to_owned(),
            bytes: Bytes::Behind(reader, Vec::new()),
            count,
            read: 0,
        }
    }

    /// Voxels of the file at `path` that are in memory already.
    pub(super) fn in_memory(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            count: bytes.len(),
            bytes: Bytes::InMemory(bytes),
            read: 0,
        }
    }

    /// The next `count` bytes.
    pub(super) fn next(&mut self, count: usize) -> Result<&mut [u8]> {
        let start = self.read;
        if let Bytes::Behind(reader, last) = &mut self.bytes {
            last.resize(count, 0);
            while self.read < start + count {
                match reader.read(&mut last[self.read - start..]) {
                    Ok(0) => return Err(self.damaged(format!("{} bytes are there", self.read))),
                    Ok(n) => self.read += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(self.damaged(e)),
                }
            }
        }
        self.read = start + count;
        match &mut self.bytes {
            Bytes::Behind(_, last) => Ok(last),
            Bytes::InMemory(bytes) => Ok(&mut bytes[start..self.read]),
        }
    }

    /// Reads up to the checksum that comes last, which tells damaged voxels from whole ones.
    pub(super) fn end(mut self) -> Result<()> {
        if let Bytes::Behind(reader, _) = &mut self.bytes {
            let rest = io::copy(&mut reader.by_ref().take(1 << 20), &mut io::sink());
            rest.map_err(|e| self.damaged(e))?;
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn all(mut self) -> Result<Vec<u8>> {
        let bytes = self.next(self.count)?.to_vec();
        self.end()?;
        Ok(bytes)
    }

    fn damaged(&self, detail: impl Display) -> DataError {
        let problem = format!(
            "the voxels end early or are damaged ({detail}); {} bytes are promised. Copy the file again",
            self.count
        );
        DataError::content(&self.path, problem)
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
