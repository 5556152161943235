//! Elements of NumPy's and HDF5's arrays, which may also be half floats.

use half::f16;

use super::raw::{ByteOrder, Scalar};

/// Type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// A number as volumes have them.
    Scalar(Scalar),
    /// IEEE's binary16.
    Half,
}

impl Element {
    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Scalar(scalar) => scalar.size(),
            Self::Half => size_of::<f16>(),
        }
    }

    /// The scalars that elements become: those they are, or f32.
    pub(super) fn scalars(
        self,
        order: ByteOrder,
        elements: Vec<u8>,
    ) -> (Scalar, ByteOrder, Vec<u8>) {
        let from_bytes = match order {
            ByteOrder::Little => f16::from_le_bytes,
            ByteOrder::Big => f16::from_be_bytes,
        };
        match self {
            Self::Scalar(scalar) => (scalar, order, elements),
            Self::Half => {
                let halves = elements.as_chunks().0.iter();
                let floats = halves.map(|half| from_bytes(*half).to_f32());
                let bytes = floats.flat_map(f32::to_le_bytes).collect();
                (Scalar::F32, ByteOrder::Little, bytes)
            }
        }
    }
}
