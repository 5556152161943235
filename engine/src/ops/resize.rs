//! Bilinear resize with `align_corners = false`, one axis at a time. Along an axis of extent
//! `from`, output `o` of `to` reads `s = max((o + ½)·from/to − ½, 0)` between `⌊s⌋` and `⌊s⌋ + 1`.

use samora_shaders::reference::taps;
use samora_shaders::{Access, Leaf};

use super::pointwise::map;
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Images `[b, h, w, c]` to `[b, oh, ow, c]`, as PyTorch's `interpolate(mode="bilinear",
    /// align_corners=False)`.
    pub fn resize_bilinear(&mut self, x: Value, oh: usize, ow: usize) -> Value {
        let [_, h, w, _] = self.dims::<4>(x);
        // The axis that shrinks most goes first: less is left for the other.
        let order = match oh * w <= ow * h {
            true => [(1, oh), (2, ow)],
            false => [(2, ow), (1, oh)],
        };
        let x = self.resize_axis(x, order[0].0, order[0].1);
        self.resize_axis(x, order[1].0, order[1].1)
    }

    /// Linear resize of one axis to extent `to`.
    pub fn resize_axis(&mut self, x: Value, axis: usize, to: usize) -> Value {
        match self.shape(x).get(axis).copied() {
            Some(from) if from == to => x,
            from => {
                let from = from.unwrap_or(0);
                let op = Resize {
                    axis,
                    from,
                    to,
                    adjoint: false,
                };
                self.push(op, &[x])
            }
        }
    }
}

/// Resizes `axis` from `from` to `to`, or applies the adjoint of that, back to `from`.
#[derive(Clone, Copy, Debug)]
struct Resize {
    axis: usize,
    from: usize,
    to: usize,
    adjoint: bool,
}

impl Op for Resize {
    fn name(&self) -> &'static str {
        if self.adjoint {
            "resize_adjoint"
        } else {
            "resize"
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let mut shape = inputs[0].shape.clone();
        let result = if self.adjoint { self.from } else { self.to };
        match shape.get_mut(self.axis) {
            Some(extent) if self.to > 0 => *extent = result,
            _ => {
                return Err(format!(
                    "cannot resize axis {} of {shape:?} to {}",
                    self.axis, self.to
                ));
            }
        }
        Ok(vec![Type::f32(&shape)])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let outer: usize = x.shape[..self.axis].iter().product();
        let inner: usize = x.shape[self.axis + 1..].iter().product();
        let mut shape = x.shape.clone();
        shape[self.axis] = if self.adjoint { self.from } else { self.to };
        let mut out = vec![0.0f64; shape.iter().product()];
        for (b, o, i) in (0..outer * self.to * inner)
            .map(|n| (n / inner / self.to, n / inner % self.to, n % inner))
        {
            let (low, high, fraction) = taps(o, self.from, self.to);
            let wide = (b * self.to + o) * inner + i;
            for (tap, weight) in [(low, 1.0 - fraction), (high, fraction)] {
                let narrow = (b * self.from + tap) * inner + i;
                match self.adjoint {
                    true => out[narrow] += weight * x.at(wide),
                    false => out[wide] += weight * x.at(narrow),
                }
            }
        }
        vec![Tensor::f32(&shape, out.iter().map(|&v| v as f32).collect())]
    }

    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let outer = shape[..self.axis].iter().product();
        let inner = shape[self.axis + 1..].iter().product();
        let (from, to) = (self.from, self.to);
        let access = match self.adjoint {
            false => Access::Resize {
                outer,
                from,
                to,
                inner,
            },
            true => Access::ResizeAdjoint {
                outer,
                from,
                to,
                inner,
            },
        };
        let mut f = Formula::default();
        let value = f.leaf(0);
        Lowering::Map(map(
            outputs[0].len(),
            vec![Leaf { buffer: 0, access }],
            f.0,
            value,
        ))
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let other = Self {
            adjoint: !self.adjoint,
            ..*self
        };
        vec![ctx.douts[0].map(|dy| g.push(other, &[dy]))]
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "resize up and down",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 7, 2]);
            vec![g.resize_bilinear(x, 8, 4)]
        },
    },
    Case {
        name: "resize by whole factors",
        build: |g| {
            let x = operand(g, "x", &[1, 4, 6, 3]);
            vec![g.resize_bilinear(x, 16, 2)]
        },
    },
    Case {
        name: "resize the first axis to one",
        build: |g| {
            let x = operand(g, "x", &[5, 3]);
            vec![g.resize_axis(x, 0, 1)]
        },
    },
];
