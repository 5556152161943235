//! The configurations whose text is golden.

use super::attention::{
    Pass, attention, biased_attention, long_sequence, strips_attention, tiled_attention, wide_heads,
};
use super::products::{linear, square, transposed};
use super::rows::{column_sums, largest, pooling, scaled_norm, softmax};
use samora_shaders::{
    Access, Axis, Binary, Binding, BufferType, Caps, Expr, Kernel, Leaf, Map, Output, Products,
    Scalar, Unary, View,
};

pub(crate) const READ: Binding = Binding {
    ty: BufferType::F32,
    write: false,
};
pub(crate) const WRITE: Binding = Binding {
    ty: BufferType::F32,
    write: true,
};
const IDS: Binding = Binding {
    ty: BufferType::U32,
    write: false,
};

/// File name, kernel and adapter of each.
pub(crate) fn cases() -> Vec<(&'static str, Kernel, Caps)> {
    let gpu = Caps {
        bindings: 12,
        ..Caps::portable()
    };
    let cpu = Caps::software();
    let discrete = Caps {
        subgroups: Some((32, 64)),
        workgroup_memory: 32768,
        ..gpu
    };
    let matrices = |products| Caps {
        subgroups: Some((32, 32)),
        workgroup_memory: 49152,
        products,
        ..gpu
    };
    let half = matrices(Products::Half { size: 16 });
    let half_8 = matrices(Products::Half { size: 8 });
    let split = matrices(Products::Split { size: 16 });
    vec![
        ("map_gelu", gelu(), gpu),
        ("map_gelu_f16", halved(gelu()), gpu),
        ("map_permute", strided(), gpu),
        ("map_im2col", im2col(), gpu),
        ("map_gather", gather(false), gpu),
        ("map_scatter_add", gather(true), gpu),
        ("map_resize", resize(false), gpu),
        ("map_resize_adjoint", resize(true), gpu),
        ("map_dropout_folded", dropout(), Caps { grid: 100, ..gpu }),
        ("rows_softmax_subgroup", softmax(768), discrete),
        ("rows_softmax_software", softmax(768), cpu),
        ("rows_softmax_workgroup", softmax(768), gpu),
        ("rows_softmax_invocation", softmax(4), gpu),
        ("rows_scaled_norm_software", scaled_norm(), cpu),
        ("rows_scaled_norm_subgroup", scaled_norm(), discrete),
        ("rows_column_sums_software", column_sums(), cpu),
        ("rows_column_sums_workgroup", column_sums(), gpu),
        ("rows_largest_software", largest(), cpu),
        ("rows_largest_subgroup", largest(), discrete),
        ("rows_largest_workgroup", largest(), gpu),
        ("rows_pooling_software", pooling(), cpu),
        ("rows_pooling_invocation", pooling(), gpu),
        ("gemm_linear_software", linear([64, 48, 32]), cpu),
        ("gemm_linear_workgroup", linear([64, 48, 32]), gpu),
        ("gemm_lora_down_software", linear([392, 4, 64]), cpu),
        ("gemm_odd_software", linear([5, 7, 3]), cpu),
        ("gemm_odd_workgroup", linear([5, 7, 3]), gpu),
        ("gemm_linear_half", linear([300, 130, 260]), half),
        ("gemm_odd_f16_workgroup", halved(linear([5, 7, 3])), gpu),
        (
            "gemm_linear_f16_half",
            halved(linear([256, 256, 256])),
            half,
        ),
        ("gemm_transposed_half", transposed([2048, 1536, 512]), half),
        ("gemm_square_half_8", square(256), half_8),
        ("gemm_square_f16_half", halved(square(2048)), half),
        ("gemm_linear_split", linear([256, 256, 128]), split),
        (
            "attention_sequence_software",
            attention(Pass::Forward, false),
            cpu,
        ),
        (
            "attention_window_workgroup",
            attention(Pass::Forward, true),
            gpu,
        ),
        (
            "attention_window_software",
            attention(Pass::Forward, true),
            cpu,
        ),
        ("attention_bias_workgroup", biased_attention(), gpu),
        (
            "attention_window_dq_workgroup",
            attention(Pass::Queries, true),
            gpu,
        ),
        (
            "attention_window_dq_software",
            attention(Pass::Queries, true),
            cpu,
        ),
        (
            "attention_window_dkv_workgroup",
            attention(Pass::Keys, true),
            gpu,
        ),
        (
            "attention_window_dkv_software",
            attention(Pass::Keys, true),
            cpu,
        ),
        ("attention_shared", long_sequence(Pass::Forward), discrete),
        (
            "attention_dq_shared",
            long_sequence(Pass::Queries),
            discrete,
        ),
        ("attention_dkv_shared", long_sequence(Pass::Keys), discrete),
        // Rows whose registers do not split among lanes.
        (
            "attention_72_alone",
            wide_heads(Pass::Forward, 72),
            discrete,
        ),
        (
            "attention_half",
            tiled_attention(Pass::Forward, false),
            half,
        ),
        (
            "attention_strips_half",
            strips_attention(Pass::Forward),
            half,
        ),
        (
            "attention_dq_strips_half",
            strips_attention(Pass::Queries),
            half,
        ),
        (
            "attention_f16_half",
            halved(tiled_attention(Pass::Forward, false)),
            half,
        ),
        (
            "attention_dq_half",
            tiled_attention(Pass::Queries, false),
            half,
        ),
        (
            "attention_dkv_half",
            tiled_attention(Pass::Keys, false),
            half,
        ),
        (
            "attention_window_half",
            tiled_attention(Pass::Forward, true),
            half,
        ),
        (
            "attention_window_dq_half",
            tiled_attention(Pass::Queries, true),
            half,
        ),
        (
            "attention_window_dkv_half",
            tiled_attention(Pass::Keys, true),
            half,
        ),
    ]
}

/// A pointwise kernel of one leaf; the last node is stored in the last binding.
fn map(len: usize, bindings: &[Binding], access: Access, nodes: &[Scalar]) -> Kernel {
    Kernel::Map(Map {
        len,
        bindings: bindings.to_vec(),
        leaves: vec![Leaf { buffer: 0, access }],
        expr: Expr {
            nodes: nodes.to_vec(),
        },
        outputs: vec![Output {
            buffer: bindings.len() - 1,
            value: nodes.len() - 1,
        }],
    })
}

/// GELU of an identity leaf: x/2·(1 + erf(x/√2)).
fn gelu() -> Kernel {
    let nodes = [
        Scalar::Leaf(0),
        Scalar::Const(std::f32::consts::FRAC_1_SQRT_2),
        Scalar::Binary(Binary::Mul, 0, 1),
        Scalar::Unary(Unary::Erf, 2),
        Scalar::Const(1.0),
        Scalar::Binary(Binary::Add, 3, 4),
        Scalar::Const(0.5),
        Scalar::Binary(Binary::Mul, 0, 6),
        Scalar::Binary(Binary::Mul, 5, 7),
    ];
    let view = View::contiguous(&[392, 256]);
    map(view.len(), &[READ, WRITE], Access::Strided(view), &nodes)
}

fn strided() -> Kernel {
    let view = View::contiguous(&[2, 3, 5, 7])
        .permute(&[0, 2, 3, 1])
        .slice(1, 1, 4);
    map(
        view.len(),
        &[READ, WRITE],
        Access::Strided(view),
        &[Scalar::Leaf(0)],
    )
}

/// The kernel with its rows of numbers as f16.
fn halved(mut kernel: Kernel) -> Kernel {
    let bindings = match &mut kernel {
        Kernel::Map(map) => &mut map.bindings,
        Kernel::Rows(rows) => &mut rows.bindings,
        Kernel::Gemm(gemm) => &mut gemm.bindings,
        // `lse` stays as it is.
        Kernel::Attention(a) => {
            let rows = a.rows();
            rows.into_iter()
                .for_each(|b| a.bindings[b].ty = BufferType::F16);
            return kernel;
        }
    };
    bindings.iter_mut().for_each(|b| b.ty = BufferType::F16);
    kernel
}

/// 3×3 patches, stride 2, padding 1, of a `[9, 9, 4]` image as `[5, 5, 3, 3, 4]`.
fn im2col() -> Kernel {
    let axis = |coef: [i64; 5], shift, size, stride| Axis {
        coef: coef.to_vec(),
        shift,
        div: 1,
        size,
        stride,
    };
    let access = Access::Affine {
        shape: vec![5, 5, 3, 3, 4],
        axes: vec![
            axis([2, 0, 1, 0, 0], -1, 9, 36),
            axis([0, 2, 0, 1, 0], -1, 9, 4),
            axis([0, 0, 0, 0, 1], 0, 4, 1),
        ],
        offset: 0,
        fill: 0.0,
    };
    map(900, &[READ, WRITE], access, &[Scalar::Leaf(0)])
}

/// Rows of a `[2, 10, 3]` table by 4 ids per batch, or the adjoint.
fn gather(adjoint: bool) -> Kernel {
    let rows = if adjoint { 10 } else { 4 };
    let view = |strides: [usize; 3]| View {
        shape: vec![2, rows, 3],
        strides: strides.to_vec(),
        offset: 0,
    };
    let (ids, ids_view, axis) = (1, view([4, 1, 0]), 1);
    let access = if adjoint {
        Access::ScatterAdd {
            source: view([12, 3, 1]),
            axis,
            count: 4,
            ids,
            ids_view,
        }
    } else {
        Access::Gather {
            source: view([30, 3, 1]),
            axis,
            count: 10,
            ids,
            ids_view,
        }
    };
    map(
        2 * rows * 3,
        &[READ, IDS, WRITE],
        access,
        &[Scalar::Leaf(0)],
    )
}

fn resize(adjoint: bool) -> Kernel {
    let (outer, from, to, inner) = (6, 14, 56, 14);
    let (access, extent) = if adjoint {
        let access = Access::ResizeAdjoint {
            outer,
            from,
            to,
            inner,
        };
        (access, from)
    } else {
        let access = Access::Resize {
            outer,
            from,
            to,
            inner,
        };
        (access, to)
    };
    map(
        outer * extent * inner,
        &[READ, WRITE],
        access,
        &[Scalar::Leaf(0)],
    )
}

/// A mask that drops one in ten.
fn dropout() -> Kernel {
    let nodes = [
        Scalar::Const(0.1),
        Scalar::Leaf(0),
        Scalar::Binary(Binary::Lt, 1, 0),
        Scalar::Const(0.0),
        Scalar::Const(1.0 / 0.9),
        Scalar::Select(2, 3, 4),
    ];
    map(100_000, &[IDS, WRITE], Access::Uniform { site: 7 }, &nodes)
}
