//! Products.

use std::collections::HashMap;

use samora_engine::Precision;
use samora_engine::gpu::{Device, Program};
use samora_engine::{Graph, Value, cpu, plan};
use samora_tests::cases::{compare, parameters, run};

use super::{device, normal, relative};

/// Largest accepted errors, relative to the largest element of the value.
struct Accepted {
    /// Of the cases of every op.
    cases: f32,
    /// Of products alone.
    products: f64,
}

#[test]
fn half_products_agree_with_the_reference() {
    let accepted = Accepted {
        cases: 2e-2,
        products: 3e-3,
    };
    check(Precision::Half, &accepted);
}

#[test]
fn split_products_agree_with_the_reference() {
    let accepted = Accepted {
        cases: 2e-4,
        products: 5e-6,
    };
    check(Precision::Split, &accepted);
}

fn program<'a>(device: &'a Device, graph: &Graph, y: Value) -> Program<'a> {
    let planned = plan(graph, &[y], device.planning(true)).expect("a plan");
    Program::new(device, graph, planned, &parameters(graph)).expect("a program")
}

fn check(precision: Precision, accepted: &Accepted) {
    let Some(device) = device(precision) else {
        return;
    };
    let mut failures = Vec::new();
    for (name, build) in PRODUCTS {
        let error = error(&device, *build);
        println!("{precision:?} {name}: {error:.2e}");
        if error.is_nan() || error > accepted.products {
            failures.push(format!("{name}: {error:.2e}"));
        }
    }
    assert!(failures.is_empty(), "{precision:?}: {failures:?}");
    compare(accepted.cases, |built, wanted| {
        run(&device, built, wanted, true)
    });
}

/// Rates of products of real networks: `cargo test --release -p samora-tests --test cooperative -- --ignored
/// --nocapture`.
#[test]
#[ignore = "measures, on an adapter with cooperative matrices"]
fn rates_of_products() {
    for precision in [Precision::Exact, Precision::Half, Precision::Split] {
        let Some(device) = device(precision) else {
            return;
        };
        for (name, [m, n, k], build) in MEASURED {
            let mut graph = Graph::new();
            let y = build(&mut graph, [*m, *n, *k]);
            let mut program = program(&device, &graph, y);
            let best = (0..5).fold(f64::INFINITY, |best, _| {
                let kernels = program.profile(&[]).expect("a profile");
                kernels.iter().map(|k| k.seconds).sum::<f64>().min(best)
            });
            let rate = 2e-12 * (m * n * k) as f64 / best;
            println!(
                "{precision:?} {name} {m}x{n}x{k}: {:.3} ms, {rate:.1} TFLOP/s",
                best * 1e3
            );
        }
    }
}

/// Largest error of a value, relative to its largest element; NaN if any element is.
fn error(device: &Device, build: fn(&mut Graph) -> Value) -> f64 {
    let mut graph = Graph::new();
    let y = build(&mut graph);
    let want = cpu::evaluate(&graph, &HashMap::new(), &[y]).expect("a reference");
    let mut program = program(device, &graph, y);
    program.step(&[]).expect("a step");
    relative(&program.read(y).expect("a value"), &want[0])
}

type Build = fn(&mut Graph) -> Value;

/// Named by layout, then m×n×k.
const PRODUCTS: &[(&str, Build)] = &[
    ("NN 256x256x256", |g| nn(g, [256, 256, 256])),
    ("NT 256x256x256", |g| nt(g, [256, 256, 256])),
    ("TN 256x256x256", |g| tn(g, [256, 256, 256])),
    ("TT 256x256x256", |g| tt(g, [256, 256, 256])),
    ("NN 1536x1664x160", |g| nn(g, [1536, 1664, 160])),
    ("NT 1536x1664x160", |g| nt(g, [1536, 1664, 160])),
    ("TN 1536x1664x160", |g| tn(g, [1536, 1664, 160])),
    ("NN 64x4096x200", |g| nn(g, [64, 4096, 200])),
    ("NT 4096x64x200", |g| nt(g, [4096, 64, 200])),
    ("NN 200x136x172", |g| nn(g, [200, 136, 172])),
    ("NT 200x136x172", |g| nt(g, [200, 136, 172])),
    ("TN 200x136x172", |g| tn(g, [200, 136, 172])),
    ("NN 300x129x260", |g| nn(g, [300, 129, 260])),
    ("NT 300x129x260", |g| nt(g, [300, 129, 260])),
    ("TN 301x129x261", |g| tn(g, [301, 129, 261])),
    ("NN 301x130x263", |g| nn(g, [301, 130, 263])),
    ("NT 301x130x263", |g| nt(g, [301, 130, 263])),
    ("TT 301x130x263", |g| tt(g, [301, 130, 263])),
    ("NN 192x192x1000", |g| nn(g, [192, 192, 1000])),
    ("NT 192x192x3072", |g| nt(g, [192, 192, 3072])),
    ("NN 3x(200x120x200), one left operand", |g| {
        let (a, b) = (
            normal(g, "a", &[1, 200, 200]),
            normal(g, "b", &[3, 200, 120]),
        );
        g.matmul(a, b)
    }),
    ("NT 3x(200x120x200), one right operand", |g| {
        let (a, b) = (
            normal(g, "a", &[3, 200, 200]),
            normal(g, "b", &[1, 120, 200]),
        );
        let b = g.transpose(b);
        g.matmul(a, b)
    }),
    ("NT 392x768x256, bias and GELU", |g| {
        gelu(g, [392, 768, 256])
    }),
    ("NT 393x130x256, bias and GELU", |g| {
        gelu(g, [393, 130, 256])
    }),
];

type BuildOf = fn(&mut Graph, [usize; 3]) -> Value;

/// Layout, m, n and k.
const MEASURED: &[(&str, [usize; 3], BuildOf)] = &[
    ("NT", [4096, 4096, 4096], nt),
    ("NT", [6272, 2304, 768], nt),
    ("NT with bias and GELU", [6272, 3072, 768], gelu),
    ("NT", [6272, 768, 3072], nt),
    ("NN", [6272, 768, 3072], nn),
    ("TN", [3072, 768, 6272], tn),
    ("TN", [768, 768, 6272], tn),
    ("NT", [392, 768, 768], nt),
];

fn nn(g: &mut Graph, [m, n, k]: [usize; 3]) -> Value {
    let (a, b) = (normal(g, "a", &[m, k]), normal(g, "b", &[k, n]));
    g.matmul(a, b)
}

fn nt(g: &mut Graph, [m, n, k]: [usize; 3]) -> Value {
    let (a, b) = (normal(g, "a", &[m, k]), normal(g, "b", &[n, k]));
    let b = g.transpose(b);
    g.matmul(a, b)
}

fn tn(g: &mut Graph, [m, n, k]: [usize; 3]) -> Value {
    let (a, b) = (normal(g, "a", &[k, m]), normal(g, "b", &[k, n]));
    let a = g.transpose(a);
    g.matmul(a, b)
}

fn tt(g: &mut Graph, [m, n, k]: [usize; 3]) -> Value {
    let (a, b) = (normal(g, "a", &[k, m]), normal(g, "b", &[n, k]));
    let (a, b) = (g.transpose(a), g.transpose(b));
    g.matmul(a, b)
}

fn gelu(g: &mut Graph, shape: [usize; 3]) -> Value {
    let product = nt(g, shape);
    let bias = normal(g, "bias", &[shape[1]]);
    let sum = g.add(product, bias);
    g.gelu(sum)
}
