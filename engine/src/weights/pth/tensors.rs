//! Where the tensors of a state dict are in a file.

use std::ops::Range;

use super::object::{Object, Pickle, Storage};
use super::state::state;
use crate::weights::contents::Contents;

/// The tensors of a state dict, given where its storages are in the file.
///
/// # Errors
/// See [`state`]; a storage that is missing or too small.
pub(super) fn contents(
    pickle: &Pickle,
    mut place: impl FnMut(&str, &Storage) -> Result<Range<u64>, String>,
) -> Result<Contents, String> {
    let state = state(pickle)?;
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
