//! Products by cooperative matrices, on an adapter that offers them; on others this is said and nothing
//! is tested.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use samora_engine::gpu::{Device, DeviceOptions, Precision, Program, adapters};
use samora_engine::ops::attention::Attend;
use samora_engine::{Graph, Init, Remat, Tensor, Value, cpu, differentiate, plan};
use samora_shaders::Tokens;
use samora_tests::cases::{compare, parameters, run};

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

/// Largest accepted error of attention and its gradients.
const ATTENTION: f64 = 1e-2;

#[test]
fn half_attention_agrees_with_the_reference() {
    let Some(device) = device(Precision::Half) else {
        return;
    };
    let mut failures = Vec::new();
    for case in ATTENDED {
        let mut graph = Graph::new();
        let (names, values): (Vec<_>, Vec<_>) = case.build(&mut graph).into_iter().unzip();
        let want = cpu::evaluate(&graph, &HashMap::new(), &values).expect("a reference");
        let planned = plan(&graph, &values, device.precision().planning(true)).expect("a plan");
        let mut program =
            Program::new(&device, &graph, planned, &parameters(&graph)).expect("a program");
        program.step(&[]).expect("a step");
        for ((name, value), want) in names.iter().zip(&values).zip(&want) {
            let error = relative(&program.read(*value).expect("a value"), want);
            println!("{}, {name}: {error:.2e}", case.name);
            if error.is_nan() || error > ATTENTION {
                failures.push(format!("{}, {name}: {error:.2e}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

/// `None`, with a line that says so, when no adapter offers cooperative matrices.
fn device(precision: Precision) -> Option<Device> {
    if adapters().iter().all(|a| a.cooperative.is_none()) {
        println!("no adapter offers cooperative matrices: {precision:?} is not tested");
        return None;
    }
    let device = Device::open(&DeviceOptions {
        adapter: std::env::var("SAMORA_ADAPTER").ok(),
        precision,
        ..Default::default()
    })
    .unwrap_or_else(|e| panic!("{e}"));
    println!("{} with {:?}", device.adapter.name, device.adapter.caps);
    Some(device)
}

fn program<'a>(device: &'a Device, graph: &Graph, y: Value) -> Program<'a> {
    let planned = plan(graph, &[y], device.precision().planning(true)).expect("a plan");
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

/// Rates of attention of real networks, as `rates_of_products`.
#[test]
#[ignore = "measures, on an adapter with cooperative matrices"]
fn rates_of_attention() {
    for precision in [Precision::Exact, Precision::Half] {
        let Some(device) = device(precision) else {
            return;
        };
        for case in MEASURED_ATTENTION {
            let mut graph = Graph::new();
            let values: Vec<Value> = case.build(&mut graph).iter().map(|(_, v)| *v).collect();
            let planned = plan(&graph, &values, device.precision().planning(true)).expect("a plan");
            let mut program =
                Program::new(&device, &graph, planned, &parameters(&graph)).expect("a program");
            let mut best: Vec<(String, f64)> = Vec::new();
            for _ in 0..5 {
                let kernels = program.profile(&[]).expect("a profile").into_iter();
                let kernels = kernels.filter(|k| k.name.starts_with("attention"));
                for (k, kernel) in kernels.enumerate() {
                    match best.get_mut(k) {
                        Some((_, least)) => *least = least.min(kernel.seconds),
                        None => best.push((kernel.name, kernel.seconds)),
                    }
                }
            }
            for (name, seconds) in best {
                let products = match name.split(' ').nth(1) {
                    Some("dq") => 3,
                    Some("dkv") => 4,
                    _ => 2,
                };
                let rate = 2e-12 * (products * case.multiplications()) as f64 / seconds;
                println!(
                    "{precision:?} {}, {name}: {:.3} ms, {rate:.1} TFLOP/s",
                    case.name,
                    seconds * 1e3
                );
            }
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

fn relative(got: &Tensor, want: &Tensor) -> f64 {
    let largest = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let pairs = got.as_f32().iter().zip(want.as_f32());
    let error = pairs.fold(0.0f64, |worst, (a, b)| {
        let error = (f64::from(*a) - f64::from(*b)).abs();
        match error.is_nan() {
            true => f64::NAN,
            false if worst.is_nan() => worst,
            false => worst.max(error),
        }
    });
    error / f64::from(largest)
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

fn normal(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    g.param(name, shape, Init::Normal(1.0))
}

/// An attention whose output and gradients are compared.
struct Attended {
    name: &'static str,
    /// Batch, heads and their width.
    shape: [usize; 3],
    tokens: Tokens,
    /// Whether positions are relative.
    relative: bool,
    /// Whether pads have a key and a value.
    pads: bool,
}

impl Attended {
    /// Multiplications of one product of all queries and keys.
    fn multiplications(&self) -> usize {
        let pairs = match self.tokens {
            Tokens::Sequence { queries, keys } => queries * keys,
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => height * width * window_h * window_w,
        };
        self.shape.iter().product::<usize>() * pairs
    }

    /// The output and the gradients of all operands, by name.
    fn build(&self, g: &mut Graph) -> Vec<(&'static str, Value)> {
        let [batch, heads, width] = self.shape;
        let channels = heads * width;
        let (queries, keys, [s_y, s_x]) = match self.tokens {
            Tokens::Sequence { queries, keys } => (queries, keys, [1, 1]),
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => (height * width, height * width, [window_h, window_w]),
        };
        let mut names = vec!["q", "k", "v"];
        let mut operands: Vec<Value> = names
            .iter()
            .zip([queries, keys, keys])
            .map(|(name, tokens)| normal(g, name, &[batch, tokens, channels]))
            .collect();
        let mut operand = |g: &mut Graph, name, shape: &[usize], scale| {
            names.push(name);
            operands.push(g.param(name, shape, Init::Normal(scale)));
            operands[operands.len() - 1]
        };
        let rel_pos = self.relative.then(|| {
            let rows = [2 * s_y - 1, 2 * s_x - 1];
            let down = operand(g, "down", &[rows[0], width], 0.2);
            (down, operand(g, "across", &[rows[1], width], 0.2))
        });
        let pad_kv = self.pads.then(|| {
            let key = operand(g, "pad key", &[channels], 1.0);
            (key, operand(g, "pad value", &[channels], 1.0))
        });
        let attend = Attend {
            rel_pos,
            pad_kv,
            ..Attend::plain(heads, self.tokens)
        };
        let y = g.attention(operands[0], operands[1], operands[2], attend);
        let upstream = normal(g, "upstream", &[batch, queries, channels]);
        let product = g.mul(y, upstream);
        let loss = g.sum(product, &[0, 1, 2]);
        let gradients = differentiate(g, loss, &operands, Remat::None);
        g.check().expect("a graph");
        let gradients = names.into_iter().zip(gradients);
        let gradients = gradients.filter_map(|(name, gradient)| Some((name, gradient?)));
        [("output", y)].into_iter().chain(gradients).collect()
    }
}

const fn sequence(name: &'static str, shape: [usize; 3], counts: [usize; 2]) -> Attended {
    let [queries, keys] = counts;
    Attended {
        name,
        shape,
        tokens: Tokens::Sequence { queries, keys },
        relative: false,
        pads: false,
    }
}

const fn windows(
    name: &'static str,
    shape: [usize; 3],
    extents: [usize; 4],
    [relative, pads]: [bool; 2],
) -> Attended {
    let [height, width, window_h, window_w] = extents;
    Attended {
        name,
        shape,
        tokens: Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        },
        relative,
        pads,
    }
}

const ATTENDED: &[Attended] = &[
    sequence("64 of 64", [1, 1, 64], [64, 64]),
    sequence("197 of 131", [2, 3, 64], [197, 131]),
    sequence("197 of 131, heads of 32", [2, 3, 32], [197, 131]),
    sequence("65 of 100, heads of 80", [1, 2, 80], [65, 100]),
    sequence("196 of 196", [2, 2, 64], [196, 196]),
    sequence("1024 of 300", [1, 2, 64], [1024, 300]),
    windows("tiles", [1, 2, 64], [28, 14, 14, 14], [false, false]),
    windows("positions", [1, 2, 64], [28, 14, 14, 14], [true, false]),
    windows("masked pads", [2, 2, 64], [20, 17, 14, 14], [true, false]),
    windows("pads", [2, 2, 64], [20, 17, 14, 14], [true, true]),
    windows("pads alone", [1, 2, 32], [20, 17, 14, 14], [false, true]),
    windows("a whole grid", [1, 2, 64], [16, 16, 16, 16], [true, false]),
    windows("a wide grid", [1, 1, 64], [3, 125, 3, 125], [true, false]),
];

const MEASURED_ATTENTION: &[Attended] = &[
    sequence("ViT-B", [64, 12, 64], [197, 197]),
    sequence("1024 tokens", [8, 12, 64], [1024, 1024]),
    sequence("4096 tokens", [1, 12, 64], [4096, 4096]),
    windows("SAM windows", [2, 12, 64], [64, 64, 14, 14], [true, true]),
    windows("SAM global", [1, 12, 64], [64, 64, 64, 64], [true, false]),
    windows(
        "SAM global of 512",
        [4, 12, 64],
        [32, 32, 32, 32],
        [true, false],
    ),
    windows(
        "SAM windows of 512",
        [8, 12, 64],
        [32, 32, 14, 14],
        [true, true],
    ),
    windows("SAM-H windows", [2, 16, 80], [64, 64, 14, 14], [true, true]),
];
