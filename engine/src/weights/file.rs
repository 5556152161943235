//! Weight files, opened without reading their tensors.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::contents::{Contents, Entry};
use super::{header, map, pth};
use crate::error::{file_error, io_reason};
use crate::{Result, Tensor};

/// Most bytes of f32 a file may ask for over its own size. Half precision and bytes grow, and tied
/// tensors are stored once; anything beyond that is a claim, not data.
const MAX_GROWTH: u64 = 16;
/// Bytes that even the smallest file may ask for.
const MIN_ALLOWED: u64 = 1 << 20;

/// An open weight file: what its header says, and its tensors on request.
#[derive(Debug)]
pub struct WeightFile {
    path: PathBuf,
    file: File,
    format: Format,
    contents: Contents,
}

/// How a weight file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Hugging Face's safetensors.
    Safetensors,
    /// `torch.save` since PyTorch 1.6: a zip archive.
    TorchZip,
    /// `torch.save` before PyTorch 1.6: pickles followed by the storages.
    TorchLegacy,
}

impl Format {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::TorchZip => "PyTorch (zip)",
            Self::TorchLegacy => "PyTorch (before 1.6)",
        }
    }
}

impl WeightFile {
    /// Opens a safetensors or PyTorch file, whatever it is called: its first bytes say which it is.
    /// Nothing in a PyTorch file is executed.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, is neither, holds what is no tensor of numbers, or claims
    /// tensors that it has no room for.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |message: &dyn std::fmt::Display| file_error(path, message);
        let file = File::open(path).map_err(|e| failed(&io_reason(&e)))?;
        let length = file.metadata().map_err(|e| failed(&io_reason(&e)))?.len();
        let first = map::with_range(&file, &(0..length.min(64)), <[u8]>::to_vec)
            .map_err(|e| failed(&io_reason(&e)))?;
        let format = format(&first, length).map_err(|message| failed(&message))?;
        let contents = match format {
            Format::TorchZip => pth::zip_contents(&file),
            _ => map::with_range(&file, &(0..length), |bytes| match format {
                Format::TorchLegacy => pth::legacy_contents(bytes),
                _ => header::contents(bytes),
            })
            .map_err(|e| failed(&io_reason(&e)))?,
        };
        let contents = contents.map_err(|message| failed(&message))?;
        check_size(&contents, length).map_err(|message| failed(&message))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            format,
            contents,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its tensors by name.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.contents.entries
    }

    /// What the file says about itself. Of PyTorch files: numbers and texts beside the state dict.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// Reads the tensor of an entry of this file. Floats and integers of any size become f32; u32 stays.
    ///
    /// # Errors
    /// A file that can no longer be read, or was shortened.
    pub fn read(&self, entry: &Entry) -> Result<Tensor> {
        let read = |bytes: &[u8]| match &entry.strides {
            None => entry.element.decode(bytes),
            Some(strides) => {
                let dense = gather(bytes, entry.element.size(), &entry.shape, strides);
                entry.element.decode(&dense)
            }
        };
        let data = map::with_range(&self.file, &entry.bytes, read)
            .map_err(|e| file_error(&self.path, &io_reason(&e)))?;
        Ok(Tensor {
            shape: entry.shape.clone(),
            data,
        })
    }
}

fn format(first: &[u8], length: u64) -> Result<Format, String> {
    if first.starts_with(b"PK") {
        return Ok(Format::TorchZip);
    }
    if pth::is_legacy(first) {
        return Ok(Format::TorchLegacy);
    }
    let header = first.first_chunk().map(|n| u64::from_le_bytes(*n));
    if header.is_some_and(|n| n <= length) && first.get(8) == Some(&b'{') {
        return Ok(Format::Safetensors);
    }
    Err("is neither a safetensors file nor one that torch.save wrote".into())
}

fn check_size(contents: &Contents, length: u64) -> Result<(), String> {
    let allowed = length.saturating_mul(MAX_GROWTH).max(MIN_ALLOWED);
    let mut total = 0u64;
    for (name, entry) in &contents.entries {
        let elements = entry.shape.iter().try_fold(4u64, |n, &extent| {
            n.checked_mul(u64::try_from(extent).ok()?)
        });
        total = total.saturating_add(elements.unwrap_or(u64::MAX));
        if total > allowed {
            return Err(format!(
                "tensor {name} {:?} and those before it would need {total} bytes, out of a file of \
                 {length}; the file is damaged or stores expanded tensors",
                entry.shape
            ));
        }
    }
    Ok(())
}

/// The elements of a strided tensor in row-major order.
fn gather(bytes: &[u8], size: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let mut dense = Vec::with_capacity(count * size);
    let mut index = vec![0usize; shape.len()];
    let mut place = 0;
    for _ in 0..count {
        dense.extend_from_slice(&bytes[place * size..][..size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    dense
}
