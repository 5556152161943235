//! Lowering, fusion and planning keep the graph's meaning: plans run through the element reference
//! give what the graph's own reference gives, fused or not, for values, gradients and updates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use samora_engine::ops::attention::Attend;
use samora_engine::{
    DType, Error, Graph, Init, Planning, Remat, Tensor, Value, cpu, differentiate, plan,
};
use samora_shaders::Tokens;
use samora_tests::host::HostProgram;

/// A transformer block with windows that overhang, relative positions, LayerNorm, GELU, a
/// convolution, a resize and a loss; every parameter is trainable.
fn network(g: &mut Graph) -> (Value, Vec<Value>) {
    let x = g.input("x", &[2, 3, 4, 8], DType::F32);
    let mut params = Vec::new();
    let mut p = |g: &mut Graph, name: &str, shape: &[usize]| {
        let v = g.param(name, shape, Init::Uniform(0.5));
        params.push(v);
        v
    };
    let (gamma, beta) = (p(g, "norm.weight", &[8]), p(g, "norm.bias", &[8]));
    let y = g.layer_norm(x, gamma, beta, 1e-5);
    let (w, b) = (p(g, "qkv.weight", &[24, 8]), p(g, "qkv.bias", &[24]));
    let wt = g.transpose(w);
    let qkv = g.matmul(y, wt);
    let qkv = g.add(qkv, b);
    let qkv = g.reshape(qkv, &[2, 12, 24]);
    let [q, k, v] = [0, 8, 16].map(|at| g.slice(qkv, 2, at, 8));
    let [pad_k, pad_v] = [8, 16].map(|at| g.slice(b, 0, at, 8));
    let (rh, rw) = (p(g, "rel_pos_h", &[3, 4]), p(g, "rel_pos_w", &[3, 4]));
    let tokens = Tokens::Grid {
        height: 3,
        width: 4,
        window_h: 2,
        window_w: 2,
    };
    let cfg = Attend {
        heads: 2,
        tokens,
        rel_pos: Some((rh, rw)),
        distance_bias: None,
        pad_kv: Some((pad_k, pad_v)),
        scale: None,
    };
    let a = g.attention(q, k, v, cfg);
    let a = g.reshape(a, &[2, 3, 4, 8]);
    let x = g.add(x, a);
    let x = g.gelu(x);
    let conv = p(g, "conv.weight", &[5, 8, 3, 3]);
    let c = g.conv2d(x, conv, None, 1, [1, 1, 1, 1]);
    let r = g.resize_bilinear(c, 6, 5);
    let s = g.softmax(r);
    let s = g.square(s);
    let loss = g.mean(s, &[0, 1, 2, 3]);
    (loss, params)
}

fn close(got: &Tensor, want: &Tensor, what: &str) {
    assert_eq!(got.shape, want.shape, "{what}");
    let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
        assert!(
            (a - b).abs() <= 2e-4 * scale,
            "{what}[{i}]: {a} instead of {b}"
        );
    }
}

#[test]
fn plans_give_what_the_graph_means() {
    for remat in [Remat::None, Remat::Pointwise] {
        let mut g = Graph::new();
        let (loss, params) = network(&mut g);
        let grads = differentiate(&mut g, loss, &params, remat);
        let mut wanted = vec![loss];
        wanted.extend(
            grads
                .iter()
                .map(|v| v.expect("every parameter reaches the loss")),
        );
        let x = Init::Uniform(1.0).draw(&[2, 3, 4, 8], 5, "x");
        let feeds = HashMap::from([("x".to_string(), x)]);
        let want = cpu::evaluate(&g, &feeds, &wanted).expect("the reference");
        let mut kernels = Vec::new();
        // Attention's gradients read ten buffers.
        let few = Planning {
            bindings: 8,
            ..Planning::exact(true)
        };
        for planning in [Planning::exact(false), Planning::exact(true), few] {
            let planned = plan(&g, &wanted, planning).expect("a plan");
            let most = planned.steps.iter().map(|step| step.bound.len()).max();
            assert!(most <= Some(planning.bindings), "{most:?} bindings");
            kernels.push(planned.steps.len());
            let mut program = HostProgram::new(&g, planned, &feeds);
            program.step();
            for (i, (v, w)) in wanted.iter().zip(&want).enumerate() {
                close(
                    &program.read(*v),
                    w,
                    &format!("{remat:?} {planning:?} value {i}"),
                );
            }
        }
        assert!(
            kernels[1] * 3 < kernels[0] * 2,
            "fusion leaves {kernels:?} kernels"
        );
    }
}

#[test]
fn what_an_adapter_cannot_bind_is_refused_by_place_and_limit() {
    let mut g = Graph::new();
    let x = g.input("x", &[1, 1024], DType::F32);
    let y = g.within("blocks.3.mlp", |g| {
        let wide = g.broadcast(x, &[40_000, 1024]);
        g.gelu(wide)
    });
    let limits = |bindings, binding_bytes| {
        let planning = Planning {
            bindings,
            binding_bytes,
            ..Planning::exact(true)
        };
        plan(&g, &[y], planning).map(|_| ())
    };
    assert_eq!(limits(8, 160 << 20), Ok(()));
    for (bindings, bytes, what, needed) in [
        (1, 160 << 20, "storage buffers in a kernel", 2),
        (8, 128 << 20, "MiB in a storage buffer", 157),
    ] {
        let error = limits(bindings, bytes).expect_err(what);
        let message = error.to_string();
        assert!(message.contains("blocks.3.mlp"), "{message}");
        let Error::Limit {
            what: named,
            needed: told,
            ..
        } = error
        else {
            panic!("{message}");
        };
        assert_eq!((named, told), (what, needed), "{message}");
    }
}
