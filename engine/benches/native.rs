//! The native device beside the adapter in use, in turn: matrix products, and a training step of two ViT-B blocks
//! with LoRA. `cargo bench -p samora-engine --bench native`; medians over the rounds, each of one step that is waited
//! for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Instant;

use samora_engine::nn::{LowRank, add_low_rank_update, layer_norm, linear, loss, mlp};
use samora_engine::ops::attention::Attend;
use samora_engine::optim::{Backward, OptimConfig, Rule, Schedule, minimise};
use samora_engine::{
    DType, DeviceOptions, Graph, Init, Planning, SourceKind, Tensor, Value, gpu, native, plan,
};
use samora_shaders::Tokens;

const ROUNDS: usize = 15;
const TOKENS: usize = 196;
const DIM: usize = 768;
const RANK: usize = 4;
const EPS: f32 = 1e-6;

fn main() {
    let adapter = gpu::Device::open(&DeviceOptions::default()).expect("an adapter");
    let processor = native::Device::new(None).expect("threads");
    println!(
        "{} threads beside {}",
        processor.threads(),
        adapter.adapter.info.name
    );
    for [m, k, n] in [
        [TOKENS, DIM, 4 * DIM],
        [TOKENS, 4 * DIM, DIM],
        [TOKENS, DIM, DIM],
    ] {
        let mut g = Graph::new();
        let x = g.input("x", &[m, k], DType::F32);
        let w = g.param("w", &[n, k], Init::Normal(1.0));
        let w = g.transpose(w);
        let y = g.matmul(x, w);
        let [ours, theirs] = measure((&processor, &adapter), &g, y);
        let rate = |ms: f64| 2e-6 * (m * k * n) as f64 / ms;
        println!(
            "{m}x{k}x{n}: {:.0} GFLOP/s, adapter {:.0} GFLOP/s",
            rate(ours),
            rate(theirs)
        );
    }
    let (g, loss) = blocks(2);
    let [ours, theirs] = measure((&processor, &adapter), &g, loss);
    println!("2 blocks with LoRA, {TOKENS} tokens: {ours:.1} ms a step, adapter {theirs:.1} ms");
}

/// Milliseconds of a step on the native device and on the adapter.
fn measure(
    (processor, adapter): (&native::Device, &gpu::Device),
    g: &Graph,
    wanted: Value,
) -> [f64; 2] {
    g.check().unwrap();
    let tensors = tensors(g);
    let planned = plan(g, &[wanted], Planning::exact(true)).unwrap();
    let mut native = native::Program::new(processor, g, planned, &tensors).unwrap();
    let planned = plan(g, &[wanted], adapter.planning(true)).unwrap();
    let mut gpu = gpu::Program::new(adapter, g, planned, &tensors).unwrap();
    let inputs = g.sources().iter();
    let inputs: Vec<(&str, &Tensor)> = inputs
        .filter(|s| matches!(s.kind, SourceKind::Input))
        .map(|s| (s.name.as_str(), &tensors[&s.name]))
        .collect();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(milliseconds(|| native.step(&inputs).unwrap()));
        times[1].push(milliseconds(|| {
            gpu.step(&inputs).unwrap();
            adapter.wait().unwrap();
        }));
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn milliseconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    1e3 * start.elapsed().as_secs_f64()
}

/// Inputs and parameters at random.
fn tensors(g: &Graph) -> BTreeMap<String, Tensor> {
    let drawn = g.sources().iter().filter_map(|s| match s.kind {
        SourceKind::Input | SourceKind::Param(_) => {
            let tensor = Init::Normal(0.02).draw(g.shape(s.value), 0, &s.name);
            Some((s.name.clone(), tensor))
        }
        SourceKind::State(_) | SourceKind::Constant(_) => None,
    });
    drawn.collect()
}

/// A training step of frozen blocks, whose LoRA and head are trained, and its loss.
fn blocks(count: usize) -> (Graph, Value) {
    let mut g = Graph::new();
    let mut x = g.input("x", &[1, TOKENS, DIM], DType::F32);
    for index in 0..count {
        x = g.within(format!("blocks.{index}"), |g| block(g, x));
    }
    let y = linear(&mut g, "head", x, 9);
    let target = g.input("target", &[1, TOKENS, 9], DType::F32);
    let loss = loss::mse(&mut g, y, target);
    let trained = |name: &str| name.contains(".linear_") || name.starts_with("head.");
    let params = g.params().filter(|p| trained(&p.name));
    let params: Vec<Value> = params.map(|p| p.value).collect();
    let optimiser = OptimConfig {
        learning_rate: 1e-3,
        rule: Rule::default(),
        schedule: Schedule::Constant,
        clip_norm: None,
    };
    minimise(&mut g, loss, &params, &optimiser, 100, Backward::default());
    (g, loss)
}

fn block(g: &mut Graph, x: Value) -> Value {
    let y = layer_norm(g, "norm1", x, EPS);
    let qkv = linear(g, "attn.qkv", y, 3 * DIM);
    let lora = LowRank {
        scope: "attn.qkv".into(),
        scale: None,
    };
    let qkv = add_low_rank_update(g, qkv, y, lora, RANK);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, i * DIM, DIM));
    let tokens = Tokens::Sequence {
        queries: TOKENS,
        keys: TOKENS,
    };
    let y = g.attention(q, k, v, Attend::plain(12, tokens));
    let y = linear(g, "attn.proj", y, DIM);
    let x = g.add(x, y);
    let y = layer_norm(g, "norm2", x, EPS);
    let y = mlp(g, ["mlp.fc1", "mlp.fc2"], y, 4 * DIM, Graph::gelu);
    g.add(x, y)
}
