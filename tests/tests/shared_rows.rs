//! Attention whose rows neighbouring lanes share gives what attention without sharing gives, alone and
//! with two rows each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use samora_engine::gpu::{Device, Program};
use samora_engine::ops::attention::Attend;
use samora_engine::{DType, Graph, Remat, SourceKind, Tensor, Value, differentiate, plan};
use samora_shaders::{Tokens, uniform};
use samora_tests::{gpu_device, portable_device};

/// Largest accepted difference, relative to the largest element of the value.
const TOLERANCE: f32 = 2e-5;

/// A graph of one attention, its output and the gradients of everything it reads.
struct Built {
    graph: Graph,
    wanted: Vec<Value>,
}

fn build(
    [batch, heads, width]: [usize; 3],
    [queries, keys]: [usize; 2],
    configure: impl Fn(&mut Graph, &mut Vec<Value>) -> Attend,
) -> Built {
    let mut g = Graph::new();
    let channels = heads * width;
    let mut trained = Vec::new();
    for (name, tokens) in [("q", queries), ("k", keys), ("v", keys)] {
        trained.push(g.input(name, &[batch, tokens, channels], DType::F32));
    }
    let attend = configure(&mut g, &mut trained);
    let y = g.attention(trained[0], trained[1], trained[2], attend);
    let upstream = g.input("upstream", &[batch, queries, channels], DType::F32);
    let product = g.mul(y, upstream);
    let loss = g.sum(product, &[0, 1, 2]);
    let gradients = differentiate(&mut g, loss, &trained, Remat::None);
    g.check().unwrap();
    let wanted = gradients.into_iter().flatten().chain([y]).collect();
    Built { graph: g, wanted }
}

fn grid([height, width, window_h, window_w]: [usize; 4]) -> Tokens {
    Tokens::Grid {
        height,
        width,
        window_h,
        window_w,
    }
}

/// Relative positions and, with `pads`, keys and values of padding tokens.
fn windows(
    [heads, width]: [usize; 2],
    extents: [usize; 4],
    pads: bool,
) -> impl Fn(&mut Graph, &mut Vec<Value>) -> Attend {
    move |g, trained| {
        let [rel_h, rel_w] = [("rel_h", extents[2]), ("rel_w", extents[3])]
            .map(|(name, side)| g.input(name, &[2 * side - 1, width], DType::F32));
        trained.extend([rel_h, rel_w]);
        let mut pad = |name| {
            let row = g.input(name, &[heads * width], DType::F32);
            trained.push(row);
            row
        };
        let pad_kv = pads.then(|| (pad("pad_k"), pad("pad_v")));
        Attend {
            rel_pos: Some((rel_h, rel_w)),
            pad_kv,
            ..Attend::plain(heads, grid(extents))
        }
    }
}

fn run(device: &Device, built: &Built) -> Vec<Tensor> {
    let planned = plan(&built.graph, &built.wanted, device.planning(true)).unwrap();
    let mut program = Program::new(device, &built.graph, planned, &BTreeMap::new()).unwrap();
    let sources = built.graph.sources().iter().enumerate();
    let sources = sources.filter(|(_, source)| matches!(source.kind, SourceKind::Input));
    let inputs: Vec<(String, Tensor)> = sources
        .map(|(seed, source)| {
            let shape = built.graph.shape(source.value);
            let count = shape.iter().product::<usize>() as u32;
            let value = |i| 2.0 * uniform([seed as u32, 0], 7, i) - 1.0;
            (
                source.name.clone(),
                Tensor::f32(shape, (0..count).map(value).collect()),
            )
        })
        .collect();
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    program.step(&inputs).unwrap();
    built
        .wanted
        .iter()
        .map(|v| program.read(*v).unwrap())
        .collect()
}

fn compare(name: &str, built: &Built) {
    let (alone, shared) = (run(portable_device(), built), run(gpu_device(), built));
    for (value, (want, got)) in alone.iter().zip(&shared).enumerate() {
        let scale = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
        assert!(scale > 1e-3, "{name}: value {value} says nothing: {scale}");
        assert_eq!(want.shape, got.shape, "{name}: value {value}");
        for (i, (want, got)) in want.as_f32().iter().zip(got.as_f32()).enumerate() {
            let error = (want - got).abs();
            let fits = error <= TOLERANCE * scale;
            assert!(fits, "{name}: value {value}[{i}] is {got}, not {want}");
        }
    }
}

#[test]
fn sequences() {
    for width in [16, 32, 64] {
        let tokens = Tokens::Sequence {
            queries: 37,
            keys: 51,
        };
        let built = build([2, 3, width], [37, 51], |_, _| Attend::plain(3, tokens));
        compare(&format!("heads of {width}"), &built);
    }
    let tokens = Tokens::Sequence {
        queries: 5,
        keys: 3,
    };
    let built = build([2, 1, 16], [5, 3], |_, _| Attend::plain(1, tokens));
    compare("fewer keys than lanes", &built);
}

#[test]
fn windows_with_relative_positions() {
    let (shape, tokens) = ([2, 2, 16], [35, 35]);
    let built = build(shape, tokens, windows([2, 16], [5, 7, 3, 4], true));
    compare("attended pads", &built);
    let built = build(shape, tokens, windows([2, 16], [5, 7, 3, 4], false));
    compare("masked pads", &built);
    let built = build(shape, tokens, windows([2, 16], [5, 7, 5, 7], false));
    compare("the whole grid", &built);
}

#[test]
fn windows_with_a_bias_by_distance() {
    let built = build([2, 2, 16], [24, 24], |g, trained| {
        let bias = g.input("bias", &[2, 6], DType::F32);
        trained.push(bias);
        Attend {
            distance_bias: Some(bias),
            ..Attend::plain(2, grid([4, 6, 2, 3]))
        }
    });
    compare("a bias by distance", &built);
}

/// Sequences and windows so long that every invocation has two rows.
#[test]
fn two_rows() {
    let tokens = Tokens::Sequence {
        queries: 131,
        keys: 70,
    };
    let built = build([2, 2, 16], [131, 70], |_, _| Attend::plain(2, tokens));
    compare("long sequences", &built);
    let configure = windows([2, 16], [12, 10, 9, 8], true);
    let built = build([2, 2, 16], [120, 120], configure);
    compare("large windows", &built);
}
