//! Batched matrix product: `y[…, m, n] = Σ_k a[…, m, k]·b[…, k, n]`.
//!
//! Transposed operands are views, so one op covers NN, NT and TN.

use crate::cases::{Case, operand};
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

/// A product has enough results for a device if so many tiles of this side cover them …
const TILES: usize = 192;
const TILE: usize = 128;
/// … else its sums are worth cutting into parts of at least this length, a multiple of what kernels stage at once.
const PART: usize = 1024;
const STAGE: usize = 32;

#[derive(Debug)]
struct Matmul;

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
            let y = self.push(Matmul, &[flat, b]);
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
        self.push(Matmul, &[a, b])
    }

    /// The transpose of a matrix product, as the product of its transposed operands; `None` for
    /// anything else. The gradient of a transposed weight then arrives in the weight's own layout,
    /// and the update can be part of the product's kernel.
    pub(crate) fn transposed_product(&mut self, x: Value) -> Option<Value> {
        if self.shape(x).len() != 2 {
            return None;
        }
        let parts = self.parts(x);
        let (a, b) = self.factors(parts.unwrap_or(x))?;
        let (a, b) = (self.transpose(a), self.transpose(b));
        let y = self.push(Matmul, &[b, a]);
        Some(match parts {
            Some(_) => self.sum(y, &[0]),
            None => y,
        })
    }

    /// What a matrix product multiplies.
    fn factors(&self, x: Value) -> Option<(Value, Value)> {
        let node = self.nodes().get(x.node)?;
        match node.inputs[..] {
            [a, b] if node.op.name() == Matmul.name() => Some((a, b)),
            _ => None,
        }
    }

    /// The batch of products of which a matrix is the sum.
    fn parts(&self, x: Value) -> Option<Value> {
        let node = self.nodes().get(x.node)?;
        let &[y] = &node.inputs[..] else {
            return None;
        };
        self.factors(y)?;
        // The shapes say which axis is summed, unless there are as many parts as rows.
        match (self.shape(y), self.shape(x)) {
            ([parts, m, n], [rows, cols]) if (m, n) == (rows, cols) && parts != m => {
                (node.op.name() == "sum").then_some(y)
            }
            _ => None,
        }
    }

    /// The product of matrices of equal batches. Gradients of weights have few results, each of which sums over all
    /// tokens: parts of the sums become products of their own, so that a device has more to do at once.
    fn long_product(&mut self, a: Value, b: Value) -> Value {
        let (left, right) = (self.shape(a).to_vec(), self.shape(b).to_vec());
        let ([lead @ .., m, k], [.., n]) = (&left[..], &right[..]) else {
            return self.push(Matmul, &[a, b]);
        };
        let (m, k, n) = (*m, *k, *n);
        let batch: usize = lead.iter().product();
        let tiles = batch * m.div_ceil(TILE) * n.div_ceil(TILE);
        let most = (TILES / tiles.max(1)).min(k / PART);
        let even = |parts: &usize| k.is_multiple_of(parts * STAGE);
        let Some(parts) = (2..=most).rev().find(even) else {
            return self.push(Matmul, &[a, b]);
        };
        let at = lead.len();
        let a = self.reshape(a, &[lead, &[m, parts, k / parts]].concat());
        let order: Vec<usize> = (0..at).chain([at + 1, at, at + 2]).collect();
        let a = self.permute(a, &order);
        let b = self.reshape(b, &[lead, &[parts, k / parts, n]].concat());
        let products = self.push(Matmul, &[a, b]);
        self.sum(products, &[at])
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
            g.long_product(at, dy)
        });
        let da = ctx.needs[0].then(|| {
            let bt = g.transpose(b);
            g.push(Self, &[dy, bt])
        });
        vec![da, db]
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
