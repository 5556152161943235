//! Host tensors and their types.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Element type of a graph value. Everything computed is f32; u32 values are labels and indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 32-bit unsigned integer.
    U32,
}

/// Shape and element type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Type {
    /// Extents, outermost first. Empty for a scalar.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
}

impl Type {
    /// An f32 type.
    pub fn f32(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            dtype: DType::F32,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when a dimension is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether kernels can index it: not empty, and every element numbered by a u32.
    pub(crate) fn is_indexable(&self) -> bool {
        let len = self
            .shape
            .iter()
            .try_fold(1u32, |len, &n| len.checked_mul(u32::try_from(n).ok()?));
        len.is_some_and(|n| n > 0)
    }
}

/// Elements of a host tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Data {
    /// 32-bit floats.
    F32(Arc<Vec<f32>>),
    /// 32-bit unsigned integers.
    U32(Arc<Vec<u32>>),
}

/// A dense row-major tensor in host memory. Cloning shares the elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: Data,
}

impl Tensor {
    /// An f32 tensor. The data must have as many elements as the shape; whatever takes a tensor from outside
    /// refuses it otherwise.
    pub fn f32(shape: &[usize], data: Vec<f32>) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::F32(Arc::new(data)),
        }
    }

    /// A u32 tensor. The data must have as many elements as the shape.
    pub fn u32(shape: &[usize], data: Vec<u32>) -> Self {
        Self {
            shape: shape.to_vec(),
            data: Data::U32(Arc::new(data)),
        }
    }

    /// Fails unless it can stand for what was declared as `ty`: its shape and elements, of which indices stay
    /// `below` what they index.
    ///
    /// # Errors
    /// What is wrong, to be said after its name.
    pub(crate) fn check(&self, ty: &Type, below: Option<usize>) -> Result<(), String> {
        let given = self.ty();
        if given != *ty {
            let Type { shape, dtype } = given;
            let (need, of) = (&ty.shape, ty.dtype);
            return Err(format!(
                "has shape {shape:?} of {dtype:?}, {need:?} of {of:?} is needed"
            ));
        }
        if self.len() != ty.len() {
            let (len, shape) = (self.len(), &ty.shape);
            return Err(format!(
                "has {len} elements, which shape {shape:?} does not hold"
            ));
        }
        let limit = below.unwrap_or(usize::MAX);
        let mut ids = self.as_u32().iter().enumerate();
        match ids.find(|(_, id)| **id as usize >= limit) {
            Some((at, id)) => Err(format!(
                "has index {id} at element {at}; indices are below {limit}"
            )),
            None => Ok(()),
        }
    }

    /// A tensor of one repeated value.
    pub fn full(shape: &[usize], value: f32) -> Self {
        Self::f32(shape, vec![value; shape.iter().product()])
    }

    /// Its type.
    pub fn ty(&self) -> Type {
        let dtype = match self.data {
            Data::F32(_) => DType::F32,
            Data::U32(_) => DType::U32,
        };
        Type {
            shape: self.shape.clone(),
            dtype,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::F32(v) => v.len(),
            Data::U32(v) => v.len(),
        }
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as f32; empty for a u32 tensor.
    pub fn as_f32(&self) -> &[f32] {
        match &self.data {
            Data::F32(v) => v,
            Data::U32(_) => &[],
        }
    }

    /// The elements as u32; empty for an f32 tensor.
    pub fn as_u32(&self) -> &[u32] {
        match &self.data {
            Data::U32(v) => v,
            Data::F32(_) => &[],
        }
    }

    /// Element `i` in f64, whatever the type.
    pub fn at(&self, i: usize) -> f64 {
        match &self.data {
            Data::F32(v) => f64::from(v[i]),
            Data::U32(v) => f64::from(v[i]),
        }
    }

    /// The raw little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.data {
            Data::F32(v) => bytemuck::cast_slice(v),
            Data::U32(v) => bytemuck::cast_slice(v),
        }
    }
}
