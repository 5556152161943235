//! How a buffer is declared, and what reading it looks like.

use crate::{Binding, BufferType, Caps};

/// How a buffer is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array of numbers.
    Scalar,
    /// An array of vec4.
    Quad,
    /// An array of four numbers as two words of 64 bits. Mesa's CPU adapters read a buffer one
    /// component of one lane at a time at a fixed cost, so half the components take half the time.
    Words,
}

impl Form {
    /// The form of a buffer that is read four numbers at a time if `wide`.
    pub(crate) fn of(binding: Binding, wide: bool, caps: &Caps) -> Self {
        let words = caps.cpu && caps.int64 && !binding.write && binding.ty == BufferType::F32;
        match (wide, words) {
            (false, _) => Self::Scalar,
            (true, false) => Self::Quad,
            (true, true) => Self::Words,
        }
    }

    /// Type of the array's elements.
    pub(crate) fn element(self, ty: BufferType) -> &'static str {
        match (self, ty) {
            (Self::Scalar, BufferType::F32) => "f32",
            (Self::Scalar, BufferType::U32) => "u32",
            (Self::Quad, BufferType::F32) => "vec4<f32>",
            (Self::Quad, BufferType::U32) => "vec4<u32>",
            (Self::Words, _) => "vec2<u64>",
        }
    }

    /// Element `index` of the array: a number, or four of them.
    pub(crate) fn read(self, buffer: usize, index: &str) -> String {
        match self {
            Self::Scalar | Self::Quad => format!("b{buffer}[{index}]"),
            Self::Words => format!("unpack(b{buffer}[{index}])"),
        }
    }

    /// Number `at` (a factor) of the buffer.
    pub(crate) fn read_scalar(self, buffer: usize, at: &str) -> String {
        match self {
            Self::Scalar => format!("b{buffer}[{at}]"),
            Self::Quad => format!("b{buffer}[{at} / 4u][{at} % 4u]"),
            Self::Words => format!(
                "bitcast<f32>(u32(b{buffer}[{at} / 4u][{at} / 2u % 2u] >> ({at} % 2u * 32u)))"
            ),
        }
    }
}

/// The function that [`Form::read`] calls for [`Form::Words`].
pub(crate) const UNPACK: &str = "\
fn unpack(words: vec2<u64>) -> vec4<f32> {
    let low = vec2<u32>(words);
    let high = vec2<u32>(words >> vec2<u32>(32u));
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
}
";
