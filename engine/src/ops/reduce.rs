//! Sums, means and maxima over any set of dimensions.

use samora_shaders::{Expr, Reduce as Combine, Rows, RowsOutput, Scalar, Stage, View};

use super::pointwise::identity;
use crate::cases::{Case, distinct, operand};
use crate::{Gradient, Graph, Init, Lowering, Op, Tensor, Type, Value};

/// Of a device with so many workers …
const SPLIT_WORKERS: usize = 192;
/// … a sum with fewer results than this is worth splitting, if each sums more than so many elements …
const SPLIT: (usize, usize) = (64, 1024);
/// … and one with fewer than this if those lie apart: neighbouring invocations then read neighbouring rows.
const SPLIT_APART: (usize, usize) = (1 << 14, 512);
/// Stands for −∞, which shaders must not spell.
const LOWEST: f32 = -3.0e38;
/// Most elements of which a maximum is found: kernels compute places in f32.
const PLACES: usize = 1 << 24;

impl Graph {
    /// `y = Σ x` over `axes`, which disappear.
    pub fn sum(&mut self, x: Value, axes: &[usize]) -> Value {
        self.reduce(Combine::Sum, x, axes)
    }

    /// Mean over `axes`, which disappear.
    pub fn mean(&mut self, x: Value, axes: &[usize]) -> Value {
        let shape = self.shape(x);
        let count: usize = axes.iter().filter_map(|&a| shape.get(a)).product();
        let sum = self.sum(x, axes);
        self.scale(sum, 1.0 / count as f32)
    }

    /// Maximum over `axes`, which disappear. Of equal elements the first gets the gradient.
    pub fn max(&mut self, x: Value, axes: &[usize]) -> Value {
        self.reduce(Combine::Max, x, axes)
    }

    /// Sum over the dimensions along which `shape` broadcasts to the shape of `x`: the adjoint of
    /// [`Graph::broadcast`].
    pub fn sum_to(&mut self, x: Value, shape: &[usize]) -> Value {
        let from = self.shape(x).to_vec();
        let Some(lead) = from.len().checked_sub(shape.len()) else {
            self.fail("sum_to", format!("{from:?} to {shape:?}"));
            return x;
        };
        let summed = |&d: &usize| d < lead || (shape[d - lead] == 1 && from[d] != 1);
        let axes: Vec<usize> = (0..from.len()).filter(summed).collect();
        let y = self.sum(x, &axes);
        self.reshape(y, shape)
    }

    fn reduce(&mut self, combine: Combine, x: Value, axes: &[usize]) -> Value {
        let op = Reduce {
            combine,
            axes: axes.to_vec(),
        };
        let shape = self.shape(x).to_vec();
        if axes.iter().all(|&a| shape.get(a) == Some(&1)) {
            return self.reshape(x, &op.kept(&shape));
        }
        self.push(op, &[x])
    }
}

/// A sum; or a maximum with, as second output, its place among the reduced elements, counted from 0 in row-major
/// order of the reduced dimensions. The gradient goes by the place: the maximum itself may be rounded, or computed
/// again, before the gradient is.
#[derive(Clone, Debug)]
struct Reduce {
    combine: Combine,
    axes: Vec<usize>,
}

impl Reduce {
    /// Extents without the reduced ones.
    fn kept(&self, shape: &[usize]) -> Vec<usize> {
        let kept = (0..shape.len()).filter(|d| !self.axes.contains(d));
        kept.map(|d| shape[d]).collect()
    }

    /// Extents with the reduced ones set to 1.
    fn flattened(&self, shape: &[usize]) -> Vec<usize> {
        let extent = |d| if self.axes.contains(&d) { 1 } else { shape[d] };
        (0..shape.len()).map(extent).collect()
    }

    /// Kept and reduced dimensions as views of the linear elements of `shape`.
    fn views(&self, shape: &[usize]) -> (View, View) {
        let all = View::contiguous(shape);
        let (cols, rows): (Vec<_>, Vec<_>) = (0..shape.len()).partition(|d| self.axes.contains(d));
        (all.permute(&rows), all.permute(&cols))
    }

    /// The place of each element of `shape` among those it is reduced with.
    fn places(&self, g: &mut Graph, shape: &[usize]) -> Value {
        let axes = (0..shape.len()).filter(|d| self.axes.contains(d));
        let inner = |g: &mut Graph, outer: Value, axis: usize| {
            let outer = g.scale(outer, shape[axis] as f32);
            let coord = g.coord(shape, axis);
            g.add(outer, coord)
        };
        let place = axes.fold(None, |place, axis| {
            Some(match place {
                Some(outer) => inner(g, outer, axis),
                None => g.coord(shape, axis),
            })
        });
        place.unwrap_or_else(|| g.scalar(0.0))
    }

    /// Which axis to cut into how many chunks first, when that gives the device more to do at
    /// once. About √columns chunks balance both stages; a divisor within a factor 8 of that is
    /// taken, else the longest axis is padded.
    fn chunks(&self, shape: &[usize], workers: usize) -> Option<(usize, usize)> {
        let columns: usize = self.axes.iter().map(|&a| shape[a]).product();
        let rows: usize = self.kept(shape).iter().product();
        let apart = !self.axes.contains(&(shape.len() - 1));
        let (few, many) = if apart { SPLIT_APART } else { SPLIT };
        if rows >= few * workers / SPLIT_WORKERS || columns <= many {
            return None;
        }
        let ideal = columns.isqrt();
        let distance = |n: usize| n.max(ideal) as f64 / n.min(ideal) as f64;
        let divisors = self.axes.iter().flat_map(|&axis| {
            let n = shape[axis];
            let most = n.min(8 * ideal);
            (2..=most)
                .filter(move |&d| n.is_multiple_of(d))
                .map(move |d| (axis, d))
        });
        let best = divisors.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        let longest = self.axes.iter().copied().max_by_key(|&a| shape[a]);
        best.filter(|&(_, d)| distance(d) <= 8.0)
            .or(longest.map(|axis| (axis, ideal.min(shape[axis]))))
    }
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.combine {
            Combine::Sum => "sum",
            Combine::Max => "max",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let shape = &inputs[0].shape;
        let valid = |(k, a): (usize, &usize)| *a < shape.len() && !self.axes[..k].contains(a);
        if !self.axes.iter().enumerate().all(valid) {
            return Err(format!("cannot reduce axes {:?} of {shape:?}", self.axes));
        }
        let kept = Type::f32(&self.kept(shape));
        match self.combine {
            Combine::Sum => Ok(vec![kept]),
            Combine::Max if self.views(shape).1.len() <= PLACES => Ok(vec![kept.clone(), kept]),
            Combine::Max => Err(format!(
                "cannot find the largest of more than {PLACES} elements, axes {:?} of {shape:?}",
                self.axes
            )),
        }
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let (rows, cols) = self.views(&x.shape);
        let row = |r: usize| {
            let values = (0..cols.len()).map(|c| x.at(rows.index(r) + cols.index(c)));
            match self.combine {
                Combine::Sum => (values.sum::<f64>() as f32, 0.0),
                Combine::Max => {
                    let larger = |best: (f64, usize), (c, x): (usize, f64)| match x > best.0 {
                        true => (x, c),
                        false => best,
                    };
                    let start = (f64::from(LOWEST), 0);
                    let (largest, place) = values.enumerate().fold(start, larger);
                    (largest as f32, place as f32)
                }
            }
        };
        let (values, places) = (0..rows.len()).map(row).unzip();
        let mut outputs = vec![Tensor::f32(&rows.shape, values)];
        if self.combine == Combine::Max {
            outputs.push(Tensor::f32(&rows.shape, places));
        }
        outputs
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let (rows, cols) = self.views(&inputs[0].shape);
        let mut expr = Expr::default();
        let element = expr.push(Scalar::Leaf(0));
        let value = expr.push(Scalar::Reduced(0));
        let mut outputs = vec![RowsOutput::Row { buffer: 0, value }];
        if self.combine == Combine::Max {
            let value = expr.push(Scalar::ReducedAt(0));
            outputs.push(RowsOutput::Row { buffer: 1, value });
        }
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, &inputs[0].shape)],
            expr,
            stages: vec![Stage {
                reduce: self.combine,
                value: element,
            }],
            outputs,
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None];
        };
        let x = ctx.inputs[0];
        let shape = g.shape(x).to_vec();
        let flat = self.flattened(&shape);
        let dy = g.reshape(dy, &flat);
        let dy = g.broadcast(dy, &shape);
        if self.combine == Combine::Sum {
            return vec![Some(dy)];
        }
        let place = g.reshape(ctx.outputs[1], &flat);
        let places = self.places(g, &shape);
        let largest = g.eq(places, place);
        vec![Some(g.mul(dy, largest))]
    }

    /// A few long sums become many short ones, and sums of those. Maxima stay whole, for the sake of their places.
    fn split(&self, g: &mut Graph, inputs: &[Value], workers: usize) -> Option<Value> {
        let shape = g.shape(inputs[0]).to_vec();
        if self.combine == Combine::Max {
            return None;
        }
        let (axis, chunks) = self.chunks(&shape, workers)?;
        if self.axes.len() == shape.len() && self.axes.len() > 1 {
            // Neighbours stay together.
            let all = g.reshape(inputs[0], &[shape.iter().product()]);
            let whole = Self {
                combine: self.combine,
                axes: vec![0],
            };
            return Some(match whole.split(g, &[all], workers) {
                Some(sum) => sum,
                None => g.push(whole, &[all]),
            });
        }
        let extent = shape[axis];
        let padding = extent.next_multiple_of(chunks) - extent;
        let x = g.pad(inputs[0], axis, 0, padding);
        let mut shape = g.shape(x).to_vec();
        shape[axis] /= chunks;
        shape.insert(axis, chunks);
        let x = g.reshape(x, &shape);
        // Dimensions behind the new one have moved up; the new one is left for the second stage.
        let moved = self.axes.iter().map(|&a| if a >= axis { a + 1 } else { a });
        let first = Self {
            combine: self.combine,
            axes: moved.collect(),
        };
        let left = axis - self.axes.iter().filter(|&&a| a < axis).count();
        let partial = g.push(first, &[x]);
        let second = Self {
            combine: self.combine,
            axes: vec![left],
        };
        Some(g.push(second, &[partial]))
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "sum of the last axis",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            vec![g.sum(x, &[1])]
        },
    },
    Case {
        name: "sum of outer and inner axes",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4, 5]);
            vec![g.sum(x, &[2, 0])]
        },
    },
    Case {
        name: "sum of everything, in two stages",
        build: |g| {
            let x = operand(g, "x", &[3, 20, 35]);
            vec![g.sum(x, &[0, 1, 2])]
        },
    },
    Case {
        name: "sum of leading axes, in two stages",
        build: |g| {
            let x = operand(g, "x", &[2, 800, 3]);
            vec![g.sum(x, &[0, 1])]
        },
    },
    Case {
        name: "sum of a prime extent, in two stages",
        build: |g| {
            let x = operand(g, "x", &[2, 1031]);
            vec![g.sum(x, &[1])]
        },
    },
    Case {
        name: "mean of the middle axis",
        build: |g| {
            let x = operand(g, "x", &[2, 7, 3]);
            vec![g.mean(x, &[1])]
        },
    },
    Case {
        name: "max of the last axis",
        build: |g| {
            let x = distinct(g, "x", &[4, 7]);
            vec![g.max(x, &[1])]
        },
    },
    Case {
        name: "max of outer and inner axes",
        build: |g| {
            let x = distinct(g, "x", &[2, 3, 4, 5]);
            vec![g.max(x, &[2, 0])]
        },
    },
    Case {
        name: "max of rows in fours",
        build: |g| {
            let x = distinct(g, "x", &[3, 520]);
            vec![g.max(x, &[1])]
        },
    },
    Case {
        name: "max of columns in fours",
        build: |g| {
            // Far apart in each column alone, so that f32 resolves small steps.
            let shape = [2, 3, 32, 8];
            let level = |i: usize| ((i / 256 + i % 256) % 3) as f32;
            let levels = Tensor::f32(&shape, (0..1536).map(level).collect());
            let levels = g.constant("levels", levels);
            let x = g.param("x", &shape, Init::Normal(1.0));
            let x = g.scale(x, 0.125);
            let x = g.add(x, levels);
            vec![g.max(x, &[1])]
        },
    },
    Case {
        name: "max of long rows",
        build: |g| {
            let x = distinct(g, "x", &[70, 40]);
            vec![g.max(x, &[1])]
        },
    },
    Case {
        name: "max of a prime extent, in two stages",
        build: |g| {
            let x = distinct(g, "x", &[1031, 3]);
            vec![g.max(x, &[0])]
        },
    },
    Case {
        name: "sum to a broadcast shape",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4, 5]);
            vec![g.sum_to(x, &[3, 1, 5])]
        },
    },
];
