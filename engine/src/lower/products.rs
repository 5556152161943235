//! Lowering of matrix products and attention, whose operands are strided views.

use samora_shaders::{
    Access, Attention, Axis, Binary, Expr, Gemm, Leaf, Operand, Output, Scalar, View,
};

use super::{Body, Buffer, Lower, LoweredNode};
use crate::Value;
use crate::ops::pointwise::map;

/// Numbers to whose multiples parts of buffers start, so that they can be read four at a time.
const ALIGNMENT: usize = 4;

impl Lower<'_> {
    /// Operands are read through whatever view they have.
    pub(super) fn gemm(&mut self, n: usize) -> (Body, Vec<Buffer>) {
        let node = &self.graph.nodes()[n];
        let (a, av, a_access) = self.operand(node.inputs[0]);
        let (b, bv, b_access) = self.operand(node.inputs[1]);
        let r = av.shape.len();
        let gemm = Gemm {
            batch: av.shape[..r - 2].iter().product(),
            m: av.shape[r - 2],
            k: av.shape[r - 1],
            n: bv.shape[r - 1],
            a: Operand {
                buffer: 0,
                view: av,
                access: a_access,
            },
            b: Operand {
                buffer: usize::from(a != b),
                view: bv,
                access: b_access,
            },
            bindings: Vec::new(),
            leaves: Vec::new(),
            expr: Expr {
                nodes: vec![Scalar::Acc],
            },
            outputs: vec![Output {
                buffer: 0,
                value: 0,
            }],
        };
        let inputs = if a == b { vec![a] } else { vec![a, b] };
        (Body::Gemm(gemm), inputs)
    }

    /// Where an operand is. What only moves elements before the product, such as windows of an image or weights in
    /// another order, is left to the product on devices that can.
    fn operand(&self, v: Value) -> (Buffer, View, Option<Access>) {
        let (buffer, view) = self.at(v);
        let moved = || {
            let Buffer::Computed { node, .. } = buffer else {
                return None;
            };
            let LoweredNode {
                body: Body::Map(m),
                inputs,
                ..
            } = &self.nodes[node]
            else {
                return None;
            };
            let ([leaf], [Scalar::Leaf(0)]) = (&m.leaves[..], &m.expr.nodes[..]) else {
                return None;
            };
            let from = inputs[leaf.buffer];
            match (&leaf.access, from) {
                (Access::Affine { .. }, _) | (Access::Strided(_), Buffer::Source(_)) => {
                    Some((from, leaf.access.clone()))
                }
                _ => None,
            }
        };
        match self.direct.then(moved).flatten() {
            Some((from, access)) => (from, view, Some(access)),
            None => (buffer, view, None),
        }
    }

    /// Queries, keys and values may be column slices of a wider row, and of one buffer; other inputs follow each other
    /// in theirs. Where the kernel would bind too many, what is not rows of heads is packed into one.
    pub(super) fn attention(&mut self, mut a: Attention, n: usize) -> (Body, Vec<Buffer>) {
        let node = &self.graph.nodes()[n];
        let (inputs, outputs) = (node.inputs.clone(), node.types.len());
        let mut buffers: Vec<Buffer> = Vec::new();
        for rows in a.operands_mut() {
            let v = inputs[rows.buffer];
            let (root, view) = self.at(v);
            let fits = view.shape.len() == 3
                && view.strides[2] == 1
                && (view.shape[0] == 1 || view.strides[0] == view.shape[1] * view.strides[1]);
            let buffer = if fits {
                rows.offset += view.offset;
                rows.row_stride = view.strides[1];
                root
            } else {
                self.contiguous(v)
            };
            rows.buffer = position_or_push(&mut buffers, buffer);
        }
        if let Some(dout) = a.dout_mut() {
            let buffer = self.contiguous(inputs[*dout]);
            *dout = position_or_push(&mut buffers, buffer);
        }
        let values: Vec<Value> = a.parts_mut().iter().map(|p| inputs[p.buffer]).collect();
        let mut parts: Vec<(Buffer, usize)> = values.iter().map(|v| self.part(*v)).collect();
        let mut all = buffers.clone();
        for (buffer, _) in &parts {
            position_or_push(&mut all, *buffer);
        }
        if all.len() + outputs > self.bindings {
            parts = self.pack(&values);
        }
        for (part, (buffer, offset)) in a.parts_mut().into_iter().zip(parts) {
            part.buffer = position_or_push(&mut buffers, buffer);
            part.offset = offset;
        }
        for output in a.outputs_mut() {
            *output = *output - inputs.len() + buffers.len();
        }
        (Body::Attention(a), buffers)
    }

    /// A buffer in which a value's numbers follow each other, and where they start.
    fn part(&mut self, v: Value) -> (Buffer, usize) {
        let (root, view) = self.at(v);
        match view.is_contiguous() && view.offset.is_multiple_of(ALIGNMENT) {
            true => (root, view.offset),
            false => (self.contiguous(v), 0),
        }
    }

    /// Copies values into one buffer, and returns where each is.
    fn pack(&mut self, values: &[Value]) -> Vec<(Buffer, usize)> {
        let (mut inputs, mut starts, mut len) = (Vec::new(), Vec::new(), 0);
        for v in values {
            let buffer = self.contiguous(*v);
            let at = position_or_push(&mut inputs, buffer);
            if at == starts.len() {
                starts.push(len);
                len = (len + self.graph.ty(*v).len()).next_multiple_of(ALIGNMENT);
            }
        }
        let places = values.iter().map(|v| {
            let buffer = self.contiguous(*v);
            starts[position_or_push(&mut inputs, buffer)]
        });
        let places: Vec<usize> = places.collect();
        let mut expr = Expr::default();
        let mut sum = None;
        let mut leaves = Vec::new();
        for (buffer, start) in starts.iter().enumerate() {
            let size = match inputs[buffer] {
                Buffer::Source(s) => self.graph.ty(self.graph.sources()[s].value).len(),
                Buffer::Computed { node, output } => self.nodes[node].lens[output],
            };
            let access = Access::Affine {
                shape: vec![len],
                axes: vec![Axis {
                    coef: vec![1],
                    shift: -(*start as i64),
                    div: 1,
                    size,
                    stride: 1,
                }],
                offset: 0,
                fill: 0.0,
            };
            leaves.push(Leaf { buffer, access });
            let own = expr.push(Scalar::Leaf(buffer));
            sum = Some(match sum {
                // All but one are 0.
                Some(others) => expr.push(Scalar::Binary(Binary::Add, others, own)),
                None => own,
            });
        }
        let body = Body::Map(map(len, leaves, expr, sum.unwrap_or(0)));
        let (label, phase) = &self.current;
        let node = self.push(LoweredNode {
            body,
            inputs,
            lens: vec![len],
            label: format!("{label}.pack"),
            phase: *phase,
        });
        let packed = Buffer::Computed { node, output: 0 };
        places.into_iter().map(|start| (packed, start)).collect()
    }
}

fn position_or_push(buffers: &mut Vec<Buffer>, buffer: Buffer) -> usize {
    match buffers.iter().position(|b| *b == buffer) {
        Some(at) => at,
        None => {
            buffers.push(buffer);
            buffers.len() - 1
        }
    }
}
