//! Files of the cache folder, which belong to adapters and drivers. Losing one costs time alone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::device::Device;

/// What turns our WGSL into what a driver compiles.
const COMPILERS: [(&str, &str); 4] = [
    ("naga", "30.0.2"),
    ("wgpu", "30.0.2"),
    ("wgpu-core", "30.0.2"),
    ("wgpu-hal", "30.0.2"),
];

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

    /// Replaces it as a whole by what `merge` makes of its present text, which may be another process's. No process
    /// reads half of it, and none loses what another adds at the same time.
    pub(super) fn update(&self, merge: impl FnOnce(&str) -> String) {
        let Some(file) = &self.0 else {
            return;
        };
        let update = || {
            file.parent().map_or(Ok(()), fs::create_dir_all)?;
            let lock = File::create(file.with_extension("lock"))?;
            // Where files cannot be locked, what another adds may be lost, and is found again.
            let _ = lock.lock();
            write_whole(file, &merge(&self.read()))
        };
        if let Err(e) = update() {
            log::debug!("cannot keep {}: {e}", file.display());
        }
    }
}

/// Writes a file that appears whole or not at all.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    static WRITTEN: AtomicUsize = AtomicUsize::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let temporary = file.with_extension(format!("{}-{number}.tmp", std::process::id()));
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Everything beside a kernel's text that decides what becomes of it: backend, adapter, driver, the system where it is
/// part of that, and the compilers before the driver's.
pub(super) fn identity(device: &Device) -> String {
    let adapter = &device.adapter;
    let mut parts = vec![
        adapter.info.backend.clone(),
        adapter.info.name.clone(),
        adapter.info.driver.clone(),
    ];
    if cfg!(target_os = "macos") {
        // Metal's compiler comes with the system and tells no version.
        let version = fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist");
        parts.push(format!(
            "macOS {}",
            system_build(&version.unwrap_or_default())
        ));
    }
    parts.extend(COMPILERS.map(|(name, version)| format!("{name} {version}")));
    if device.options.checked {
        parts.push("checked".into());
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join(", ")
}

/// A short name for a text, the same in every build (FNV-1a).
pub(super) fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The build of macOS, such as `25A354`, in its list of versions.
fn system_build(plist: &str) -> &str {
    let value = plist.split("<key>ProductBuildVersion</key>").nth(1);
    let value = value.and_then(|rest| rest.split("<string>").nth(1));
    value
        .and_then(|rest| rest.split("</string>").next())
        .unwrap_or("")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_that_are_built() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
        let lock = fs::read_to_string(lock).unwrap();
        for (name, version) in COMPILERS {
            let entry = format!("name = \"{name}\"\nversion = \"");
            let built = lock
                .split(&entry)
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            assert_eq!(built, Some(version), "{name}");
        }
    }

    #[test]
    fn the_build_of_macos_is_found() {
        let plist = "<dict>\n<key>BuildID</key>\n<string>AB</string>\n<key>ProductBuildVersion</key>\n\
                     \t<string>25A354</string>\n<key>ProductName</key>\n<string>macOS</string>\n</dict>";
        assert_eq!(system_build(plist), "25A354");
        assert_eq!(system_build("<dict></dict>"), "");
    }

    #[test]
    fn nothing_that_others_add_at_the_same_time_is_lost() {
        let folder = std::env::temp_dir().join(format!("samora-cache-{}", std::process::id()));
        let file = folder.join("numbers.txt");
        std::thread::scope(|scope| {
            for number in 0..16 {
                let file = CacheFile(Some(file.clone()));
                scope.spawn(move || {
                    file.update(|text| format!("{text}{number}\n"));
                });
            }
        });
        let text = CacheFile(Some(file)).read();
        let left = folder.read_dir().unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        let mut numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..16).collect::<Vec<_>>());
        assert_eq!(left, 2, "the file and its lock");
    }
}
