//! How a buffer is declared, and what reading it looks like.

use crate::{Binding, BufferType, Caps};

/// Texels of four numbers in a row of the texture that stands for a buffer. At the least height that
/// WebGPU allows, 8192, this is 128 MiB.
pub const TEXTURE_WIDTH: usize = 1024;

/// How a buffer is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array of numbers.
    Scalar,
    /// An array of vec4.
    Quad,
    /// A texture with four numbers in each texel, rows of [`TEXTURE_WIDTH`]. Mesa's CPU adapters read a
    /// buffer one component of one lane at a time, through memory; a texture about ten times faster.
    Texels,
}

impl Form {
    /// The form of a buffer that is read four numbers at a time if `wide`.
    pub(crate) fn of(binding: Binding, wide: bool, caps: &Caps) -> Self {
        let texels = caps.texels && !binding.write && binding.ty == BufferType::F32;
        match (wide, texels) {
            (false, _) => Self::Scalar,
            (true, false) => Self::Quad,
            (true, true) => Self::Texels,
        }
    }

    /// Type of the array's elements; `None` of a texture.
    pub(crate) fn element(self, ty: BufferType) -> Option<&'static str> {
        match (self, ty) {
            (Self::Scalar, BufferType::F32) => Some("f32"),
            (Self::Scalar, BufferType::U32) => Some("u32"),
            (Self::Quad, BufferType::F32) => Some("vec4<f32>"),
            (Self::Quad, BufferType::U32) => Some("vec4<u32>"),
            (Self::Texels, _) => None,
        }
    }

    /// Element `index` of the array: a number, or four of them.
    pub(crate) fn read(self, buffer: usize, index: &str) -> String {
        match self {
            Self::Scalar | Self::Quad => format!("b{buffer}[{index}]"),
            Self::Texels => format!("textureLoad(b{buffer}, texel({index}), 0)"),
        }
    }

    /// Number `at` (a factor) of the buffer.
    pub(crate) fn read_scalar(self, buffer: usize, at: &str) -> String {
        match self {
            Self::Scalar => format!("b{buffer}[{at}]"),
            Self::Quad | Self::Texels => {
                format!("{}[{at} % 4u]", self.read(buffer, &format!("{at} / 4u")))
            }
        }
    }
}

/// The function that [`Form::read`] calls for [`Form::Texels`].
pub(crate) fn texel_function() -> String {
    format!(
        "fn texel(index: u32) -> vec2<u32> {{\n    return vec2<u32>(index % {TEXTURE_WIDTH}u, index / {TEXTURE_WIDTH}u);\n}}\n"
    )
}
