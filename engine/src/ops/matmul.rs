//! Batched matrix product: `y[…, m, n] = Σ_k a[…, m, k]·b[…, k, n]`.
//!
//! Transposed operands are views, so one op covers NN, NT and TN.

use crate::cases::{Case, operand};
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

/// A product has enough results for a device if tiles of this side that cover them keep all its workers busy …
const TILE: usize = 128;
/// … else the sums are worth cutting into parts of at least this length, a multiple of what kernels stage at once.
const PART: usize = 1024;
const STAGE: usize = 32;

#[derive(Debug)]
struct Matmul {
    /// Whether it is the gradient of a right operand, such as a weight: few results, each of which sums over all
    /// tokens.
    of_weight: bool,
}

/// Any other product.
const PRODUCT: Matmul = Matmul { of_weight: false };

impl Graph {
    /// Matrix product over the last two dimensions; leading dimensions broadcast.
    pub fn matmul(&mut self, a: Value, b: Value) -> Value {
        let (sa, sb) = (self.shape(a).to_vec(), self.shape(b).to_vec());
        if sa.len() < 2 || sb.len() < 2 {
            self.fail("matmul", format!("operands have shapes {sa:?} and {sb:?}"));
            return a;
        }
        // A matrix on the right takes all rows of `a` at once: one large product instead of a batch.
        if sb.len() == 2 && sa.len() > 2 {
            let rows = sa[..sa.len() - 1].iter().product();
            let flat = self.reshape(a, &[rows, sa[sa.len() - 1]]);
            let y = self.push(PRODUCT, &[flat, b]);
            let mut shape = sa;
            if let Some(last) = shape.last_mut() {
                *last = sb[1];
            }
            return self.reshape(y, &shape);
        }
        let rank = sa.len().max(sb.len());
        let lead = |s: &[usize]| [vec![1; rank - s.len()], s[..s.len() - 2].to_vec()].concat();
        let batch: Vec<usize> = lead(&sa)
            .iter()
            .zip(lead(&sb))
            .map(|(&x, y)| x.max(y))
            .collect();
        let a = self.broadcast(a, &[&batch[..], &sa[sa.len() - 2..]].concat());
        let b = self.broadcast(b, &[&batch[..], &sb[sb.len() - 2..]].concat());
        self.push(PRODUCT, &[a, b])
    }
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        let r = a.len();
        if r != b.len() || a[..r - 2] != b[..r - 2] || a[r - 1] != b[r - 2] {
            return Err(format!("cannot multiply {a:?} by {b:?}"));
        }
        Ok(vec![Type::f32(&[&a[..r - 1], &b[r - 1..]].concat())])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (a, b) = (inputs[0], inputs[1]);
        let r = a.shape.len();
        let (m, k, n) = (a.shape[r - 2], a.shape[r - 1], b.shape[r - 1]);
        let batch: usize = a.shape[..r - 2].iter().product();
        let (x, y) = (a.as_f32(), b.as_f32());
        let mut out = Vec::with_capacity(batch * m * n);
        let mut row = vec![0.0f64; n];
        for i in 0..batch * m {
            row.fill(0.0);
            let right = &y[i / m * k * n..];
            for (p, &xv) in x[i * k..(i + 1) * k].iter().enumerate() {
                for (acc, &yv) in row.iter_mut().zip(&right[p * n..(p + 1) * n]) {
                    *acc += f64::from(xv) * f64::from(yv);
                }
            }
            out.extend(row.iter().map(|&v| v as f32));
        }
        vec![Tensor::f32(&[&a.shape[..r - 1], &[n]].concat(), out)]
    }

    fn lower(&self, _: &[Type], _: &[Type]) -> Lowering {
        Lowering::Gemm
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None, None];
        };
        let (a, b) = (ctx.inputs[0], ctx.inputs[1]);
        // The right one first, weights as a rule: what it reads is often as large as the left one.
        let db = ctx.needs[1].then(|| {
            let at = g.transpose(a);
            g.push(Self { of_weight: true }, &[at, dy])
        });
        let da = ctx.needs[0].then(|| {
            let bt = g.transpose(b);
            g.push(PRODUCT, &[dy, bt])
        });
        vec![da, db]
    }

    /// Parts of the sums become products of their own.
    fn split(&self, g: &mut Graph, inputs: &[Value], workers: usize) -> Option<Value> {
        let (a, b) = (inputs[0], inputs[1]);
        let (left, right) = (g.shape(a).to_vec(), g.shape(b).to_vec());
        let ([lead @ .., m, k], [.., n]) = (&left[..], &right[..]) else {
            return None;
        };
        let (m, k, n) = (*m, *k, *n);
        let batch: usize = lead.iter().product();
        let tiles = batch * m.div_ceil(TILE) * n.div_ceil(TILE);
        let most = (workers / tiles.max(1)).min(k / PART);
        let even = |parts: &usize| k.is_multiple_of(parts * STAGE);
        let parts = (2..=most).rev().find(even).filter(|_| self.of_weight)?;
        let at = lead.len();
        let a = g.reshape(a, &[lead, &[m, parts, k / parts]].concat());
        let order: Vec<usize> = (0..at).chain([at + 1, at, at + 2]).collect();
        let a = g.permute(a, &order);
        let b = g.reshape(b, &[lead, &[parts, k / parts, n]].concat());
        let products = g.push(PRODUCT, &[a, b]);
        Some(g.sum(products, &[at]))
    }

    fn transposed(&self, g: &mut Graph, inputs: &[Value]) -> Option<Value> {
        if g.shape(inputs[0]).len() != 2 {
            return None;
        }
        let (a, b) = (g.transpose(inputs[0]), g.transpose(inputs[1]));
        Some(g.push(Self { ..*self }, &[b, a]))
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "matmul",
        build: |g| {
            let (a, b) = (operand(g, "a", &[3, 7]), operand(g, "b", &[7, 5]));
            vec![g.matmul(a, b)]
        },
    },
    Case {
        name: "matmul of a batch by one matrix",
        build: |g| {
            let (a, b) = (operand(g, "a", &[2, 3, 4, 5]), operand(g, "b", &[5, 3]));
            vec![g.matmul(a, b)]
        },
    },
    Case {
        name: "matmul of broadcast batches",
        build: |g| {
            let (a, b) = (operand(g, "a", &[2, 1, 3, 4]), operand(g, "b", &[3, 4, 2]));
            vec![g.matmul(a, b)]
        },
    },
    Case {
        name: "matmul of transposed operands",
        build: |g| {
            let (a, b) = (operand(g, "a", &[2, 4, 3]), operand(g, "b", &[2, 5, 4]));
            let (a, b) = (g.transpose(a), g.transpose(b));
            vec![g.matmul(a, b)]
        },
    },
    Case {
        name: "matmul by weights whose gradients sum over many rows",
        build: |g| {
            let x = operand(g, "x", &[2304, 3]);
            let (v, w) = (operand(g, "v", &[3, 2]), operand(g, "w", &[3, 3]));
            let w = g.transpose(w);
            vec![g.matmul(x, v), g.matmul(x, w)]
        },
    },
    Case {
        name: "matmul by a batch of weights whose gradients sum over many rows",
        build: |g| {
            let (x, w) = (operand(g, "x", &[2304, 2]), operand(g, "w", &[2, 2, 3]));
            vec![g.matmul(x, w)]
        },
    },
    Case {
        name: "matmul of a row by a column",
        build: |g| {
            let (a, b) = (operand(g, "a", &[1, 9]), operand(g, "b", &[9, 1]));
            vec![g.matmul(a, b)]
        },
    },
];
