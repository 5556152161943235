//! What a binding holds.

/// Contents of one binding before the kernel runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// Floats, of a buffer of f32 or f16.
    F32(Vec<f32>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
}

impl Words {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::U32(v) => v.len(),
        }
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn at(&self, i: usize) -> f64 {
        match self {
            Self::F32(v) => f64::from(v[i]),
            Self::U32(v) => f64::from(v[i]),
        }
    }
}
