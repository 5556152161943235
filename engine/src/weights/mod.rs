//! Named tensors: safetensors files, and the initial weights of a graph.

mod resize;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};

pub use resize::{resize_positions, resize_relative};

use crate::{Data, Error, Graph, Result, SourceKind, Tensor};

/// Named tensors and what is to be said about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Tensors by full name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
}

/// Renames tensors of a file: a name that starts with `from` gets `to` instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Prefix in the file; empty for all names.
    pub from: String,
    /// Prefix in the graph.
    pub to: String,
}

/// Where the parameters of a graph came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrawReport {
    /// Parameters given, by full name.
    pub taken: Vec<String>,
    /// Parameters drawn from their distribution.
    pub drawn: Vec<String>,
    /// Given tensors the graph has no parameter for.
    pub unexpected: Vec<String>,
}

impl Weights {
    /// Reads a safetensors file. Half and double precision and signed integers become f32.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or holds another element type.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| file_error(path, &e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| file_error(path, &e))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| file_error(path, &e))?;
        let mut weights = Self::default();
        for (key, text) in header.metadata().iter().flatten() {
            match (key.as_str(), serde_json::from_str(text)) {
                (METADATA_KEY, Ok(map)) => weights.metadata = map,
                _ => {
                    weights.metadata.insert(key.clone(), text.clone());
                }
            }
        }
        for (name, view) in file.iter() {
            let data = decode(view.dtype(), view.data()).ok_or_else(|| {
                let message = format!("{name} holds {:?} elements", view.dtype());
                file_error(path, &message)
            })?;
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                data,
            };
            weights.tensors.insert(name.to_string(), tensor);
        }
        Ok(weights)
    }

    /// Writes a safetensors file: to a temporary file beside it, flushed to disk, then renamed, so
    /// that `path` always holds a whole file. Equal weights give equal bytes.
    ///
    /// # Errors
    /// A directory that cannot be written, or a full disk.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".partial");
        let temporary = Path::new(&temporary);
        let written = self.write_in_place(temporary);
        let moved = written.and_then(|()| std::fs::rename(temporary, path));
        moved.map_err(|e| {
            // The error to report is the first one; a leftover file is harmless.
            std::fs::remove_file(temporary).ok();
            file_error(path, &e)
        })
    }

    /// A tensor for each parameter of `graph`: the one given here under its (renamed) name, else
    /// drawn from its distribution with `seed`. The first rule that matches a name applies.
    ///
    /// # Errors
    /// A given tensor of another shape or type than the parameter.
    pub fn draw(&self, graph: &Graph, seed: u64, rules: &[Rename]) -> Result<(Self, DrawReport)> {
        let mut given: BTreeMap<String, &Tensor> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (rename(name, rules), tensor))
            .collect();
        let mut weights = Self::default();
        let mut report = DrawReport::default();
        for source in graph.sources() {
            let found = given.remove(&source.name);
            let SourceKind::Param(init) = source.kind else {
                continue;
            };
            let ty = graph.ty(source.value);
            let tensor = match found {
                Some(tensor) if tensor.ty() == *ty => {
                    report.taken.push(source.name.clone());
                    tensor.clone()
                }
                Some(tensor) => {
                    let message = format!(
                        "the network needs {:?} {:?}, the weights given have {:?} {:?}",
                        ty.dtype,
                        ty.shape,
                        tensor.ty().dtype,
                        tensor.shape
                    );
                    return Err(Error::Tensor {
                        name: source.name.clone(),
                        message,
                    });
                }
                None => {
                    report.drawn.push(source.name.clone());
                    init.draw(&ty.shape, seed, &source.name)
                }
            };
            weights.tensors.insert(source.name.clone(), tensor);
        }
        report.unexpected = given.into_keys().collect();
        Ok((weights, report))
    }

    /// The tensors whose names start with `prefix`, without it.
    pub fn below(&self, prefix: &str) -> Self {
        let strip = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
        };
        Self {
            tensors: self.tensors.iter().filter_map(strip).collect(),
            metadata: self.metadata.clone(),
        }
    }

    /// Names of the tensors with an element that is infinite or not a number.
    pub fn non_finite(&self) -> Vec<&str> {
        self.tensors
            .iter()
            .filter(|(_, tensor)| tensor.as_f32().iter().any(|x| !x.is_finite()))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    fn write_in_place(&self, path: &Path) -> std::io::Result<()> {
        // The library creates its file readable by the owner only; keep the usual permissions.
        let permissions = std::fs::File::create(path)?.metadata()?.permissions();
        // The library's map has no fixed order, so all metadata goes under one key.
        let metadata = match self.metadata.is_empty() {
            true => None,
            false => {
                let text = serde_json::to_string(&self.metadata)?;
                Some(HashMap::from([(METADATA_KEY.to_string(), text)]))
            }
        };
        let views = self.tensors.iter().map(|(name, t)| (name, Bytes(t)));
        safetensors::serialize_to_file(views, metadata, path).map_err(std::io::Error::other)?;
        std::fs::set_permissions(path, permissions)?;
        std::fs::File::options().write(true).open(path)?.sync_all()
    }
}

/// Holds [`Weights::metadata`] as JSON in a file's header.
const METADATA_KEY: &str = "samora";

struct Bytes<'a>(&'a Tensor);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        match self.0.data {
            Data::F32(_) => Dtype::F32,
            Data::U32(_) => Dtype::U32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.0.bytes().into()
    }

    fn data_len(&self) -> usize {
        self.0.bytes().len()
    }
}

fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Data> {
    let floats = match dtype {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => each(bytes, |b| half(u16::from_le_bytes(b))),
        Dtype::BF16 => each(bytes, |b| {
            f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)
        }),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::U32 => return Some(Data::U32(each(bytes, u32::from_le_bytes).into())),
        _ => return None,
    };
    Some(Data::F32(floats.into()))
}

fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let chunks = bytes.chunks_exact(N);
    chunks
        .filter_map(|chunk| chunk.try_into().ok())
        .map(read)
        .collect()
}

/// An IEEE half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (bits >> 10 & 31, f32::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2.0f32.powi(-14),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        e => (1.0 + fraction) * 2.0f32.powi(i32::from(e) - 15),
    }
}

fn rename(name: &str, rules: &[Rename]) -> String {
    let renamed = |rule: &Rename| Some(format!("{}{}", rule.to, name.strip_prefix(&rule.from)?));
    rules.iter().find_map(renamed).unwrap_or(name.to_string())
}

fn file_error(path: &Path, message: &dyn std::fmt::Display) -> Error {
    Error::File {
        path: path.display().to_string(),
        message: message.to_string(),
    }
}

#[cfg(test)]
mod tests;
