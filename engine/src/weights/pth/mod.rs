//! PyTorch's `.pth` and `.pt` files, read without executing them.

mod archive;
mod legacy;
mod literal;
mod pickle;
mod reader;
mod rebuild;
mod state;
#[cfg(test)]
mod tests;
mod write;

use std::ops::Range;

pub(super) use archive::zip_contents;
pub(super) use legacy::{is_legacy, legacy_contents};
pub use write::{Item, write_torch};

use super::file::Contents;
use pickle::{Object, Pickle};
use rebuild::Storage;

/// The tensors of a state dict, given where its storages are in the file.
///
/// # Errors
/// See [`state::state`]; a storage that is missing or too small.
fn contents(
    pickle: &Pickle,
    mut place: impl FnMut(&str, &Storage) -> Result<Range<u64>, String>,
) -> Result<Contents, String> {
    let state = state::state(pickle)?;
    let mut contents = Contents {
        metadata: state.metadata,
        ..Contents::default()
    };
    for (name, id) in state.tensors {
        let Object::Tensor(view) = &pickle.objects[id] else {
            continue;
        };
        let Some(storage) = view.storage(&pickle.objects) else {
            continue;
        };
        let entry = place(storage.key(&pickle.objects), storage)
            .and_then(|range| view.entry(storage, &range))
            .map_err(|message| format!("tensor {name} {message}"))?;
        contents.entries.insert(name, entry);
    }
    Ok(contents)
}
