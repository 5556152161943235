//! Published weights, in one file or several.

use std::fmt;
use std::path::PathBuf;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Weight files, written as one path or as a list of them. Of a parameter that several give, the last
/// counts: a SAM checkpoint comes first, LoRA files and SAMora's payloads after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightFiles(pub Vec<PathBuf>);

impl Serialize for WeightFiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for WeightFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Paths;

        impl<'de> Visitor<'de> for Paths {
            type Value = WeightFiles;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a weight file, or a list of them")
            }

            fn visit_str<E>(self, path: &str) -> Result<WeightFiles, E> {
                Ok(WeightFiles(vec![path.into()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WeightFiles, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(WeightFiles(paths))
            }
        }

        deserializer.deserialize_any(Paths)
    }
}
