//! Slices of volumes that do not fit into memory together, in files of decoded planes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::Pod;
use sha2::{Digest, Sha256};

use super::error::{DataError, Result};
use super::formats::Scan;
use super::plane_file::PlaneFile;
use super::room::Room;
use super::slice::{Plane, planes, slice};
use super::source::Axis;
use super::split::SliceId;
use super::volume::{Grid, Volume};
use crate::file_hash::{file_hash, hex};

/// Raise it whenever decoding or scaling gives other values than before: files of an earlier number are
/// then made anew.
const DECODING: u32 = 3;

/// Slices of numbered volumes. Each volume is decoded once, for all runs that share the folder, unless its
/// file, the files it comes from or `facts` change.
pub(super) struct PlaneCache {
    folder: PathBuf,
    axis: Axis,
    facts: String,
    room: Room,
    /// Threads that miss the same file wait for the one that makes it.
    files: Vec<Mutex<Option<PlaneFile>>>,
}

impl PlaneCache {
    /// Slices along `axis` of `count` volumes, in files of `folder`. Decoding takes at most `budget` bytes
    /// (or what one volume needs, if that is more); `facts` are what decides the values beside the files.
    pub(super) fn new(
        folder: &Path,
        axis: Axis,
        facts: String,
        count: usize,
        budget: usize,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            axis,
            facts,
            room: Room::new(budget),
            files: (0..count).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// The folder of its files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A slice of the volume in `scan`, which `decode` decodes and puts where its image's voxels lie, in
    /// `grid`; `None` if it has no such slice.
    ///
    /// # Errors
    /// Those of `decode`, a scan that cannot be read, or a folder that cannot be written.
    pub(super) fn slice<T: Pod + Default>(
        &self,
        id: SliceId,
        (scan, grid): (&Scan, &Grid),
        decode: impl FnOnce() -> Result<Volume<T>>,
    ) -> Result<Option<Plane<T>>> {
        let Some(slot) = self.files.get(id.case) else {
            return Ok(None);
        };
        let shape = grid.shape;
        let file = self.file(&mut lock(slot), scan, grid)?;
        if id.index >= file.shape[0] {
            return Ok(None);
        }
        let read = || {
            let plane = file.read(id.index);
            plane.map_err(|e| DataError::io(&file.path, "read", e))
        };
        if let Some(plane) = read()? {
            return Ok(Some(plane));
        }
        let _making = lock(slot);
        if let Some(plane) = read()? {
            return Ok(Some(plane));
        }
        // Stored values of up to 8 bytes, and twice the decoded ones.
        let voxels: usize = shape.iter().product();
        let _taken = self.room.take(voxels * (8 + 2 * size_of::<T>()));
        let volume = decode()?;
        if volume.grid.shape != shape {
            let problem = format!(
                "holds {:?} voxels where it had {shape:?}; leave data alone while it is in use",
                volume.grid.shape
            );
            return Err(DataError::content(&volume.path, problem));
        }
        self.write(&file, &volume)?;
        Ok(slice(&volume, self.axis, id.index))
    }

    /// The file of a scan, whose name is found on the first call.
    fn file(&self, slot: &mut Option<PlaneFile>, scan: &Scan, grid: &Grid) -> Result<PlaneFile> {
        if let Some(file) = slot {
            return Ok(file.clone());
        }
        let mut key = Sha256::new();
        let version = env!("CARGO_PKG_VERSION");
        // A label map is checked against its image's grid when it is decoded, and only then.
        key.update(format!(
            "{version} {DECODING} {:?} {} {:?} {grid:?}",
            self.axis,
            self.facts,
            scan.channel()
        ));
        for source in scan.files()? {
            let hash = file_hash(&source).map_err(|e| DataError::io(&source, "read", e))?;
            key.update(hash);
        }
        let key: [u8; 32] = key.finalize().into();
        let file = PlaneFile {
            path: self.folder.join(format!("{}.planes", hex(&key))),
            key,
            shape: planes(grid.shape, self.axis),
        };
        Ok(slot.insert(file).clone())
    }

    /// A full disk ends the run. Decoding whole volumes for single slices instead would be many times
    /// slower, for days, and the run's checkpoints go to the same disk.
    fn write<T: Pod + Default>(&self, file: &PlaneFile, volume: &Volume<T>) -> Result<()> {
        let written = std::fs::create_dir_all(&self.folder)
            .and_then(|()| file.write(|index| slice(volume, self.axis, index)));
        written.map_err(|source| DataError::Cache {
            folder: self.folder.clone(),
            source,
        })
    }
}

/// A panic elsewhere leaves a slot either empty or whole, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "plane_cache_tests.rs"]
mod tests;
