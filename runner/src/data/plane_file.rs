//! A file of planes of one size, each of which is one contiguous read.
//!
//! ```text
//! magic      16 bytes
//! key        32 bytes: what the planes were made from and how
//! numbers    4 × u64: bytes of a pixel, planes, rows, columns
//! planes     each its pixels row by row, and their CRC-32
//! ```
//!
//! Numbers are in the machine's own byte order: the file is a cache, and another machine makes its own.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::Pod;

use super::slice::Plane;
use crate::whole_file::write_whole_by;

const MAGIC: &[u8; 16] = b"samora planes 2\n";
const HEADER_BYTES: usize = MAGIC.len() + 32 + 4 * size_of::<u64>();

/// Where a file of planes is or will be, and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaneFile {
    /// The file.
    pub(super) path: PathBuf,
    /// What the planes are made from and how.
    pub(super) key: [u8; 32],
    /// Planes, rows and columns.
    pub(super) shape: [usize; 3],
}

impl PlaneFile {
    /// Writes `plane(index)` of every index. The file appears whole or not at all, whoever else writes
    /// it at the same time.
    ///
    /// # Errors
    /// A full disk, a folder that cannot be written, or planes of other sizes.
    pub(super) fn write<T: Pod>(&self, plane: impl Fn(usize) -> Option<Plane<T>>) -> Result<()> {
        static WRITTEN: AtomicUsize = AtomicUsize::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let mut temporary = self.path.as_os_str().to_owned();
        temporary.push(format!(".{}.{number}.partial", process::id()));
        let [planes, height, width] = self.shape;
        write_whole_by(&self.path, Path::new(&temporary), |file| {
            file.write_all(&self.header::<T>())?;
            for index in 0..planes {
                let plane = plane(index).filter(|p| [p.height, p.width] == [height, width]);
                let plane = plane.ok_or_else(|| Error::other("planes of one file are alike"))?;
                let bytes = bytemuck::cast_slice(&plane.pixels);
                file.write_all(bytes)?;
                file.write_all(&crc32fast::hash(bytes).to_ne_bytes())?;
            }
            Ok(())
        })
    }

    /// Plane `index`; `None` if the file is missing, damaged, or holds something else.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(super) fn read<T: Pod>(&self, index: usize) -> Result<Option<Plane<T>>> {
        match self.pixels(index) {
            Ok(pixels) => Ok(pixels.map(|pixels| Plane {
                height: self.shape[1],
                width: self.shape[2],
                pixels,
            })),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::UnexpectedEof
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// The file is opened anew for every plane: a data set has more cases than a process may have open
    /// files.
    fn pixels<T: Pod>(&self, index: usize) -> Result<Option<Vec<T>>> {
        let [planes, height, width] = self.shape;
        let plane_bytes = height * width * size_of::<T>() + size_of::<u32>();
        let file_bytes = HEADER_BYTES + planes * plane_bytes;
        let mut file = File::open(&self.path)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header)?;
        if header != self.header::<T>() || file.metadata()?.len() != file_bytes as u64 {
            return Ok(None);
        }
        file.seek(SeekFrom::Start((HEADER_BYTES + index * plane_bytes) as u64))?;
        let mut pixels = vec![T::zeroed(); height * width];
        let mut checksum = [0; size_of::<u32>()];
        file.read_exact(bytemuck::cast_slice_mut(&mut pixels))?;
        file.read_exact(&mut checksum)?;
        let is_whole = crc32fast::hash(bytemuck::cast_slice(&pixels)).to_ne_bytes() == checksum;
        Ok(is_whole.then_some(pixels))
    }

    fn header<T>(&self) -> [u8; HEADER_BYTES] {
        let [planes, height, width] = self.shape;
        let numbers = [size_of::<T>(), planes, height, width].map(|n| n as u64);
        let mut header = [0; HEADER_BYTES];
        let (magic, rest) = header.split_at_mut(MAGIC.len());
        let (key, rest) = rest.split_at_mut(self.key.len());
        magic.copy_from_slice(MAGIC);
        key.copy_from_slice(&self.key);
        rest.copy_from_slice(bytemuck::cast_slice(&numbers));
        header
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    fn plane(index: usize) -> Option<Plane<f32>> {
        Some(Plane::from_fn(3, 4, |r, c| {
            (100 * index + 10 * r + c) as f32
        }))
    }

    fn written(folder: &Path) -> PlaneFile {
        let file = PlaneFile {
            path: folder.join("a.planes"),
            key: [7; 32],
            shape: [2, 3, 4],
        };
        file.write(plane).unwrap();
        file
    }

    #[test]
    fn planes_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        for index in 0..2 {
            assert_eq!(file.read(index).unwrap(), plane(index));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn missing_truncated_damaged_and_foreign_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path());
        let whole = fs::read(&file.path).unwrap();
        let lost = || file.read::<f32>(0).unwrap().is_none();
        for length in [0, 5, HEADER_BYTES, HEADER_BYTES + 20, whole.len() - 1] {
            fs::write(&file.path, &whole[..length]).unwrap();
            assert!(lost(), "{length} bytes");
        }
        fs::write(&file.path, [&whole[..], b"x"].concat()).unwrap();
        assert!(lost(), "too long");
        for place in [0, 20, 50, HEADER_BYTES + 9] {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            fs::write(&file.path, damaged).unwrap();
            assert!(lost(), "byte {place}");
        }
        fs::write(&file.path, &whole).unwrap();
        assert!(!lost());
        assert!(
            file.read::<u32>(0).unwrap().is_some(),
            "same size of pixels"
        );
        assert!(file.read::<u8>(0).unwrap().is_none());
        for other in [
            PlaneFile {
                key: [8; 32],
                ..file.clone()
            },
            PlaneFile {
                shape: [2, 4, 3],
                ..file.clone()
            },
        ] {
            assert!(other.read::<f32>(0).unwrap().is_none());
        }
        fs::remove_file(&file.path).unwrap();
        assert!(lost(), "missing");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = PlaneFile {
            shape: [3, 3, 4],
            ..written(folder.path())
        };
        assert!(
            file.write(|index| plane(index).filter(|_| index < 2))
                .is_err()
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
