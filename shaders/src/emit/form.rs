//! How a buffer is declared, and what reading it looks like.

use crate::{Binding, BufferType, Caps};

/// Texels of four numbers in a row of the texture that stands for a buffer. At the least height that
/// WebGPU allows, 8192, this is 128 MiB.
pub const TEXTURE_WIDTH: usize = 1024;

/// How a buffer is declared and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An array of numbers.
    Scalar,
    /// An array of vec4.
    Quad,
    /// An array of f16 numbers.
    Half,
    /// An array of vec4 of f16.
    Halves,
    /// An array of vec4 of words, each of two f16 numbers.
    Packed,
    /// A storage texture with four numbers in each texel, read number by number. Mesa's CPU adapters read a
    /// buffer one component of one lane at a time, through memory; a texture more than ten times faster. Of a
    /// sampled texture they look up the level for each lane, in a function.
    Texel,
    /// The same, read texel by texel.
    Texels,
}

impl Form {
    /// The form of a buffer that is read four numbers at a time if `wide`.
    pub(crate) fn of(binding: Binding, wide: bool, caps: &Caps) -> Self {
        if binding.ty == BufferType::F16 {
            return if wide { Self::Halves } else { Self::Half };
        }
        let texels = caps.texels && !binding.write && binding.ty == BufferType::F32;
        match (wide, texels) {
            (false, false) => Self::Scalar,
            (true, false) => Self::Quad,
            (false, true) => Self::Texel,
            (true, true) => Self::Texels,
        }
    }

    /// The forms of buffers that are read number by number.
    pub(crate) fn narrow(bindings: &[Binding], caps: &Caps) -> Vec<Self> {
        bindings.iter().map(|b| Self::of(*b, false, caps)).collect()
    }

    /// Whether the buffer is bound as a texture.
    pub(crate) fn is_texture(self) -> bool {
        matches!(self, Self::Texel | Self::Texels)
    }

    /// How buffer `b` is declared.
    pub(crate) fn declaration(self, b: usize, binding: Binding) -> String {
        let unsigned = binding.ty == BufferType::U32;
        let ty = match self {
            Self::Scalar if unsigned => "u32",
            Self::Scalar => "f32",
            Self::Quad if unsigned => "vec4<u32>",
            Self::Quad => "vec4<f32>",
            Self::Half => "f16",
            Self::Halves => "vec4<f16>",
            Self::Packed => "vec4<u32>",
            Self::Texel | Self::Texels => {
                return format!("var b{b}: texture_storage_2d<rgba32float, read>;");
            }
        };
        let access = if binding.write { "read_write" } else { "read" };
        format!("var<storage, {access}> b{b}: array<{ty}>;")
    }

    /// Element `index` of the array: a number, or four of them, or four words.
    pub(crate) fn read(self, buffer: usize, index: &str) -> String {
        match self {
            Self::Scalar | Self::Quad | Self::Packed => format!("b{buffer}[{index}]"),
            Self::Half => format!("f32(b{buffer}[{index}])"),
            Self::Halves => format!("vec4<f32>(b{buffer}[{index}])"),
            Self::Texel => self.read_scalar(buffer, &format!("({index})")),
            Self::Texels => format!("textureLoad(b{buffer}, texel({index}))"),
        }
    }

    /// Number `at` (a factor) of the buffer.
    pub(crate) fn read_scalar(self, buffer: usize, at: &str) -> String {
        let whole = match self {
            Self::Scalar | Self::Half => return self.read(buffer, at),
            Self::Halves => return format!("f32(b{buffer}[{at} / 4u][{at} % 4u])"),
            Self::Packed => {
                let word = format!("b{buffer}[{at} / 8u][{at} / 2u % 4u]");
                return format!("unpack2x16float({word})[{at} % 2u]");
            }
            Self::Quad => self,
            Self::Texel | Self::Texels => Self::Texels,
        };
        format!("{}[{at} % 4u]", whole.read(buffer, &format!("{at} / 4u")))
    }

    /// `value`, one f32 or four, as what the array holds.
    pub(crate) fn stored(self, value: &str) -> String {
        match self {
            Self::Half => format!("f16({value})"),
            Self::Halves => format!("vec4<f16>({value})"),
            _ => value.to_string(),
        }
    }
}

/// The function that [`Form::read`] calls for [`Form::Texels`].
pub(crate) fn texel_function() -> String {
    format!(
        "fn texel(index: u32) -> vec2<u32> {{\n    return vec2<u32>(index % {TEXTURE_WIDTH}u, index / {TEXTURE_WIDTH}u);\n}}\n"
    )
}
