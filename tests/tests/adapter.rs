//! Kernels on the adapter against the graph's reference, forward and backward.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use samora_engine::gpu::Program;
use samora_engine::ops::attention::Attend;
use samora_engine::{Graph, Init, Remat, Tensor, Value, cpu, differentiate, plan};
use samora_shaders::Tokens;
use samora_tests::{device, portable_device};

/// Runs `wanted` on the adapter and on the reference with the graph's parameters drawn from their
/// distributions, and compares.
fn agree(name: &str, g: &mut Graph, wanted: &[Value], tolerance: f32) {
    let want = cpu::evaluate(g, &HashMap::new(), wanted).unwrap_or_else(|e| panic!("{name}: {e}"));
    let planned = plan(g, wanted, true).unwrap_or_else(|e| panic!("{name}: {e}"));
    let draw = |s: &samora_engine::Source| match s.kind {
        samora_engine::SourceKind::Param(init) => {
            Some((s.name.clone(), init.draw(g.shape(s.value), 0, &s.name)))
        }
        _ => None,
    };
    let tensors: BTreeMap<String, Tensor> = g.sources().iter().filter_map(draw).collect();
    for device in [device(), portable_device()] {
        let caps = device.adapter.caps;
        let name = format!("{name} with {caps:?}");
        let mut program = Program::new(device, g, planned.clone(), &tensors)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        program.step(&[]).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (k, (v, want)) in wanted.iter().zip(&want).enumerate() {
            let got = program.read(*v).unwrap_or_else(|e| panic!("{name}: {e}"));
            let scale = want.as_f32().iter().fold(1e-3f32, |m, x| m.max(x.abs()));
            for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
                assert!(
                    (a - b).abs() <= tolerance * scale,
                    "{name} value {k}[{i}]: {a} instead of {b}"
                );
            }
        }
    }
}

#[test]
fn attention_in_every_layout() {
    let sequence = |queries, keys| Tokens::Sequence { queries, keys };
    let grid = |height, width, window_h, window_w| Tokens::Grid {
        height,
        width,
        window_h,
        window_w,
    };
    // (tokens, heads, head dim, relative positions, padding keys, batch of q, batch of k)
    let cases = [
        (sequence(7, 7), 2, 8, false, false, 2, 2),
        (sequence(5, 70), 1, 16, false, false, 2, 2),
        (sequence(70, 3), 3, 5, false, false, 1, 1),
        (sequence(9, 9), 2, 4, false, false, 6, 2),
        (grid(6, 4, 3, 2), 2, 8, true, false, 2, 2),
        (grid(5, 7, 3, 4), 2, 4, true, true, 2, 2),
        (grid(5, 7, 3, 4), 1, 3, true, true, 4, 2),
        (grid(5, 7, 4, 4), 2, 8, false, false, 2, 2),
    ];
    for (n, (tokens, heads, hd, rel, pads, bq, bk)) in cases.into_iter().enumerate() {
        let mut g = Graph::new();
        let c = heads * hd;
        let (tq, tk, sy, sx) = match tokens {
            Tokens::Sequence { queries, keys } => (queries, keys, 1, 1),
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => (height * width, height * width, window_h, window_w),
        };
        let mut params = Vec::new();
        let mut p = |g: &mut Graph, name: &str, shape: &[usize]| {
            let v = g.param(name, shape, Init::Uniform(1.0));
            params.push(v);
            v
        };
        let (q, k, v) = match bq == bk && tq == tk {
            true => {
                let qkv = p(&mut g, "qkv", &[bq, tq, 3 * c]);
                (
                    g.slice(qkv, 2, 0, c),
                    g.slice(qkv, 2, c, c),
                    g.slice(qkv, 2, 2 * c, c),
                )
            }
            false => (
                p(&mut g, "q", &[bq, tq, c]),
                p(&mut g, "k", &[bk, tk, c]),
                p(&mut g, "v", &[bk, tk, c]),
            ),
        };
        let rel_pos = rel.then(|| {
            (
                p(&mut g, "rh", &[2 * sy - 1, hd]),
                p(&mut g, "rw", &[2 * sx - 1, hd]),
            )
        });
        let pad_kv = pads.then(|| (p(&mut g, "pad_k", &[c]), p(&mut g, "pad_v", &[c])));
        let y = g.attention(
            q,
            k,
            v,
            Attend {
                heads,
                tokens,
                rel_pos,
                pad_kv,
                scale: None,
            },
        );
        agree(&format!("attention {n}"), &mut g, &[y], 1e-4);
        let _ = (
            &params,
            Remat::None,
            differentiate as fn(&mut Graph, Value, &[Value], Remat) -> Vec<Option<Value>>,
        );
    }
}
