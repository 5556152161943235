//! Strided views of a linear buffer.

use serde::{Deserialize, Serialize};

/// A strided view: the element at coordinates `c` is `offset + Σ c[d]·strides[d]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct View {
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// Step of each dimension in elements; 0 broadcasts.
    pub strides: Vec<usize>,
    /// Index of the element at the origin.
    pub offset: usize,
}

impl View {
    /// The row-major view of a whole buffer.
    pub fn contiguous(shape: &[usize]) -> Self {
        let mut strides = vec![1; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d];
        }
        Self {
            shape: shape.to_vec(),
            strides,
            offset: 0,
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

    /// True when linear element `i` of the view is element `i` of the buffer.
    pub fn is_identity(&self) -> bool {
        self.offset == 0 && self.is_contiguous()
    }

    /// True when the elements follow each other in row-major order, from any offset.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for d in (0..self.shape.len()).rev() {
            if self.shape[d] != 1 && self.strides[d] != expected {
                return false;
            }
            expected *= self.shape[d];
        }
        true
    }

    /// Buffer index of linear element `i`.
    pub fn index(&self, mut i: usize) -> usize {
        let mut at = self.offset;
        for d in (0..self.shape.len()).rev() {
            at += (i % self.shape[d]) * self.strides[d];
            i /= self.shape[d];
        }
        at
    }

    /// Dimensions reordered: dimension `d` of the result is dimension `order[d]` of `self`.
    pub fn permute(&self, order: &[usize]) -> Self {
        Self {
            shape: order.iter().map(|&d| self.shape[d]).collect(),
            strides: order.iter().map(|&d| self.strides[d]).collect(),
            offset: self.offset,
        }
    }

    /// The part `start..start + len` of dimension `axis`.
    pub fn slice(&self, axis: usize, start: usize, len: usize) -> Self {
        let mut view = self.clone();
        view.offset += start * view.strides[axis];
        view.shape[axis] = len;
        view
    }

    /// Broadcast to `shape` by the usual trailing-dimension rule. `None` when extents disagree.
    pub fn broadcast(&self, shape: &[usize]) -> Option<Self> {
        let lead = shape.len().checked_sub(self.shape.len())?;
        let mut strides = vec![0; shape.len()];
        for d in 0..self.shape.len() {
            if self.shape[d] == shape[lead + d] {
                strides[lead + d] = self.strides[d];
            } else if self.shape[d] != 1 {
                return None;
            }
        }
        Some(Self {
            shape: shape.to_vec(),
            strides,
            offset: self.offset,
        })
    }

    /// The same elements in the same order under another shape, when strides can express it.
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        if shape.iter().product::<usize>() != self.len() {
            return None;
        }
        let old = self.simplified();
        let mut strides = vec![0; shape.len()];
        // Walk both shapes from the innermost dimension, splitting each merged old dimension.
        let mut d = shape.len();
        for (extent, stride) in old.shape.iter().zip(&old.strides).rev() {
            let (mut rest, mut step) = (*extent, *stride);
            while rest > 1 {
                while d > 0 && shape[d - 1] == 1 {
                    d -= 1;
                }
                if d == 0 || rest % shape[d - 1] != 0 {
                    return None;
                }
                strides[d - 1] = step;
                step *= shape[d - 1];
                rest /= shape[d - 1];
                d -= 1;
            }
        }
        Some(Self {
            shape: shape.to_vec(),
            strides,
            offset: self.offset,
        })
    }

    /// The same element order with unit dimensions dropped and mergeable neighbours merged.
    pub fn simplified(&self) -> Self {
        let mut shape: Vec<usize> = Vec::new();
        let mut strides: Vec<usize> = Vec::new();
        for (&extent, &stride) in self.shape.iter().zip(&self.strides) {
            if extent == 1 {
                continue;
            }
            match (shape.last_mut(), strides.last_mut()) {
                (Some(last), Some(step)) if *step == stride * extent => {
                    *last *= extent;
                    *step = stride;
                }
                _ => {
                    shape.push(extent);
                    strides.push(stride);
                }
            }
        }
        Self {
            shape,
            strides,
            offset: self.offset,
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn reshape_of_a_permuted_view_splits_but_does_not_merge() {
        let v = View::contiguous(&[2, 6, 4]).permute(&[1, 0, 2]);
        let split = v.reshape(&[2, 3, 2, 4]).expect("split of one dimension");
        assert_eq!(split.strides, [12, 4, 24, 1]);
        assert_eq!(v.reshape(&[12, 4]), None);
        assert_eq!(
            (0..48).map(|i| split.index(i)).collect::<Vec<_>>(),
            (0..48).map(|i| v.index(i)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn broadcast_uses_stride_zero() {
        let v = View::contiguous(&[3])
            .broadcast(&[2, 3])
            .expect("trailing rule");
        assert_eq!(v.strides, [0, 1]);
        assert_eq!(View::contiguous(&[3]).broadcast(&[3, 2]), None);
        assert_eq!(v.reshape(&[6]), None);
    }
}
