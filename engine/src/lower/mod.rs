//! Lowering: graph nodes become kernel descriptions that read buffers through strided views.
//!
//! Views disappear here. A node that reads a view reads its root buffer with other strides; only
//! where strides cannot express the view (a reshape that merges permuted dimensions), or a kernel
//! cannot follow it, a copy is inserted.

mod products;

use std::collections::HashMap;

use samora_shaders::{Access, Attention, Axis, Expr, Gemm, Leaf, Map, Output, Rows, Scalar, View};

use crate::ops::pointwise::map;
use crate::{DType, Error, Graph, Lowering, Phase, Result, Value};

/// A buffer-producing value: a source of the graph or an output of a lowered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Buffer {
    /// Index into [`Graph::sources`].
    Source(usize),
    /// Output `output` of lowered node `node`.
    Computed {
        /// Index into [`Lowered::nodes`].
        node: usize,
        /// Which output.
        output: usize,
    },
}

/// What a lowered node computes. Buffer numbers index [`LoweredNode::inputs`] in leaves and
/// operands, and the node's outputs in outputs.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Map(Map),
    Rows(Rows),
    Gemm(Gemm),
    Attention(Attention),
}

/// A kernel-to-be.
#[derive(Clone, Debug)]
pub(crate) struct LoweredNode {
    pub(crate) body: Body,
    pub(crate) inputs: Vec<Buffer>,
    /// Elements of each output.
    pub(crate) lens: Vec<usize>,
    /// Op name and scope path, for plans and errors.
    pub(crate) label: String,
    /// The part of the step that it belongs to.
    pub(crate) phase: Phase,
}

/// A lowered graph.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) nodes: Vec<LoweredNode>,
    /// Where each requested value is, contiguous.
    pub(crate) values: HashMap<Value, Buffer>,
}

/// Lowers everything that `wanted` depends on, for kernels that bind at most so many buffers; with `direct`, products
/// find elements of operands themselves ([`samora_shaders::Operand::access`]).
pub(crate) fn lower(
    graph: &Graph,
    wanted: &[Value],
    bindings: usize,
    direct: bool,
) -> Result<Lowered> {
    let mut lowering = Lower {
        graph,
        bindings,
        direct,
        nodes: Vec::new(),
        views: vec![Vec::new(); graph.nodes().len()],
        copies: HashMap::new(),
        fills: HashMap::new(),
        current: (String::new(), Phase::Forward),
        refused: None,
    };
    for (index, source) in graph.sources().iter().enumerate() {
        let view = View::contiguous(graph.shape(source.value));
        lowering.views[source.value.node] = vec![(Buffer::Source(index), view)];
    }
    let mut needed = vec![false; graph.nodes().len()];
    wanted.iter().for_each(|v| needed[v.node] = true);
    for n in (0..needed.len()).rev() {
        if needed[n] {
            graph.nodes()[n]
                .inputs
                .iter()
                .for_each(|v| needed[v.node] = true);
        }
    }
    for n in (0..needed.len()).filter(|&n| needed[n]) {
        lowering.node(n)?;
    }
    let values = wanted.iter().map(|&v| (v, lowering.lasting(v))).collect();
    if let Some(error) = lowering.refused {
        return Err(error);
    }
    Ok(Lowered {
        nodes: lowering.nodes,
        values,
    })
}

struct Lower<'a> {
    graph: &'a Graph,
    bindings: usize,
    direct: bool,
    nodes: Vec<LoweredNode>,
    /// Where each output of each graph node is: a buffer and a view of it.
    views: Vec<Vec<(Buffer, View)>>,
    copies: HashMap<(Buffer, View), Buffer>,
    /// Lowered nodes that are constants.
    fills: HashMap<usize, f32>,
    /// Label and phase of the graph node being lowered.
    current: (String, Phase),
    /// The first value that would have to be copied and cannot be.
    refused: Option<Error>,
}

impl Lower<'_> {
    fn node(&mut self, n: usize) -> Result<()> {
        let node = &self.graph.nodes()[n];
        let ins: Vec<_> = node
            .inputs
            .iter()
            .map(|&v| self.graph.ty(v).clone())
            .collect();
        let label = self.graph.label(Value { node: n, output: 0 });
        self.current = (label.clone(), node.phase);
        let (body, inputs) = match node.op.lower(&ins, &node.types) {
            Lowering::Source => {
                if self.views[n].is_empty() {
                    let message = "is a placeholder left by an earlier mistake".into();
                    return Err(Error::Graph {
                        op: "source",
                        scope: node.scope.to_string(),
                        message,
                    });
                }
                return Ok(());
            }
            Lowering::View(f) => {
                let (buffer, view) = self.at(node.inputs[0]);
                let placed = match f.0(&view) {
                    Some(view) => (buffer, view),
                    // Only a reshape can fail: copy, and the result is row-major in its own shape.
                    None => (
                        self.copy(buffer, &view),
                        View::contiguous(&node.types[0].shape),
                    ),
                };
                self.views[n] = vec![placed];
                return Ok(());
            }
            Lowering::Map(mut m) => {
                let inputs = self.leaves(&mut m.leaves, &node.inputs, &mut m.expr);
                (Body::Map(m), inputs)
            }
            Lowering::Rows(mut r) => {
                let inputs = self.leaves(&mut r.leaves, &node.inputs, &mut r.expr);
                (Body::Rows(r), inputs)
            }
            Lowering::Gemm => self.gemm(n),
            Lowering::Attention(a) => self.attention(a, n),
        };
        let lens: Vec<usize> = node.types.iter().map(|t| t.len()).collect();
        let index = self.push(LoweredNode {
            body,
            inputs,
            lens,
            label,
            phase: node.phase,
        });
        self.views[n] = node
            .types
            .iter()
            .enumerate()
            .map(|(output, t)| {
                (
                    Buffer::Computed {
                        node: index,
                        output,
                    },
                    View::contiguous(&t.shape),
                )
            })
            .collect();
        Ok(())
    }

    fn push(&mut self, node: LoweredNode) -> usize {
        if let Body::Map(Map {
            leaves,
            expr,
            outputs,
            ..
        }) = &node.body
            && leaves.is_empty()
            && let [Output { value, .. }] = outputs[..]
            && let Scalar::Const(c) = expr.nodes[value]
        {
            self.fills.insert(self.nodes.len(), c);
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn at(&self, v: Value) -> (Buffer, View) {
        self.views[v.node][v.output].clone()
    }

    /// The value in a row-major buffer that no assignment overwrites.
    fn lasting(&mut self, v: Value) -> Buffer {
        let buffer = self.contiguous(v);
        let Buffer::Source(s) = buffer else {
            return buffer;
        };
        let source = self.graph.sources()[s].value;
        match self.graph.assigns().iter().any(|(t, _)| *t == source) {
            true => self.copy(buffer, &View::contiguous(self.graph.shape(v))),
            false => buffer,
        }
    }

    /// The value in a row-major buffer of its own.
    fn contiguous(&mut self, v: Value) -> Buffer {
        let (buffer, view) = self.at(v);
        let whole = match buffer {
            Buffer::Source(s) => self.graph.ty(self.graph.sources()[s].value).len(),
            Buffer::Computed { node, output } => self.nodes[node].lens[output],
        };
        match view.is_identity() && view.len() == whole {
            true => buffer,
            false => self.copy(buffer, &view),
        }
    }

    fn copy(&mut self, buffer: Buffer, view: &View) -> Buffer {
        let key = (buffer, view.clone());
        if let Some(&copy) = self.copies.get(&key) {
            return copy;
        }
        if let Buffer::Source(s) = buffer {
            let source = &self.graph.sources()[s];
            // Kernels compute f32 only.
            if self.graph.ty(source.value).dtype == DType::U32 {
                self.refused.get_or_insert_with(|| Error::Tensor {
                    name: source.name.clone(),
                    message: format!("is u32; {} cannot copy it", self.current.0),
                });
            }
        }
        let mut expr = Expr::default();
        let value = expr.push(Scalar::Leaf(0));
        let leaf = Leaf {
            buffer: 0,
            access: Access::Strided(view.clone()),
        };
        let body = Body::Map(map(view.len(), vec![leaf], expr, value));
        let (label, phase) = &self.current;
        let node = self.push(LoweredNode {
            body,
            inputs: vec![buffer],
            lens: vec![view.len()],
            label: format!("{label}.copy"),
            phase: *phase,
        });
        let copy = Buffer::Computed { node, output: 0 };
        self.copies.insert(key, copy);
        copy
    }

    /// Rewrites leaves from op inputs to buffers: constants are folded into the expression, strided
    /// views composed, anything else read from a contiguous buffer.
    fn leaves(&mut self, leaves: &mut Vec<Leaf>, inputs: &[Value], expr: &mut Expr) -> Vec<Buffer> {
        let mut buffers: Vec<Buffer> = Vec::new();
        let mut kept = Vec::new();
        for (k, mut leaf) in std::mem::take(leaves).into_iter().enumerate() {
            let mut to = Scalar::Leaf(kept.len());
            if !matches!(leaf.access, Access::Coord { .. }) {
                let v = inputs[leaf.buffer];
                if let Some(c) = self
                    .constant(v)
                    .filter(|_| matches!(leaf.access, Access::Strided(_)))
                {
                    to = Scalar::Const(c);
                } else {
                    self.bind(&mut leaf, v, inputs, &mut buffers);
                }
            }
            if matches!(to, Scalar::Leaf(_)) {
                kept.push(leaf);
            }
            // Leaves only move down, so an index already rewritten is never met again as `k`.
            expr.nodes
                .iter_mut()
                .filter(|s| **s == Scalar::Leaf(k))
                .for_each(|s| *s = to);
        }
        *leaves = kept;
        buffers
    }

    fn constant(&self, v: Value) -> Option<f32> {
        match self.at(v).0 {
            Buffer::Computed { node, .. } => self.fills.get(&node).copied(),
            Buffer::Source(_) => None,
        }
    }

    fn bind(&mut self, leaf: &mut Leaf, v: Value, inputs: &[Value], buffers: &mut Vec<Buffer>) {
        let mut place = |buffer: Buffer| match buffers.iter().position(|b| *b == buffer) {
            Some(at) => at,
            None => {
                buffers.push(buffer);
                buffers.len() - 1
            }
        };
        let (root, view) = self.at(v);
        let buffer = match &mut leaf.access {
            Access::Strided(own) => match compose(own, &view) {
                Some(both) => {
                    *own = both;
                    root
                }
                None => self.contiguous(v),
            },
            Access::Affine { axes, offset, .. } if walks(axes, &view) => {
                let strides = axes.iter_mut().zip(&view.strides);
                strides.for_each(|(axis, stride)| axis.stride = *stride);
                *offset += view.offset;
                root
            }
            Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } => {
                *ids = place(self.contiguous(inputs[*ids]));
                self.contiguous(v)
            }
            _ => self.contiguous(v),
        };
        leaf.buffer = place(buffer);
    }
}

/// Whether the axes of an affine access to a row-major tensor are its dimensions, so that they can be those of
/// any view of its shape.
fn walks(axes: &[Axis], view: &View) -> bool {
    let whole = View::contiguous(&view.shape);
    let axes = axes.iter().map(|axis| (axis.size, axis.stride));
    axes.eq(whole.shape.iter().copied().zip(whole.strides))
}

/// The view `own` (of a row-major tensor) read through `view` (of its root), when strides can
/// express it.
fn compose(own: &View, view: &View) -> Option<View> {
    if own.is_identity() {
        return match own.len() == view.len() {
            true => Some(view.clone()),
            false => None,
        };
    }
    if view.is_contiguous() {
        let mut both = own.clone();
        both.offset += view.offset;
        return Some(both);
    }
    None
}
