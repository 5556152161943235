#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use samora_shaders::Tokens;

use super::*;
use crate::{Graph, Init, Source, Tensor, Value, cpu};

/// Every parameter and input at random, except those given.
fn evaluate(g: &mut Graph, given: &[(&str, Tensor)], wanted: &[Value]) -> Vec<Tensor> {
    g.check().unwrap();
    let draw = |s: &Source| {
        let tensor = Init::Normal(1.0).draw(g.shape(s.value), 4, &s.name);
        (s.name.clone(), tensor)
    };
    let mut feeds: HashMap<String, Tensor> = g.sources().iter().map(draw).collect();
    for (name, tensor) in given {
        feeds.insert((*name).to_string(), tensor.clone());
    }
    cpu::evaluate(g, &feeds, wanted).unwrap()
}

fn random(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    g.input(name, shape, crate::DType::F32)
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape, b.shape);
    let pairs = a.as_f32().iter().zip(b.as_f32());
    let each = pairs.map(|(x, y)| (x - y).abs());
    // NaN is the largest.
    each.max_by(f32::total_cmp).unwrap()
}

/// Two rows 1 and 3: mean 2, biased variance 1, unbiased variance 2.
#[test]
fn batch_norm_normalises_by_the_batch_and_tracks_it() {
    let mut g = Graph::new();
    let x = g.constant("x", Tensor::f32(&[2, 1], vec![1.0, 3.0]));
    let trained = batch_norm(&mut g, "bn", x, Statistics::Batch);
    let used = batch_norm(&mut g, "bn", x, Statistics::Running);
    let mut wanted = vec![trained, used];
    wanted.extend(g.assigns().iter().map(|(_, value)| *value));
    let out = cpu::evaluate(&g, &HashMap::new(), &wanted).unwrap();
    let wanted = [&[-1.0, 1.0][..], &[1.0, 3.0], &[0.2], &[1.1]];
    assert_eq!(out.len(), wanted.len());
    for (got, expected) in out.iter().zip(wanted) {
        assert_eq!(got.len(), expected.len());
        for (a, b) in got.as_f32().iter().zip(expected) {
            assert!((a - b).abs() < 2e-5, "{got:?} {expected:?}");
        }
    }
}

/// On a 3×3 grid in 2×2 windows, the last token is alone in its window: its attention returns its
/// own value, whatever queries and keys are.
#[test]
fn tokens_that_pad_a_window_are_masked() {
    let mut g = Graph::new();
    let [q, k, v] = ["q", "k", "v"].map(|name| random(&mut g, name, &[1, 9, 4]));
    let tokens = Tokens::Grid {
        height: 3,
        width: 3,
        window_h: 2,
        window_w: 2,
    };
    let y = multi_head(&mut g, "attn", [q, k, v], 2, tokens);
    let alone = Tokens::Sequence {
        queries: 1,
        keys: 1,
    };
    let last = [q, k, v].map(|x| g.slice(x, 1, 8, 1));
    let expected = multi_head(&mut g, "attn", last, 2, alone);
    let got = g.slice(y, 1, 8, 1);
    let out = evaluate(&mut g, &[], &[got, expected]);
    assert!(difference(&out[0], &out[1]) < 1e-5);
}

/// The packed projection of one tensor used thrice equals three separate ones.
#[test]
fn self_attention_projects_once() {
    let mut g = Graph::new();
    let x = random(&mut g, "x", &[2, 5, 4]);
    let copy = g.scale(x, 1.0);
    let tokens = Tokens::Sequence {
        queries: 5,
        keys: 5,
    };
    let once = multi_head(&mut g, "attn", [x; 3], 2, tokens);
    let thrice = multi_head(&mut g, "attn", [x, copy, copy], 2, tokens);
    let out = evaluate(&mut g, &[], &[once, thrice]);
    assert!(difference(&out[0], &out[1]) < 1e-5);
}

#[test]
fn stacked_low_rank_updates_equal_separate_products() {
    let mut g = Graph::new();
    let x = random(&mut g, "x", &[2, 3, 4]);
    let experts = ["a", "b"].map(|name| LowRank {
        scope: name.into(),
        scale: Some(format!("{name}_scale")),
    });
    let (dq, dv) = low_rank_updates(&mut g, x, &experts, (2, 4));
    let mut wanted = vec![dq, dv];
    for (side, stacked) in [("q", dq), ("v", dv)] {
        for (i, name) in ["a", "b"].into_iter().enumerate() {
            let a = g.param(
                &format!("{name}.linear_a_{side}.weight"),
                &[2, 4],
                Init::Zeros,
            );
            let b = g.param(
                &format!("{name}.linear_b_{side}.weight"),
                &[4, 2],
                Init::Zeros,
            );
            let s = g.param(&format!("{name}_scale"), &[], Init::Ones);
            let (a, b) = (g.transpose(a), g.transpose(b));
            let low = g.matmul(x, a);
            let high = g.matmul(low, b);
            let scaled = g.mul(high, s);
            let part = g.slice(stacked, 0, i, 1);
            let part = g.reshape(part, &[2, 3, 4]);
            wanted.push(g.sub(part, scaled));
        }
    }
    let out = evaluate(&mut g, &[], &wanted);
    for error in &out[2..] {
        assert!(error.as_f32().iter().all(|e| e.abs() < 1e-5));
    }
    assert!(difference(&out[0], &out[1]) > 0.1);
}

/// Closed gates pass the third level through; an open high gate lets the second level in, and only
/// an open low gate the first.
#[test]
fn gates_decide_which_levels_are_heard() {
    let tokens = Tokens::Sequence {
        queries: 3,
        keys: 3,
    };
    let config = HlAttn {
        mode: HlAttnMode::Released,
        order: [Level::Pixel, Level::Image, Level::Patch],
    };
    let fused = |low: f32, high: f32, silent: Option<Level>| {
        let mut g = Graph::new();
        let deltas = Level::ALL.map(|level| {
            let x = random(&mut g, level.name(), &[1, 3, 4]);
            if silent == Some(level) {
                g.scale(x, -2.0)
            } else {
                x
            }
        });
        let last = layer_norm(&mut g, "final_norm", deltas[1], 1e-5);
        let stacked = g.concat(&deltas, 0);
        let y = hl_attn(&mut g, &config, stacked, 2, tokens);
        let gates = [
            ("low_gate", Tensor::full(&[], low)),
            ("high_gate", Tensor::full(&[], high)),
        ];
        evaluate(&mut g, &gates, &[y, last])
    };
    let closed = fused(0.0, 0.0, None);
    assert!(difference(&closed[0], &closed[1]) < 1e-6);
    let changes = |low, high, level| {
        let (plain, other) = (fused(low, high, None), fused(low, high, Some(level)));
        difference(&plain[0], &other[0]) > 1e-4
    };
    assert!(changes(0.0, 0.0, Level::Patch));
    assert!(!changes(0.0, 0.0, Level::Image));
    assert!(changes(0.0, 1.0, Level::Image));
    assert!(!changes(0.0, 1.0, Level::Pixel));
    assert!(changes(1.0, 1.0, Level::Pixel));
}

#[test]
fn an_order_that_repeats_a_level_is_refused() {
    let config = HlAttn {
        order: [Level::Pixel, Level::Pixel, Level::Image],
        ..HlAttn::default()
    };
    assert!(config.check().unwrap_err().contains("Patch"));
}
