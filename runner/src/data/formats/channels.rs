//! Files of several values in each voxel, of which one is read.

use std::path::Path;

use crate::data::error::{DataError, Result};

/// The values of each voxel of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    /// How many.
    pub(super) count: usize,
    /// How they are stored.
    pub(super) order: Order,
    /// The header's field that tells.
    pub(super) field: &'static str,
}

/// What of several values comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The first value of every voxel: one volume behind the other.
    Volumes,
    /// All values of the first voxel.
    Voxels,
}

impl Channels {
    /// The value that is asked for, counted from 0. A file of one value is channel 0, and the one that its name ends
    /// in, as in `NAME_0001`.
    ///
    /// # Errors
    /// Several values, of which none is asked for, or one that is not there.
    pub(super) fn choose(&self, path: &Path, channel: Option<usize>) -> Result<usize> {
        let count = self.count;
        let refuse = |problem: String| Err(DataError::header(path, self.field, problem));
        let Some(channel) = channel else {
            return match count {
                1 => Ok(0),
                _ => refuse(format!(
                    "{count} values in a voxel, not a slice or a volume; split it into 3-D volumes, or declare it as \
                     `NnUnet(…, channel: …)`, which takes one of them. Of segments in 3D Slicer: Segmentations, \
                     Export to labelmap"
                )),
            };
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = format!("_{channel:04}");
        let is_named = super::stem(&name).is_some_and(|stem| stem.ends_with(&ending));
        match count {
            1 if channel == 0 || is_named => Ok(0),
            1 => refuse(format!(
                "one value in a voxel, channel 0: there is no channel {channel}"
            )),
            _ if channel < count => Ok(channel),
            _ => refuse(format!(
                "{count} values in a voxel, channels 0…{}: there is no channel {channel}",
                count - 1
            )),
        }
    }
}
