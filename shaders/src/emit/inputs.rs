//! What an expression is made of at an element.

use super::form::Form;
use crate::wgsl::float;
use crate::{Binding, Leaf};

/// Where an expression finds its inputs at the current element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    /// Buffers.
    pub(crate) bindings: &'a [Binding],
    /// How buffers are declared.
    pub(crate) forms: &'a [Form],
    /// Leaves of the kernel.
    pub(crate) leaves: &'a [Leaf],
    /// Names of leaves that have been read before; empty when none has.
    pub(crate) held: &'a [Option<String>],
    /// Name of the linear element index.
    pub(crate) element: &'a str,
    /// Whether values are the vec4 of the four elements from there on.
    pub(crate) quad: bool,
    /// Name of the accumulator ([`crate::Scalar::Acc`]).
    pub(crate) acc: &'a str,
    /// Names of the finished reductions ([`crate::Scalar::Reduced`]).
    pub(crate) reduced: &'a [String],
    /// Names of their columns ([`crate::Scalar::ReducedAt`]); empty where nothing asks for it.
    pub(crate) reduced_at: &'a [String],
}

impl Inputs<'_> {
    /// A literal of the values' type.
    pub(crate) fn number(&self, x: f32) -> String {
        if self.quad {
            format!("vec4<f32>({})", float(x))
        } else {
            float(x)
        }
    }
}
