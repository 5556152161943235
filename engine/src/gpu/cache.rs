//! Files of the cache folder, which belong to adapters and drivers. Losing one costs time alone.

use std::fs;
use std::path::PathBuf;

use super::device::Device;

/// A file of the cache folder.
#[derive(Debug)]
pub(super) struct CacheFile(Option<PathBuf>);

impl CacheFile {
    /// The file of that name; none where nothing is kept.
    pub(super) fn of(device: &Device, name: &str) -> Self {
        let folder = device.options.cache.as_ref();
        Self(folder.map(|folder| folder.join(name)))
    }

    /// Its text; one that cannot be read is empty.
    pub(super) fn read(&self) -> String {
        let text = self
            .0
            .as_ref()
            .and_then(|file| fs::read_to_string(file).ok());
        text.unwrap_or_default()
    }

    /// Replaces it as a whole, so that no other process reads half of it.
    pub(super) fn replace(&self, text: &str) {
        let Some(file) = &self.0 else {
            return;
        };
        let temporary = file.with_extension("tmp");
        let written = file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&temporary, text))
            .and_then(|()| fs::rename(&temporary, file));
        if let Err(e) = written {
            log::debug!("cannot keep {}: {e}", file.display());
        }
    }
}

/// The adapter and driver that what is kept is true of.
pub(super) fn identity(device: &Device) -> String {
    format!("{} {}", device.adapter.name, device.adapter.driver)
}
