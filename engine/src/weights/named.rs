//! Named tensors: read, written, and as the initial weights of a graph.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, View};

use super::file::WeightFile;
use super::header::METADATA_KEY;
use super::replace::replace;
use crate::{Data, Error, Graph, Result, SourceKind, Tensor};

/// Named tensors and what is to be said about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Tensors by full name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
}

impl Weights {
    /// Reads a safetensors or PyTorch file under the names it has. Floats and integers of any size
    /// become f32.
    ///
    /// # Errors
    /// See [`WeightFile::open`].
    pub fn read(path: &Path) -> Result<Self> {
        let file = WeightFile::open(path)?;
        let mut weights = Self {
            metadata: file.metadata().clone(),
            ..Self::default()
        };
        for (name, entry) in file.entries() {
            weights.tensors.insert(name.clone(), file.read(entry)?);
        }
        Ok(weights)
    }

    /// Writes a safetensors file: to a temporary file beside it, flushed to disk, then renamed, so
    /// that `path` always holds a whole file. Equal weights give equal bytes.
    ///
    /// # Errors
    /// A directory that cannot be written, or a full disk.
    pub fn write(&self, path: &Path) -> Result<()> {
        replace(path, |temporary| self.write_in_place(temporary))
    }

    /// A tensor for each parameter of `graph`: the one given here, else drawn from its distribution with
    /// `seed`.
    ///
    /// # Errors
    /// A given tensor of another shape or type than the parameter.
    pub fn draw(&self, graph: &Graph, seed: u64) -> Result<Self> {
        let mut weights = Self::default();
        for source in graph.sources() {
            let SourceKind::Param(init) = source.kind else {
                continue;
            };
            let ty = graph.ty(source.value);
            let tensor = match self.tensors.get(&source.name) {
                Some(tensor) if tensor.ty() == *ty => tensor.clone(),
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
                None => init.draw(&ty.shape, seed, &source.name),
            };
            weights.tensors.insert(source.name.clone(), tensor);
        }
        Ok(weights)
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

#[cfg(test)]
mod tests;
