//! The functions and classes that PyTorch's state dicts name, and the tensors they stand for.

use std::ops::Range;

use super::object::{Global, Id, Object, Storage, View};
use crate::weights::contents::Entry;
use crate::weights::element::Element;

/// Most axes of a tensor.
const MAX_RANK: usize = 32;

/// The global `module.name`.
///
/// # Errors
/// Anything that state dicts do not need.
pub(super) fn global(module: &str, name: &str) -> Result<Global, String> {
    Ok(match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Global::RebuildParameter,
        ("torch", "Size") => Global::Size,
        ("torch", "DoubleStorage") => Global::Storage(Some(Element::F64)),
        ("torch", "FloatStorage") => Global::Storage(Some(Element::F32)),
        ("torch", "HalfStorage") => Global::Storage(Some(Element::F16)),
        ("torch", "BFloat16Storage") => Global::Storage(Some(Element::Bf16)),
        ("torch", "LongStorage") => Global::Storage(Some(Element::I64)),
        ("torch", "IntStorage") => Global::Storage(Some(Element::I32)),
        ("torch", "ShortStorage") => Global::Storage(Some(Element::I16)),
        ("torch", "CharStorage") => Global::Storage(Some(Element::I8)),
        ("torch", "ByteStorage") => Global::Storage(Some(Element::U8)),
        ("torch", "BoolStorage") => Global::Storage(Some(Element::Bool)),
        (
            "torch",
            "ComplexFloatStorage"
            | "ComplexDoubleStorage"
            | "QInt8Storage"
            | "QUInt8Storage"
            | "QInt32Storage",
        ) => Global::Storage(None),
        _ => {
            return Err(format!(
                "the file wants to use {module}.{name}, which is no part of a state dict; it was \
                 not executed. Save the tensors alone with torch.save(model.state_dict(), …)"
            ));
        }
    })
}

impl Storage {
    /// From a persistent identifier `('storage', class, key, location, elements[, view])`.
    pub(super) fn read(objects: &[Object], id: Id) -> Result<Self, String> {
        let wrong = || "a storage is not described as torch.save does".to_string();
        let Object::Tuple(parts) = &objects[id] else {
            return Err(wrong());
        };
        let (&[_, class, key, _, count], rest) = parts.split_first_chunk().ok_or_else(wrong)?;
        if rest
            .iter()
            .any(|&view| !matches!(objects[view], Object::None))
        {
            return Err("a storage is part of another, as before PyTorch 0.4; save it anew".into());
        }
        match (&objects[class], &objects[key], &objects[count]) {
            (Object::Global(Global::Storage(element)), Object::Text(_), Object::Int(count)) => {
                Ok(Self {
                    element: *element,
                    key,
                    elements: u64::try_from(*count).map_err(|_| wrong())?,
                })
            }
            _ => Err(wrong()),
        }
    }

    /// Its key in the file.
    pub(super) fn key<'a>(&self, objects: &'a [Object]) -> &'a str {
        match &objects[self.key] {
            Object::Text(key) => key,
            _ => "",
        }
    }

    /// How many elements it has.
    pub(super) fn elements(&self) -> u64 {
        self.elements
    }

    /// Its element type and number of bytes.
    ///
    /// # Errors
    /// A type that is not supported, or a size that is none.
    pub(super) fn size(&self) -> Result<(Element, u64), String> {
        let element = self
            .element
            .ok_or("holds complex or quantised numbers; convert it to float32")?;
        let bytes = self.elements.checked_mul(element.size() as u64);
        Ok((element, bytes.ok_or("claims an impossible size")?))
    }
}

impl View {
    /// From the arguments `(storage, offset, shape, strides, …)`.
    pub(super) fn read(objects: &[Object], arguments: &[Id]) -> Result<Self, String> {
        let wrong = || "a tensor is not described as torch.save does".to_string();
        let (&[storage, offset, shape, strides], _) =
            arguments.split_first_chunk().ok_or_else(wrong)?;
        let Object::Storage(_) = &objects[storage] else {
            return Err(wrong());
        };
        let offset = match objects[offset] {
            Object::Int(offset) => u64::try_from(offset).map_err(|_| wrong())?,
            _ => return Err(wrong()),
        };
        let shape = extents(objects, shape).ok_or_else(wrong)?;
        let strides = extents(objects, strides).ok_or_else(wrong)?;
        if shape.len() != strides.len() {
            return Err(wrong());
        }
        Ok(Self {
            storage,
            offset,
            shape,
            strides,
        })
    }

    /// The storage it is part of.
    pub(super) fn storage<'a>(&self, objects: &'a [Object]) -> Option<&'a Storage> {
        match &objects[self.storage] {
            Object::Storage(storage) => Some(storage),
            _ => None,
        }
    }

    /// Its place in the file, whose bytes `range` are the storage.
    ///
    /// # Errors
    /// A storage with fewer bytes than it should have, or a tensor that goes past its end.
    pub(super) fn entry(&self, storage: &Storage, range: &Range<u64>) -> Result<Entry, String> {
        let (element, bytes) = storage.size()?;
        if bytes > range.end - range.start {
            return Err(format!(
                "needs {bytes} bytes, but the file has {} for it",
                range.end - range.start
            ));
        }
        let span = self.span().and_then(|span| {
            let end = self.offset.checked_add(span)?;
            (end <= storage.elements).then_some(span)
        });
        let span = span.ok_or_else(|| {
            format!(
                "of shape {:?} and strides {:?} from element {} goes past its {} elements",
                self.shape, self.strides, self.offset, storage.elements
            )
        })?;
        // Within `bytes`, which is no overflow.
        let size = element.size() as u64;
        let start = range.start + self.offset * size;
        Ok(Entry {
            shape: self.shape.clone(),
            element,
            strides: (!self.is_dense()).then(|| self.strides.clone()),
            bytes: start..start + span * size,
        })
    }

    /// Elements from its first to its last.
    fn span(&self) -> Option<u64> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let axes = self.shape.iter().zip(&self.strides);
        axes.map(|(&n, &stride)| (n as u64 - 1, stride as u64))
            .try_fold(1u64, |span, (steps, stride)| {
                span.checked_add(steps.checked_mul(stride)?)
            })
    }

    /// Whether it is row-major without gaps.
    fn is_dense(&self) -> bool {
        let mut expected = 1usize;
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if n != 1 && stride != expected {
                return self.shape.contains(&0);
            }
            expected = expected.saturating_mul(n);
        }
        true
    }
}

fn extents(objects: &[Object], id: Id) -> Option<Vec<usize>> {
    let Object::Tuple(items) = &objects[id] else {
        return None;
    };
    if items.len() > MAX_RANK {
        return None;
    }
    let extent = |&item: &Id| match objects[item] {
        Object::Int(n) => usize::try_from(n).ok(),
        _ => None,
    };
    items.iter().map(extent).collect()
}
