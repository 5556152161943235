//! The types of a graph: nodes, the ops they hold, and what extends it. An op's gradient rule appends nodes, so
//! that none of these can be without the others.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lowering::Lowering;
use crate::{Error, Init, Tensor, Type};

/// An output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Value {
    /// Index of the node.
    pub node: usize,
    /// Which of its outputs.
    pub output: usize,
}

/// One operation in the graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it does.
    pub op: Arc<dyn Op>,
    /// Its inputs, all earlier nodes.
    pub inputs: Vec<Value>,
    /// Types of its outputs.
    pub types: Vec<Type>,
    /// Scope path, such as `image_encoder.blocks.3.attn`.
    pub scope: Arc<str>,
    /// Which part of a step it belongs to.
    pub phase: Phase,
}

/// A part of a training step.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Phase {
    /// Up to the loss.
    #[default]
    Forward,
    /// Gradients.
    Backward,
    /// What is stored for the next step.
    Update,
}

/// What a source node stands for.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Fed before each step.
    Input,
    /// A weight, with its distribution when no checkpoint provides it.
    Param(Init),
    /// Kept between steps and changed by [`Graph::assign`]; starts at the given tensor.
    State(Tensor),
    /// A constant tensor.
    Constant(Tensor),
}

/// A named source of the graph.
#[derive(Clone, Debug)]
pub struct Source {
    /// Full name: scope path and own name joined by dots.
    pub name: String,
    /// What it stands for.
    pub kind: SourceKind,
    /// Its value.
    pub value: Value,
}

/// A computation: nodes, their sources, and what is assigned back to parameters and state.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) sources: Vec<Source>,
    pub(super) by_name: BTreeMap<String, usize>,
    pub(super) assigns: Vec<(Value, Value)>,
    pub(super) scope: Vec<String>,
    pub(super) phase: Phase,
    pub(super) error: Option<Error>,
    pub(super) random_sites: u32,
    /// Of the nodes that hold indices, what the indices must stay below.
    pub(super) index_limits: BTreeMap<usize, usize>,
}

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
