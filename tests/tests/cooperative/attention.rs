//! Attention and its gradients.

use std::collections::HashMap;

use samora_engine::Precision;
use samora_engine::gpu::Program;
use samora_engine::ops::attention::Attend;
use samora_engine::{Graph, Init, Remat, Value, cpu, differentiate, plan};
use samora_shaders::Tokens;
use samora_tests::cases::parameters;

use super::{device, normal, relative};

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
        let planned = plan(&graph, &values, device.planning(true)).expect("a plan");
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
            let planned = plan(&graph, &values, device.planning(true)).expect("a plan");
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
    sequence("65 of 100, heads of 56", [2, 2, 56], [65, 100]),
    sequence("49 of 196, heads of 72", [1, 2, 72], [49, 196]),
    sequence("196 of 196, heads of 96", [2, 1, 96], [196, 196]),
    windows(
        "pads, heads of 96",
        [1, 2, 96],
        [20, 17, 14, 14],
        [false, true],
    ),
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
