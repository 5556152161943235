//! Values kept as f16: they halve what they take, and change results by their rounding alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use samora_engine::Precision;
use samora_engine::gpu::{Device, Program};
use samora_engine::models::sam::{Adapter, SamConfig, encode};
use samora_engine::nn::loss::mse;
use samora_engine::ops::attention::Attend;
use samora_engine::{
    DType, Graph, Init, Plan, Planning, Remat, Tensor, Value, cpu, differentiate, plan,
};
use samora_shaders::{BufferType, Tokens};
use samora_tests::{device, gpu_device};

/// Largest accepted difference of the loss and its gradients, relative to their largest element.
const TOLERANCE: f32 = 5e-3;
/// Without it gradients are below what an f16 resolves.
const LOSS_SCALE: f32 = 16384.0;
const BATCH: usize = 2;

/// Two blocks of 64 channels on 16×16 tokens, one with windows that overhang, with SAMed's updates of rank 4.
fn small_encoder() -> SamConfig {
    SamConfig {
        image_size_px: 64,
        patch_size_px: 4,
        dim: 64,
        depth: 2,
        heads: 2,
        window_tokens: 7,
        global_blocks: vec![1],
        mlp_ratio: 4,
        out_channels: 32,
    }
}

/// The encoder's mean squared error, and its gradients by everything that LoRA trains.
fn training() -> (Graph, Vec<Value>) {
    let mut g = Graph::new();
    let config = small_encoder();
    let size = config.image_size_px;
    let image = g.input("image", &[BATCH, size, size, 3], DType::F32);
    let features = encode(&mut g, &config, &Adapter::Lora { rank: 4 }, image).features;
    let shape = g.shape(features).to_vec();
    let target = g.input("target", &shape, DType::F32);
    let loss = mse(&mut g, features, target);
    let loss = g.scale(loss, LOSS_SCALE);
    let trained = g.params().filter(|p| p.name.contains(".linear_"));
    let trained: Vec<Value> = trained.map(|p| p.value).collect();
    let gradients = differentiate(&mut g, loss, &trained, Remat::None);
    let wanted = [loss].into_iter().chain(gradients.into_iter().flatten());
    let wanted = wanted.collect();
    (g, wanted)
}

fn parameters(g: &Graph) -> BTreeMap<String, Tensor> {
    let drawn = g.params().map(|p| {
        let tensor = Init::Normal(0.2).draw(g.shape(p.value), 5, &p.name);
        (p.name.clone(), tensor)
    });
    drawn.collect()
}

/// `wanted` of a step on random numbers.
fn run(device: &Device, g: &Graph, wanted: &[Value], planned: Plan) -> Vec<Tensor> {
    let mut program = Program::new(device, g, planned, &parameters(g)).expect("a program");
    let inputs = ["image", "target"].map(|name| {
        let source = g.sources().iter().find(|s| s.name == name).unwrap();
        (name, Init::Normal(1.0).draw(g.shape(source.value), 5, name))
    });
    let feeds: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
    program.step(&feeds).expect("a step");
    wanted.iter().map(|v| program.read(*v).unwrap()).collect()
}

#[test]
fn results_differ_by_rounding_alone() {
    let (g, wanted) = training();
    for device in [device(), gpu_device()] {
        if !device.adapter.f16 {
            println!("{} has no f16: not tested", device.adapter.info.name);
            continue;
        }
        let [exact, rounded] = [false, true].map(|halves| {
            let planning = Planning {
                halves,
                ..device.planning(true)
            };
            let planned = plan(&g, &wanted, planning).expect("a plan");
            run(device, &g, &wanted, planned)
        });
        for (i, (exact, rounded)) in exact.iter().zip(&rounded).enumerate() {
            let pairs = || exact.as_f32().iter().zip(rounded.as_f32());
            let largest = exact.as_f32().iter().fold(0.0, |m: f32, x| m.max(x.abs()));
            for (a, b) in pairs() {
                let close = (a - b).abs() <= TOLERANCE * largest;
                assert!(close, "{i}: {b}, not {a}, of {largest}");
            }
            let same = pairs().all(|(a, b)| a == b);
            assert!(i == 0 || !same, "{i} was not rounded at all");
        }
    }
}

/// Weights that no step changes are kept as f16 where products alone read them, and are not read back.
#[test]
fn frozen_weights_are_halved() {
    let (mut g, mut wanted) = training();
    wanted.truncate(1);
    let trained = g.params().filter(|p| p.name.contains(".linear_"));
    let trained: Vec<Value> = trained.map(|p| p.value).collect();
    for value in trained {
        let smaller = g.scale(value, 0.5);
        g.assign(value, smaller);
    }
    let halves = Planning {
        halves: true,
        ..Planning::exact(true)
    };
    let [exact, halves] = [Planning::exact(true), halves].map(|p| plan(&g, &wanted, p).unwrap());
    let is_half = |name: &str| {
        let source = g.sources().iter().position(|s| s.name == name);
        halves.half_sources.contains(&source.expect(name))
    };
    let block = "image_encoder.blocks.0";
    let weight = format!("{block}.attn.qkv.weight");
    assert!(exact.half_sources.is_empty());
    assert!(is_half(&weight));
    for exact in [
        "norm1.weight",
        "attn.rel_pos_h",
        "attn.qkv.linear_a_q.weight",
    ] {
        assert!(!is_half(&format!("{block}.{exact}")), "{exact}");
    }
    let weights = |plan: &Plan| plan.source_bytes(&g)[1] as f64;
    let ratio = weights(&halves) / weights(&exact);
    assert!((0.5..0.7).contains(&ratio), "{ratio}");
    if device().adapter.f16 {
        let program = Program::new(device(), &g, halves, &parameters(&g)).expect("a program");
        let read = program.tensor(&weight).expect_err("what was rounded");
        assert!(read.to_string().contains("rounded to f16"), "{read}");
    }
}

/// What the kernels with such labels write.
fn written(plan: &Plan, label: &str) -> Vec<BufferType> {
    let steps = plan.steps.iter().filter(|s| s.label.starts_with(label));
    let bindings = steps.flat_map(|s| s.kernel.bindings().iter());
    bindings.filter(|b| b.write).map(|b| b.ty).collect()
}

/// What products read, and GELU's operand, is kept as f16; the stream between blocks, what is wanted and the
/// statistics of attention are not.
#[test]
fn what_products_read_is_halved() {
    let (g, wanted) = training();
    let exact = plan(&g, &wanted, Planning::exact(true)).unwrap();
    let halves = Planning {
        halves: true,
        ..Planning::exact(true)
    };
    let halves = plan(&g, &wanted, halves).unwrap();
    let ratio = halves.live() as f64 / exact.live() as f64;
    println!("{} words alive instead of {}", halves.live(), exact.live());
    assert!((0.5..0.7).contains(&ratio), "{ratio}");
    let (f32, f16) = (BufferType::F32, BufferType::F16);
    let block = "image_encoder.blocks.0";
    assert_eq!(written(&halves, &format!("{block}.norm1")), [f16]);
    assert_eq!(written(&halves, &format!("{block}.attn.qkv.matmul")), [f16]);
    assert_eq!(
        written(&halves, &format!("{block}.attn.proj.matmul")),
        [f32]
    );
    // GELU's operand and its result.
    assert_eq!(
        written(&halves, &format!("{block}.mlp.lin1.matmul")),
        [f16, f16]
    );
    assert_eq!(written(&halves, &format!("{block}.mlp.lin2.matmul")), [f32]);
}

/// The gradients of queries, keys and values that are joined for a product are kept as the product reads them.
#[test]
fn what_is_joined_for_a_product_is_halved() {
    let mut g = Graph::new();
    let x = g.param("x", &[1, 64, 64], Init::Normal(1.0));
    let weight = g.param("weight", &[64, 192], Init::Normal(0.1));
    let qkv = g.matmul(x, weight);
    let [q, k, v] = [0, 64, 128].map(|at| g.slice(qkv, 2, at, 64));
    let (queries, keys) = (64, 64);
    let y = g.attention(
        q,
        k,
        v,
        Attend::plain(2, Tokens::Sequence { queries, keys }),
    );
    let y = g.square(y);
    let loss = g.sum(y, &[0, 1, 2]);
    let gradients = differentiate(&mut g, loss, &[x], Remat::None);
    let wanted: Vec<Value> = gradients.into_iter().flatten().collect();
    let planned = plan(&g, &wanted, Precision::Half.planning(true)).unwrap();
    let f16 = BufferType::F16;
    assert_eq!(written(&planned, "backward.attention_grad_kv"), [f16; 2]);
    assert!(written(&planned, "backward.attention_grad_q").contains(&f16));
    if device().adapter.f16 {
        let want = cpu::evaluate(&g, &parameters(&g).into_iter().collect(), &wanted).unwrap();
        let mut program = Program::new(device(), &g, planned, &parameters(&g)).expect("a program");
        program.step(&[]).expect("a step");
        let got = program.read(wanted[0]).unwrap();
        let largest = want[0]
            .as_f32()
            .iter()
            .fold(0.0, |m: f32, x| m.max(x.abs()));
        for (a, b) in got.as_f32().iter().zip(want[0].as_f32()) {
            assert!((a - b).abs() <= 2e-3 * largest, "{a}, not {b}");
        }
    }
}
