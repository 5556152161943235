//! The header of safetensors files.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use safetensors::{Dtype, SafeTensors};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::contents::{Contents, Entry};
use super::element::Element;

/// Holds [`super::Weights::metadata`] as JSON in a file's header.
pub(super) const METADATA_KEY: &str = "samora";

/// Reads the header at the start of a whole file.
///
/// # Errors
/// A header that is damaged, names a tensor twice, does not fit the file, or an element type that is
/// not supported.
pub(super) fn contents(bytes: &[u8]) -> Result<Contents, String> {
    let (length, header) = SafeTensors::read_metadata(bytes)
        .map_err(|e| format!("is not a whole safetensors file ({e}); download or copy it again"))?;
    let start = 8 + length;
    refuse_duplicates(&bytes[8..start])?;
    let mut contents = Contents::default();
    for (key, text) in header.metadata().iter().flatten() {
        match (key.as_str(), serde_json::from_str(text)) {
            (METADATA_KEY, Ok(map)) => {
                let map: BTreeMap<String, String> = map;
                contents.metadata.extend(map);
            }
            _ => {
                contents.metadata.insert(key.clone(), text.clone());
            }
        }
    }
    for (name, info) in header.tensors() {
        let element = element(info.dtype).ok_or_else(|| {
            format!(
                "tensor {name} holds {:?} elements, which are not supported; convert it to F32",
                info.dtype
            )
        })?;
        let (first, last) = info.data_offsets;
        let entry = Entry {
            shape: info.shape.clone(),
            element,
            strides: None,
            bytes: (start + first) as u64..(start + last) as u64,
        };
        contents.entries.insert(name, entry);
    }
    Ok(contents)
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::I64 => Element::I64,
        Dtype::I32 => Element::I32,
        Dtype::I16 => Element::I16,
        Dtype::I8 => Element::I8,
        Dtype::U64 => Element::U64,
        Dtype::U32 => Element::U32,
        Dtype::U16 => Element::U16,
        Dtype::U8 => Element::U8,
        Dtype::BOOL => Element::Bool,
        _ => return None,
    })
}

/// The library keeps the last of two equal names.
fn refuse_duplicates(header: &[u8]) -> Result<(), String> {
    // The library has read it, so a failure can only be the one this looks for.
    match serde_json::from_slice::<UniqueKeys>(header) {
        Ok(UniqueKeys) => Ok(()),
        Err(e) => Err(format!("has a damaged header: {e}")),
    }
}

struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = UniqueKeys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueKeys, A::Error> {
                let mut seen = HashSet::new();
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if seen.contains(&key) {
                        let message = format!("the key {key} stands there twice");
                        return Err(serde::de::Error::custom(message));
                    }
                    seen.insert(key);
                }
                Ok(UniqueKeys)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}
