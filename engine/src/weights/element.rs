//! Element types of weight files, and their conversion to f32.

use half::{bf16, f16};

use crate::Data;

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 16-bit signed integer.
    I16,
    /// 8-bit signed integer.
    I8,
    /// 64-bit unsigned integer.
    U64,
    /// 32-bit unsigned integer, the only type kept as it is.
    U32,
    /// 16-bit unsigned integer.
    U16,
    /// 8-bit unsigned integer.
    U8,
    /// A byte that is 0 or 1.
    Bool,
}

impl Element {
    /// Its name, such as `f32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Little-endian elements as f32, rounded where f32 is coarser; u32 stays u32. Trailing bytes of
    /// an incomplete element are dropped.
    pub(super) fn decode(self, bytes: &[u8]) -> Data {
        let floats = match self {
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
            Self::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
            Self::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Self::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Self::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
            Self::U32 => return Data::U32(each(bytes, u32::from_le_bytes).into()),
            Self::U16 => each(bytes, |b| f32::from(u16::from_le_bytes(b))),
            Self::U8 => each(bytes, |[b]| f32::from(b)),
            Self::Bool => each(bytes, |[b]| f32::from(u8::from(b != 0))),
        };
        Data::F32(floats.into())
    }
}

fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|element| read(*element)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_types_are_converted() {
        let floats = |element: Element, bytes: &[u8]| match element.decode(bytes) {
            Data::F32(x) => x.to_vec(),
            Data::U32(_) => Vec::new(),
        };
        let halves = [0x00, 0x3c, 0x00, 0xc1, 0x01, 0x00, 0xff, 0x7b];
        assert_eq!(
            floats(Element::F16, &halves),
            [1.0, -2.5, 2.0f32.powi(-24), 65504.0]
        );
        assert_eq!(floats(Element::Bf16, &[0x20, 0xc0]), [-2.5]);
        assert_eq!(floats(Element::F64, &0.1f64.to_le_bytes()), [0.1]);
        assert_eq!(floats(Element::I64, &(-3i64).to_le_bytes()), [-3.0]);
        assert_eq!(floats(Element::I16, &[0xfe, 0xff, 0x05]), [-2.0]);
        assert_eq!(floats(Element::U8, &[0xfe]), [254.0]);
        assert_eq!(floats(Element::I8, &[0xfe]), [-2.0]);
        assert_eq!(floats(Element::Bool, &[0, 1]), [0.0, 1.0]);
    }
}
