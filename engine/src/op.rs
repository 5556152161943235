//! The contract of an op.

use std::fmt::Debug;

use samora_shaders::{Attention, Map, Rows, View};

use crate::{Graph, Tensor, Type, Value};

/// An operation. One file in `ops/` holds everything about it: builder, shape rule, gradient, CPU
/// reference, lowering and test cases.
pub trait Op: Debug + Send + Sync {
    /// Short name for errors and plans.
    fn name(&self) -> &'static str;

    /// Types of the outputs, or what is wrong with the inputs (shapes included).
    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String>;

    /// Reference evaluation, plain and with f64 accumulation. Inputs have passed [`Op::infer`].
    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor>;

    /// What runs on the GPU. Types have passed [`Op::infer`].
    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering;

    /// Gradients of the inputs, as graph nodes; `None` for an input without one. Only inputs with
    /// `ctx.needs` set are used by the caller.
    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>>;

    /// The output computed by several nodes, for a device that does `workers` things at once; `None` where one node
    /// does it as well. Inputs have passed [`Op::infer`].
    fn split(&self, _g: &mut Graph, _inputs: &[Value], _workers: usize) -> Option<Value> {
        None
    }

    /// The transpose of the output, a matrix, if it can be computed like the output itself.
    fn transposed(&self, _g: &mut Graph, _inputs: &[Value]) -> Option<Value> {
        None
    }
}

/// What an op's gradient rule is given.
#[derive(Debug)]
pub struct Gradient {
    /// The node's inputs.
    pub inputs: Vec<Value>,
    /// The node's outputs.
    pub outputs: Vec<Value>,
    /// Gradient of each output; `None` where it is zero. At least one is present.
    pub douts: Vec<Option<Value>>,
    /// Whether the gradient of each input is wanted.
    pub needs: Vec<bool>,
}

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
