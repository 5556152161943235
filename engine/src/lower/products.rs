//! Lowering of matrix products and attention, whose operands are strided views.

use samora_shaders::{Attention, Expr, Gemm, Operand, Output, Scalar};

use super::{Body, Buffer, Lower};

impl Lower<'_> {
    /// Operands are read through whatever view they have.
    pub(super) fn gemm(&mut self, n: usize) -> (Body, Vec<Buffer>) {
        let node = &self.graph.nodes()[n];
        let (a, av) = self.at(node.inputs[0]);
        let (b, bv) = self.at(node.inputs[1]);
        let r = av.shape.len();
        let gemm = Gemm {
            batch: av.shape[..r - 2].iter().product(),
            m: av.shape[r - 2],
            k: av.shape[r - 1],
            n: bv.shape[r - 1],
            a: Operand {
                buffer: 0,
                view: av,
            },
            b: Operand {
                buffer: usize::from(a != b),
                view: bv,
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

    /// Queries, keys and values may be column slices of a wider row; other inputs are contiguous.
    pub(super) fn attention(&mut self, mut a: Attention, n: usize) -> (Body, Vec<Buffer>) {
        let inputs = self.graph.nodes()[n].inputs.clone();
        let mut buffers: Vec<Buffer> = Vec::new();
        for (k, &v) in inputs.iter().enumerate() {
            let (root, view) = self.at(v);
            let strided = [&mut a.q, &mut a.k, &mut a.v]
                .into_iter()
                .filter(|rows| rows.buffer == k);
            let rows: Vec<_> = strided.collect();
            let fits = !rows.is_empty()
                && view.shape.len() == 3
                && view.strides[2] == 1
                && (view.shape[0] == 1 || view.strides[0] == view.shape[1] * view.strides[1]);
            if fits {
                for r in rows {
                    r.offset += view.offset;
                    r.row_stride = view.strides[1];
                }
                buffers.push(root);
            } else {
                buffers.push(self.contiguous(v));
            }
        }
        (Body::Attention(a), buffers)
    }
}
