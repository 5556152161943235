//! What was learnt of data earlier: a file in the folder for decoded data, which may be deleted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::dataset::Dataset;
use crate::data::layout::Case;
use crate::data::survey::{Facts, read};
use crate::file_hash::{FileHashes, hex};
use crate::whole_file::write_whole;

const FILE: &str = "known.json";
/// Raise it whenever reading finds other facts than before.
const READING: u32 = 1;

/// Hashes of files, and facts of cases by all that decides them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Known {
    #[serde(skip)]
    path: Option<PathBuf>,
    hashes: FileHashes,
    facts: Mutex<BTreeMap<String, Facts>>,
}

impl Known {
    /// What is known in the folder `cache`. Nothing, if it cannot be read: then all is read again.
    pub fn of(cache: &Path) -> Self {
        let path = cache.join(FILE);
        let bytes = std::fs::read(&path).unwrap_or_default();
        let known: Self = serde_json::from_slice(&bytes).unwrap_or_default();
        Self {
            path: Some(path),
            ..known
        }
    }

    /// Hashes of files.
    pub fn hashes(&self) -> &FileHashes {
        &self.hashes
    }

    /// What the files of a case hold, read only if they have changed. What makes a case unusable is looked at
    /// each time.
    pub(super) fn facts(&self, data: &Dataset, case: usize) -> Facts {
        let key = data
            .cases()
            .get(case)
            .and_then(|found| self.key(data, found));
        let Some(key) = key else {
            return read(data, case);
        };
        let facts = || self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = facts().get(&key) {
            return known.clone();
        }
        let found = read(data, case);
        if found.problems.is_empty() {
            facts().insert(key, found.clone());
        }
        found
    }

    /// Writes what is known. A folder that cannot be written costs time alone.
    pub(super) fn save(&self) {
        let Some(path) = &self.path else { return };
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let json = serde_json::to_vec(self).map_err(std::io::Error::from);
        let written = folder.and(json).and_then(|json| write_whole(path, &json));
        if let Err(e) = written {
            log::warn!("{}: cannot be written: {e}", path.display());
        }
    }

    fn key(&self, data: &Dataset, case: &Case) -> Option<String> {
        let image = self.hashes.of_scan(&case.image).ok()?;
        let label = case.label.as_ref().map(|label| self.hashes.of_scan(label));
        let label = label.transpose().ok()?;
        let text = format!(
            "{READING} {} {image} {label:?} {:?} {:?} {:?} {} {:?}",
            env!("CARGO_PKG_VERSION"),
            data.arrays(),
            data.intensity(),
            data.label_values(),
            data.classes().len(),
            data.source().slice_axis()
        );
        Some(hex(&Sha256::digest(text)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::data::formats::nifti;
    use crate::data::source::Source;
    use crate::data::volume::{Grid, Volume};

    #[test]
    fn files_that_have_not_changed_are_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (images, cache) = (folder.path().join("images"), folder.path().join("cache"));
        std::fs::create_dir(&images).unwrap();
        let write = |add: f32, age: u64| {
            let path = images.join("a.nii");
            let grid = Grid::axis_aligned([4, 3, 2], [1.0; 3]);
            let voxels = (0..24).map(|i| i as f32 + add).collect();
            nifti::write(&path, &Volume::new(grid, voxels, PathBuf::new()).unwrap()).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + age);
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(time).unwrap();
        };
        let look = || {
            let source: Source = ron::from_str(&format!("Images(roots: [{images:?}])")).unwrap();
            let known = Known::of(&cache);
            let facts = known.facts(&Dataset::open(&source, 0).unwrap(), 0);
            known.save();
            facts
        };
        write(0.0, 0);
        let first = look();
        assert_eq!(first.intensity, (0.0, 23.0));
        assert_eq!(look(), first);
        // Nobody can tell that the file is another, so that this shows what is read.
        write(5.0, 0);
        assert_eq!(look(), first);
        write(5.0, 1);
        assert_eq!(look().intensity, (5.0, 28.0));
        std::fs::write(cache.join(FILE), "damaged").unwrap();
        assert_eq!(look().intensity, (5.0, 28.0));
    }
}
