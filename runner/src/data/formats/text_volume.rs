//! A volume that a header in text describes, as NRRD's and MetaImage's are: its voxels follow the header or are in a
//! file of their own.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::channels::{Channels, Order};
use super::payload::{Packing, Source, beside};
use super::raw::{ByteOrder, Raw, Scalar};
use crate::data::error::{DataError, Result};
use crate::data::volume::Grid;

/// What a header says.
pub(super) struct TextVolume {
    pub(super) grid: Grid,
    pub(super) scalar: Scalar,
    pub(super) order: ByteOrder,
    pub(super) channels: Channels,
    pub(super) packing: Packing,
    /// The field that names the file of the voxels, and what it says, if they are in one of their own.
    pub(super) data_file: Option<(&'static str, String)>,
    pub(super) start: Start,
}

/// Where the voxels begin in their file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// So many lines and, unpacked, so many bytes on.
    Behind { lines: usize, bytes: u64 },
    /// At this byte of the file.
    At(u64),
    /// They are its last bytes.
    Last,
}

impl TextVolume {
    /// The grid of the volume, or of one of its channels.
    pub(super) fn into_grid(self, path: &Path, channel: Option<usize>) -> Result<Grid> {
        self.channels.choose(path, channel)?;
        Ok(self.grid)
    }

    /// The file that holds the voxels, if they are in one of their own.
    pub(super) fn voxel_file(&self, path: &Path) -> Result<Option<PathBuf>> {
        let named = self.data_file.as_ref();
        named
            .map(|(field, name)| beside(path, field, name))
            .transpose()
    }

    /// The voxels of the volume or of one of its channels, as they are stored. `source` is the file at `path` behind
    /// the header.
    pub(super) fn read(
        self,
        path: &Path,
        mut source: Source,
        channel: Option<usize>,
    ) -> Result<Raw> {
        let channel = self.channels.choose(path, channel)?;
        if let Some(file) = self.voxel_file(path)? {
            source = Source::open(&file)?;
        }
        let size = self.scalar.size();
        let count = self.grid.len() * size;
        let all = count.saturating_mul(self.channels.count);
        let mut before = 0;
        match self.start {
            Start::Behind { lines, bytes } => {
                for _ in 0..lines {
                    let skipped = source.plain().skip_until(b'\n');
                    skipped.map_err(|e| DataError::io(path, "read", e))?;
                }
                before = bytes;
            }
            Start::At(byte) => source.skip_to(byte)?,
            Start::Last => source.skip_to_last(all)?,
        }
        let unpacked = source.packed(self.packing);
        let voxels = match self.channels.order {
            Order::Volumes => {
                let others = (count as u64).saturating_mul(channel as u64);
                unpacked.voxels(before.saturating_add(others), count)?
            }
            Order::Voxels => {
                let voxel = (
                    self.channels.count * size,
                    channel * size..(channel + 1) * size,
                );
                unpacked.parts(before, count, voxel)?
            }
        };
        Ok(Raw {
            path: path.to_owned(),
            grid: self.grid,
            scalar: self.scalar,
            order: self.order,
            voxels,
            slope: 1.0,
            intercept: 0.0,
        })
    }
}
