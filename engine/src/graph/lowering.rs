//! How an op becomes a kernel.

use std::fmt::Debug;

use samora_shaders::{Attention, Map, Rows, View};

/// How an op becomes a kernel. Descriptions are those of `samora_shaders`, with empty `bindings`,
/// and with buffer numbers that mean: in leaves, `Access::*::ids` and operands the op's *input*; in
/// outputs the op's *output*. Every input is seen as row-major; the planner rewrites the numbers,
/// fuses, and folds strided views of inputs into the kernel or copies where it must.
#[derive(Debug)]
pub enum Lowering {
    /// Graph input, parameter, state or constant: a buffer, no kernel.
    Source,
    /// Same elements as input 0 under another view: no kernel when `view` maps the input's view to
    /// the output's; otherwise the input is first made contiguous, for which it must succeed.
    View(ViewFn),
    /// A pointwise kernel. Leaves with an identity `Access::Strided` fuse with their producer.
    Map(Map),
    /// A row kernel over the elements of its first identity input.
    Rows(Rows),
    /// Batched matrix product of inputs 0 `[…, m, k]` and 1 `[…, k, n]`, any strides.
    Gemm,
    /// Attention. All bindings are numbered inputs first, then outputs.
    Attention(Attention),
}

/// Maps the view of an input to that of the output, when strides can express it.
pub struct ViewFn(pub Box<ViewToView>);

/// A partial function between views.
type ViewToView = dyn Fn(&View) -> Option<View>;

impl Debug for ViewFn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ViewFn")
    }
}
