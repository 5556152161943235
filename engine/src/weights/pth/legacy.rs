//! The files that `torch.save` wrote before PyTorch 1.6: pickles of a magic number, a version, the
//! machine, the object and the keys of its storages, then each storage as a count and its elements.

use std::collections::HashMap;
use std::ops::Range;

use super::object::{Object, Pickle, Storage};
use super::pickle;
use super::tensors::contents;
use crate::weights::contents::Contents;

/// The magic number 0x1950a86a20f9469cfc6c as a pickle writes it.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// Bytes within which the magic number ends, whatever the protocol.
const MAGIC_WITHIN: usize = 32;

/// Whether a file starts like one of these.
pub(in crate::weights) fn is_legacy(first: &[u8]) -> bool {
    let start = &first[..first.len().min(MAGIC_WITHIN)];
    start.first() == Some(&0x80) && start.windows(MAGIC.len()).any(|w| w == MAGIC)
}

/// Reads the pickles of a whole file and finds its storages.
///
/// # Errors
/// A file that is cut short, big-endian, or no state dict.
pub(in crate::weights) fn legacy_contents(bytes: &[u8]) -> Result<Contents, String> {
    let mut at = 0;
    let mut next = || {
        let (pickle, taken) = pickle::read(&bytes[at..])?;
        at += taken;
        Ok::<Pickle, String>(pickle)
    };
    next()?;
    next()?;
    if is_big_endian(&next()?) {
        return Err("was written on a big-endian machine; save it on a little-endian one".into());
    }
    let object = next()?;
    let keys = next()?;
    let storages = storages(&object)?;
    let mut places: HashMap<&str, Range<u64>> = HashMap::new();
    for key in texts(&keys)? {
        let storage = storages
            .get(key)
            .ok_or_else(|| format!("has a storage {key} that no tensor uses"))?;
        let (_, size) = storage
            .size()
            .map_err(|message| format!("storage {key} {message}"))?;
        let count = bytes
            .get(at..at + 8)
            .and_then(|count| count.try_into().ok());
        if count.map(u64::from_le_bytes) != Some(storage.elements()) {
            return Err(format!(
                "has another number of elements in storage {key} than it says"
            ));
        }
        let start = at as u64 + 8;
        let end = start
            .checked_add(size)
            .filter(|&end| end <= bytes.len() as u64);
        let end = end.ok_or_else(|| {
            format!("is cut short: storage {key} of {size} bytes goes past the end")
        })?;
        places.insert(key, start..end);
        at = end as usize;
    }
    contents(&object, |key, _| {
        let place = places.get(key).cloned();
        place.ok_or_else(|| format!("needs the storage {key}, which the file lacks"))
    })
}

fn is_big_endian(system: &Pickle) -> bool {
    let Object::Dict(items) = &system.objects[system.root] else {
        return false;
    };
    let is_key = |id| matches!(&system.objects[id], Object::Text(key) if key == "little_endian");
    let is_false = |id| matches!(system.objects[id], Object::Bool(false));
    items
        .iter()
        .any(|&(key, value)| is_key(key) && is_false(value))
}

fn storages(pickle: &Pickle) -> Result<HashMap<&str, &Storage>, String> {
    let storages = pickle.objects.iter().filter_map(|object| match object {
        Object::Storage(storage) => Some((storage.key(&pickle.objects), storage)),
        _ => None,
    });
    Ok(storages.collect())
}

fn texts(pickle: &Pickle) -> Result<Vec<&str>, String> {
    let Object::List(items) = &pickle.objects[pickle.root] else {
        return Err("does not list its storages".into());
    };
    let text = |&id: &usize| match &pickle.objects[id] {
        Object::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let texts: Option<Vec<&str>> = items.iter().map(text).collect();
    texts.ok_or_else(|| "does not list its storages".into())
}
