//! Padding and concatenation.

use super::Affine;
use crate::cases::{Case, operand};
use crate::{Graph, Value};

impl Graph {
    /// Zeros added along `axis`: `before` in front and `after` behind.
    pub fn pad(&mut self, x: Value, axis: usize, before: usize, after: usize) -> Value {
        self.pad_with(x, axis, before, after, 0.0)
    }

    /// Copies of `fill` added along `axis`: `before` in front and `after` behind.
    pub fn pad_with(
        &mut self,
        x: Value,
        axis: usize,
        before: usize,
        after: usize,
        fill: f32,
    ) -> Value {
        if before == 0 && after == 0 {
            return x;
        }
        let pad = Affine::Pad {
            axis,
            before,
            after,
            fill,
        };
        self.push(pad, &[x])
    }

    /// The tensors joined along `axis`; the other extents agree.
    pub fn concat(&mut self, xs: &[Value], axis: usize) -> Value {
        let extent = |g: &Self, x: Value| g.shape(x).get(axis).copied().unwrap_or(0);
        let total: usize = xs.iter().map(|&x| extent(self, x)).sum();
        let mut before = 0;
        let mut joined = None;
        for &x in xs {
            let len = extent(self, x);
            let part = self.pad(x, axis, before, total - before - len);
            before += len;
            joined = Some(match joined {
                Some(sum) if self.shape(sum) == self.shape(part) => self.add(sum, part),
                Some(sum) => {
                    let message = format!(
                        "{:?} does not continue {:?} along axis {axis}",
                        self.shape(x),
                        self.shape(sum)
                    );
                    self.fail("concat", message);
                    sum
                }
                None => part,
            });
        }
        joined.unwrap_or_else(|| {
            self.fail("concat", "nothing to join".into());
            self.scalar(0.0)
        })
    }

    /// The tensors, all of one shape, joined along a new dimension `axis`.
    pub fn stack(&mut self, xs: &[Value], axis: usize) -> Value {
        let parts: Vec<Value> = xs
            .iter()
            .map(|&x| {
                let mut shape = self.shape(x).to_vec();
                shape.insert(axis.min(shape.len()), 1);
                self.reshape(x, &shape)
            })
            .collect();
        self.concat(&parts, axis)
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "pad between two axes",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4]);
            vec![g.pad(x, 1, 2, 1)]
        },
    },
    Case {
        name: "pad with a constant",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            vec![g.pad_with(x, 1, 0, 3, -2.5)]
        },
    },
    Case {
        name: "pad of views",
        build: |g| {
            let x = operand(g, "x", &[3, 4, 16]);
            let columns = g.slice(x, 2, 4, 8);
            let turned = g.transpose(x);
            let turned = g.slice(turned, 1, 3, 5);
            vec![g.pad(columns, 2, 4, 0), g.pad(turned, 1, 1, 2)]
        },
    },
    Case {
        name: "concat of three",
        build: |g| {
            let xs = [(1, "a"), (3, "b"), (2, "c")].map(|(n, name)| operand(g, name, &[2, n, 3]));
            vec![g.concat(&xs, 1)]
        },
    },
    Case {
        name: "stack in the middle",
        build: |g| {
            let xs = ["a", "b", "c"].map(|name| operand(g, name, &[3, 5]));
            vec![g.stack(&xs, 1)]
        },
    },
];
