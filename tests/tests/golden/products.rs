//! Matrix products.

use samora_shaders::{Access, Binary, Expr, Gemm, Kernel, Leaf, Operand, Output, Scalar, View};

use super::cases::{READ, WRITE};

/// x·Wᵀ + bias.
pub(crate) fn linear([m, n, k]: [usize; 3]) -> Kernel {
    let bias = View {
        shape: vec![m, n],
        strides: vec![0, 1],
        offset: 0,
    };
    let leaf = Leaf {
        buffer: 2,
        access: Access::Strided(bias),
    };
    let nodes = [
        Scalar::Acc,
        Scalar::Leaf(0),
        Scalar::Binary(Binary::Add, 0, 1),
    ];
    let b = View::contiguous(&[n, k]).permute(&[1, 0]);
    product([m, n, k], [View::contiguous(&[m, k]), b], &[leaf], &nodes)
}

/// xᵀ·y.
pub(crate) fn transposed([m, n, k]: [usize; 3]) -> Kernel {
    let a = View::contiguous(&[k, m]).permute(&[1, 0]);
    let b = View::contiguous(&[k, n]);
    product([m, n, k], [a, b], &[], &[Scalar::Acc])
}

/// x·y of square matrices.
pub(crate) fn square(side: usize) -> Kernel {
    let view = || View::contiguous(&[side, side]);
    product([side; 3], [view(), view()], &[], &[Scalar::Acc])
}

/// A product of the first two buffers; leaves read the third, the last node is stored in the last.
fn product([m, n, k]: [usize; 3], [a, b]: [View; 2], leaves: &[Leaf], nodes: &[Scalar]) -> Kernel {
    let mut bindings = vec![READ; 2 + leaves.len()];
    bindings.push(WRITE);
    Kernel::Gemm(Gemm {
        batch: 1,
        m,
        n,
        k,
        a: Operand {
            buffer: 0,
            view: a,
            access: None,
        },
        b: Operand {
            buffer: 1,
            view: b,
            access: None,
        },
        outputs: vec![Output {
            buffer: bindings.len() - 1,
            value: nodes.len() - 1,
        }],
        bindings,
        leaves: leaves.to_vec(),
        expr: Expr {
            nodes: nodes.to_vec(),
        },
    })
}
