//! Reductions along rows.

use samora_shaders::{
    Access, Binary, Expr, Kernel, Leaf, Reduce, Rows, RowsOutput, Scalar, Stage, Unary, View,
};

use super::cases::{READ, WRITE};

/// Softmax over the last dimension, with the log-sum-exp of each row.
pub(crate) fn softmax(len: usize) -> Kernel {
    let nodes = vec![
        Scalar::Leaf(0),
        Scalar::Reduced(0),
        Scalar::Binary(Binary::Sub, 0, 1),
        Scalar::Unary(Unary::Exp, 2),
        Scalar::Reduced(1),
        Scalar::Binary(Binary::Div, 3, 4),
        Scalar::Unary(Unary::Log, 4),
        Scalar::Binary(Binary::Add, 1, 6),
    ];
    let stage = |reduce, value| Stage { reduce, value };
    Kernel::Rows(Rows {
        rows: View {
            shape: vec![50],
            strides: vec![len],
            offset: 0,
        },
        cols: View::contiguous(&[len]),
        bindings: vec![READ, WRITE, WRITE],
        leaves: vec![identity(0, &[50, len])],
        expr: Expr { nodes },
        stages: vec![stage(Reduce::Max, 0), stage(Reduce::Sum, 3)],
        outputs: vec![
            RowsOutput::Element {
                buffer: 1,
                value: 5,
            },
            RowsOutput::Row {
                buffer: 2,
                value: 7,
            },
        ],
    })
}

/// `scale·x / |x|` for the rows of `[4096, 48]`.
pub(crate) fn scaled_norm() -> Kernel {
    let nodes = vec![
        Scalar::Leaf(0),
        Scalar::Binary(Binary::Mul, 0, 0),
        Scalar::Reduced(0),
        Scalar::Unary(Unary::Sqrt, 2),
        Scalar::Binary(Binary::Div, 0, 3),
        Scalar::Leaf(1),
        Scalar::Binary(Binary::Mul, 4, 5),
    ];
    let scale = Leaf {
        buffer: 1,
        access: Access::Strided(View {
            shape: vec![4096, 48],
            strides: vec![0, 1],
            offset: 0,
        }),
    };
    Kernel::Rows(Rows {
        rows: View {
            shape: vec![4096],
            strides: vec![48],
            offset: 0,
        },
        cols: View::contiguous(&[48]),
        bindings: vec![READ, READ, WRITE],
        leaves: vec![identity(0, &[4096, 48]), scale],
        expr: Expr { nodes },
        stages: vec![Stage {
            reduce: Reduce::Sum,
            value: 1,
        }],
        outputs: vec![RowsOutput::Element {
            buffer: 2,
            value: 6,
        }],
    })
}

/// Sums of `[4096, 768]` over the first dimension.
pub(crate) fn column_sums() -> Kernel {
    Kernel::Rows(Rows {
        rows: View::contiguous(&[768]),
        cols: View {
            shape: vec![4096],
            strides: vec![768],
            offset: 0,
        },
        bindings: vec![READ, WRITE],
        leaves: vec![identity(0, &[4096, 768])],
        expr: Expr {
            nodes: vec![Scalar::Leaf(0), Scalar::Reduced(0)],
        },
        stages: vec![Stage {
            reduce: Reduce::Sum,
            value: 0,
        }],
        outputs: vec![RowsOutput::Row {
            buffer: 1,
            value: 1,
        }],
    })
}

/// The largest of each row of `[50, 768]` and its place.
pub(crate) fn largest() -> Kernel {
    let rows = View {
        shape: vec![50],
        strides: vec![768],
        offset: 0,
    };
    place_of_largest(rows, View::contiguous(&[768]))
}

/// The largest of each window of `[1024, 9, 16]`, channel by channel, and its place.
pub(crate) fn pooling() -> Kernel {
    let rows = View {
        shape: vec![1024, 16],
        strides: vec![144, 1],
        offset: 0,
    };
    let cols = View {
        shape: vec![9],
        strides: vec![16],
        offset: 0,
    };
    place_of_largest(rows, cols)
}

fn place_of_largest(rows: View, cols: View) -> Kernel {
    Kernel::Rows(Rows {
        leaves: vec![identity(0, &[rows.len() * cols.len()])],
        rows,
        cols,
        bindings: vec![READ, WRITE, WRITE],
        expr: Expr {
            nodes: vec![Scalar::Leaf(0), Scalar::Reduced(0), Scalar::ReducedAt(0)],
        },
        stages: vec![Stage {
            reduce: Reduce::Max,
            value: 0,
        }],
        outputs: vec![
            RowsOutput::Row {
                buffer: 1,
                value: 1,
            },
            RowsOutput::Row {
                buffer: 2,
                value: 2,
            },
        ],
    })
}

fn identity(buffer: usize, shape: &[usize]) -> Leaf {
    Leaf {
        buffer,
        access: Access::Strided(View::contiguous(shape)),
    }
}
