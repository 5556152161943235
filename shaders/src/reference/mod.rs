//! Host evaluation of single elements of a kernel's result, in f64, straight from the description.
//!
//! It is slow and independent of emission, and cheap for a few elements of any size: the start-up
//! self-test runs each kernel once on random data and compares samples with this.

mod attention;
mod leaf;
mod scalar;
mod words;

pub use leaf::{affine, coordinates, taps};
pub use scalar::{binary, select, unary};
pub use words::Words;

use crate::{Expr, Gemm, Id, Kernel, Leaf, Operand, Reduce, Rows, RowsOutput, Scalar};

/// Element `i` of binding `output` after `kernel` ran on `buffers`; `None` when the kernel does not
/// write that element.
///
/// The buffers must have the lengths the description implies.
pub fn element(kernel: &Kernel, buffers: &[Words], output: usize, i: usize) -> Option<f64> {
    match kernel {
        Kernel::Map(m) => {
            let value = m.outputs.iter().find(|o| o.buffer == output)?.value;
            (i < m.len).then(|| Element::new(&m.expr, &m.leaves, buffers, i).value(value))
        }
        Kernel::Gemm(g) => {
            let value = g.outputs.iter().find(|o| o.buffer == output)?.value;
            (i < g.batch * g.m * g.n).then(|| {
                let acc = product(g, buffers, i);
                Element {
                    acc,
                    ..Element::new(&g.expr, &g.leaves, buffers, i)
                }
                .value(value)
            })
        }
        Kernel::Rows(r) => rows(r, buffers, output, i),
        Kernel::Attention(a) => attention::element(a, buffers, output, i),
    }
}

/// Evaluation of an expression at one element.
struct Element<'a> {
    expr: &'a Expr,
    leaves: &'a [Leaf],
    buffers: &'a [Words],
    i: usize,
    acc: f64,
    /// Result of each finished stage, and its column where that is a maximum.
    reduced: &'a [(f64, usize)],
}

impl<'a> Element<'a> {
    fn new(expr: &'a Expr, leaves: &'a [Leaf], buffers: &'a [Words], i: usize) -> Self {
        Self {
            expr,
            leaves,
            buffers,
            i,
            acc: 0.0,
            reduced: &[],
        }
    }

    fn value(&self, id: Id) -> f64 {
        let mut values = Vec::with_capacity(id + 1);
        for scalar in &self.expr.nodes[..=id] {
            let v = match *scalar {
                Scalar::Leaf(k) => leaf::value(&self.leaves[k], self.buffers, self.i),
                Scalar::Acc => self.acc,
                Scalar::Reduced(k) => self.reduced.get(k).map_or(0.0, |r| r.0),
                Scalar::ReducedAt(k) => self.reduced.get(k).map_or(0.0, |r| r.1 as f64),
                Scalar::Const(c) => f64::from(c),
                Scalar::Unary(op, a) => unary(op, values[a]),
                Scalar::Binary(op, a, b) => binary(op, values[a], values[b]),
                Scalar::Select(c, a, b) => select(values[c], values[a], values[b]),
            };
            values.push(v);
        }
        values[id]
    }
}

fn product(g: &Gemm, buffers: &[Words], i: usize) -> f64 {
    let (n, m, b) = (i % g.n, i / g.n % g.m, i / g.n / g.m);
    let at = |o: &Operand, row: usize, col: usize| {
        let r = o.view.shape.len();
        let linear = (b * o.view.shape[r - 2] + row) * o.view.shape[r - 1] + col;
        let i = o.view.index(linear);
        match &o.access {
            None => buffers[o.buffer].at(i),
            Some(access) => {
                let leaf = Leaf {
                    buffer: o.buffer,
                    access: access.clone(),
                };
                let mut expr = Expr::default();
                let value = expr.push(Scalar::Leaf(0));
                Element::new(&expr, &[leaf], buffers, i).value(value)
            }
        }
    };
    (0..g.k).map(|k| at(&g.a, m, k) * at(&g.b, k, n)).sum()
}

fn rows(r: &Rows, buffers: &[Words], output: usize, i: usize) -> Option<f64> {
    let found = r.outputs.iter().find(|o| match o {
        RowsOutput::Element { buffer, .. } | RowsOutput::Row { buffer, .. } => *buffer == output,
    })?;
    let (row, value) = match *found {
        RowsOutput::Row { value, .. } => ((i < r.rows.len()).then_some(i)?, value),
        RowsOutput::Element { value, .. } => (row_of(r, i)?, value),
    };
    let base = r.rows.index(row);
    let mut reduced: Vec<(f64, usize)> = Vec::new();
    for stage in &r.stages {
        let at = |c: usize| {
            let element = Element::new(&r.expr, &r.leaves, buffers, base + r.cols.index(c));
            Element {
                reduced: &reduced,
                ..element
            }
            .value(stage.value)
        };
        let values = (0..r.cols.len()).map(at);
        reduced.push(match stage.reduce {
            Reduce::Sum => (values.sum(), 0),
            Reduce::Max => {
                let larger = |best: (f64, usize), (c, x): (usize, f64)| match x > best.0 {
                    true => (x, c),
                    false => best,
                };
                values.enumerate().fold((f64::MIN, 0), larger)
            }
        });
    }
    // A row output uses no leaf, so any element of the row will do.
    let i = if matches!(found, RowsOutput::Row { .. }) {
        base
    } else {
        i
    };
    Some(
        Element {
            reduced: &reduced,
            ..Element::new(&r.expr, &r.leaves, buffers, i)
        }
        .value(value),
    )
}

/// The row that holds linear element `i`.
fn row_of(r: &Rows, i: usize) -> Option<usize> {
    let all = r
        .rows
        .shape
        .iter()
        .zip(&r.rows.strides)
        .chain(r.cols.shape.iter().zip(&r.cols.strides));
    let mut dims: Vec<(usize, usize, usize)> = all
        .enumerate()
        .filter(|(_, (n, _))| **n > 1)
        .map(|(d, (n, s))| (*s, *n, d))
        .collect();
    dims.sort_unstable_by(|a, b| b.cmp(a));
    let mut coords = vec![0; r.rows.shape.len() + r.cols.shape.len()];
    let mut rest = i.checked_sub(r.rows.offset)?;
    for (stride, extent, d) in dims {
        coords[d] = (rest / stride).min(extent - 1);
        rest -= coords[d] * stride;
    }
    let row = r
        .rows
        .shape
        .iter()
        .zip(&coords)
        .fold(0, |row, (n, c)| row * n + c);
    (rest == 0).then_some(row)
}
