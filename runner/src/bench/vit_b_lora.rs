//! A frozen ViT on given tokens with LoRA on q and v and a trained head. Weights, tokens and target come
//! from a generator of a few lines, so that another engine's losses can be compared
//! (`runner/benches/vit_b_lora.py` is PyTorch's).

use std::collections::BTreeMap;

use samora_engine::Precision;
use samora_engine::nn::{LowRank, add_low_rank_update, layer_norm, linear, mlp};
use samora_engine::ops::attention::Attend;
use samora_engine::optim::{Backward, OptimConfig, Rule, Schedule, minimise};
use samora_engine::{DType, Graph, Remat, Tensor, Value};
use samora_shaders::Tokens;

use super::Case;
use crate::error::Result;

/// Sizes of the network and its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub blocks: usize,
    pub tokens: usize,
    pub dim: usize,
    pub heads: usize,
    pub batch: usize,
}

const RANK: usize = 4;
const OUTPUTS: usize = 9;
const EPS: f32 = 1e-6;
/// Standard deviation of all weights, LoRA's `B` included.
const DEVIATION: f32 = 0.02;

/// One training step: mean squared error, AdamW at 10⁻³ with weight decay 0.01.
pub(super) fn case(name: String, sizes: Sizes, precision: Precision) -> Result<Case> {
    let mut g = Graph::new();
    let (batch, tokens, dim) = (sizes.batch, sizes.tokens, sizes.dim);
    let mut x = g.input("x", &[batch, tokens, dim], DType::F32);
    for index in 0..sizes.blocks {
        x = g.within(format!("blocks.{index}").as_str(), |g| {
            block(g, x, sizes.heads)
        });
    }
    let y = linear(&mut g, "head", x, OUTPUTS);
    let target = g.input("target", &[batch, tokens, OUTPUTS], DType::F32);
    let loss = samora_engine::nn::loss::mse(&mut g, y, target);
    let trained = |name: &str| name.contains(".linear_") || name.starts_with("head.");
    let params = g.params().filter(|p| trained(&p.name));
    let params: Vec<Value> = params.map(|p| p.value).collect();
    let optimiser = OptimConfig {
        learning_rate: 1e-3,
        rule: Rule::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            decay_vectors: true,
        },
        schedule: Schedule::Constant,
        clip_norm: None,
    };
    let backward = Backward {
        remat: Remat::None,
        scaled: precision != Precision::Exact,
    };
    minimise(&mut g, loss, &params, &optimiser, 1, backward);
    g.check()?;
    let inputs = [("x", dim), ("target", OUTPUTS)];
    let inputs = inputs.map(|(name, width)| {
        let shape = [batch, tokens, width];
        let values = numbers(name, shape.iter().product(), 1.0);
        (name.to_string(), Tensor::f32(&shape, values))
    });
    Ok(Case {
        name,
        batch,
        graph: g,
        wanted: vec![loss],
        tensors: weights(sizes),
        inputs: inputs.into(),
    })
}

fn block(g: &mut Graph, x: Value, heads: usize) -> Value {
    let [_, tokens, c] = g.dims(x);
    let y = layer_norm(g, "norm1", x, EPS);
    let qkv = linear(g, "attn.qkv", y, 3 * c);
    let lora = LowRank {
        scope: "attn.qkv".into(),
        scale: None,
    };
    let qkv = add_low_rank_update(g, qkv, y, lora, RANK);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, i * c, c));
    let attend = Attend::plain(
        heads,
        Tokens::Sequence {
            queries: tokens,
            keys: tokens,
        },
    );
    let y = g.attention(q, k, v, attend);
    let y = linear(g, "attn.proj", y, c);
    let x = g.add(x, y);
    let y = layer_norm(g, "norm2", x, EPS);
    let y = mlp(g, ["mlp.fc1", "mlp.fc2"], y, 4 * c, Graph::gelu);
    g.add(x, y)
}

/// Every parameter, from the generator's names.
fn weights(sizes: Sizes) -> BTreeMap<String, Tensor> {
    let (c, hidden) = (sizes.dim, 4 * sizes.dim);
    let mut all = BTreeMap::new();
    let bias = |name: &str, n: usize| numbers(&format!("{name}.b"), n, DEVIATION);
    for index in 0..sizes.blocks {
        let mut put = |name: &str, tensor: Tensor| {
            all.insert(format!("blocks.{index}.{name}"), tensor);
        };
        let of = |name: &str| format!("b{index}.{name}");
        for norm in ["norm1", "norm2"] {
            put(&format!("{norm}.weight"), Tensor::full(&[c], 1.0));
            put(&format!("{norm}.bias"), Tensor::full(&[c], 0.0));
        }
        let qkv = ["q", "k", "v"].map(|side| transposed(&format!("{}.w", of(side)), c, c));
        put("attn.qkv.weight", Tensor::f32(&[3 * c, c], qkv.concat()));
        let qkv = ["q", "k", "v"].map(|side| bias(&of(side), c));
        put("attn.qkv.bias", Tensor::f32(&[3 * c], qkv.concat()));
        for (ours, theirs, input, output) in [
            ("attn.proj", "proj", c, c),
            ("mlp.fc1", "fc1", c, hidden),
            ("mlp.fc2", "fc2", hidden, c),
        ] {
            let weight = transposed(&format!("{}.w", of(theirs)), input, output);
            put(
                &format!("{ours}.weight"),
                Tensor::f32(&[output, input], weight),
            );
            let bias = bias(&of(theirs), output);
            put(&format!("{ours}.bias"), Tensor::f32(&[output], bias));
        }
        for side in ["q", "v"] {
            for (part, input, output) in [("a", c, RANK), ("b", RANK, c)] {
                let weight = transposed(
                    &format!("{}.{part}", of(&format!("lora_{side}"))),
                    input,
                    output,
                );
                put(
                    &format!("attn.qkv.linear_{part}_{side}.weight"),
                    Tensor::f32(&[output, input], weight),
                );
            }
        }
    }
    let head = transposed("head.w", c, OUTPUTS);
    all.insert("head.weight".into(), Tensor::f32(&[OUTPUTS, c], head));
    all.insert("head.bias".into(), Tensor::full(&[OUTPUTS], 0.0));
    all
}

/// A weight `[output, input]`; the generator counts through `[input, output]`.
fn transposed(name: &str, input: usize, output: usize) -> Vec<f32> {
    let numbers = numbers(name, input * output, DEVIATION);
    let rows = 0..output;
    rows.flat_map(|o| (0..input).map(move |i| (o, i)))
        .map(|(o, i)| numbers[i * output + o])
        .collect()
}

/// Sums of four 16-bit numbers (Irwin–Hall, so nearly normal) of splitmix64, which counts from the FNV-1a
/// hash of the name.
fn numbers(name: &str, count: usize, deviation: f32) -> Vec<f32> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let number = |i: u64| {
        let mut z = seed.wrapping_add(i).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let sum: u64 = (0..4).map(|part| (z >> (16 * part)) & 0xFFFF).sum();
        ((sum as f64 / 65536.0 - 2.0) * 3.0_f64.sqrt()) as f32 * deviation
    };
    (0..count as u64).map(number).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use samora_engine::{Device, DeviceOptions};

    use super::*;
    use crate::bench::{Ceiling, measure};

    /// `python runner/benches/vit_b_lora.py --blocks 2 --tokens 20 --dim 64 --heads 2 --batch 2`
    #[test]
    fn losses_are_pytorchs() {
        let sizes = Sizes {
            blocks: 2,
            tokens: 20,
            dim: 64,
            heads: 2,
            batch: 2,
        };
        let device = Device::open(&DeviceOptions::default()).unwrap();
        let mut ceiling = Ceiling::new(&device).unwrap();
        let case = case("small".into(), sizes, Precision::Exact).unwrap();
        let measured = measure(&case, (&device, &mut ceiling), true, 1, true).unwrap();
        for (ours, theirs) in measured
            .losses
            .iter()
            .zip([0.986_317, 0.970_088, 0.954_125])
        {
            assert!((ours - theirs).abs() < 2e-6, "{ours} is not {theirs}");
        }
        assert_eq!(measured.losses.len(), 3);
        assert_eq!(measured.profile.len(), measured.kernels);
        assert!(measured.memory.activations >= measured.memory.alive);
    }
}
