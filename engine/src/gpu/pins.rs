//! Which variant of each kernel a run keeps to, so that it gives the same bytes after it was interrupted, whatever
//! was measured on the machine meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::cache::write_whole;
use crate::{Error, Result};

/// Variants by kernel, in a file that people can read too.
#[derive(Debug, Default)]
pub(super) struct Pins {
    file: Option<PathBuf>,
    variants: BTreeMap<String, String>,
    changed: bool,
}

impl Pins {
    /// Those of a file, which need not exist; without one nothing is kept.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn load(file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let variants = match fs::read_to_string(path) {
            Ok(text) => ron::from_str(&text).map_err(|e| {
                let message = format!(
                    "does not hold the kernels of this run ({e}); without the file they are chosen anew, which \
                     may change the last digits of results"
                );
                file_error(path, message)
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(file_error(path, format!("cannot be read: {e}"))),
        };
        Ok(Self {
            file: Some(path.to_path_buf()),
            variants,
            changed: false,
        })
    }

    /// The variant that the run keeps to, if the kernel has been chosen before.
    pub(super) fn of(&self, kernel: &str) -> Option<&str> {
        self.variants.get(kernel).map(String::as_str)
    }

    /// Keeps to a variant.
    pub(super) fn keep(&mut self, kernel: &str, variant: &str) {
        if self.file.is_some() && self.of(kernel) != Some(variant) {
            self.variants.insert(kernel.into(), variant.into());
            self.changed = true;
        }
    }

    /// Writes the file if something was added.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub(super) fn save(&self) -> Result<()> {
        let Some(path) = self.file.as_ref().filter(|_| self.changed) else {
            return Ok(());
        };
        let pretty = ron::ser::PrettyConfig::default();
        let text = ron::ser::to_string_pretty(&self.variants, pretty);
        let written = text.map_err(io::Error::other);
        let written = written.and_then(|text| write_whole(path, &text));
        written.map_err(|e| file_error(path, format!("cannot be written: {e}")))
    }
}

fn file_error(path: &Path, message: String) -> Error {
    Error::File {
        path: path.display().to_string(),
        message,
    }
}
