//! The ResNet backbone (SimCLRv2, resnet.py), bottleneck blocks throughout.

use super::config::{EXPANSION, SimclrConfig};
use crate::nn::{Statistics, batch_norm, batch_norm_with, conv};
use crate::{Graph, Init, Value};

/// Share of channels that a selective kernel squeezes to, and their least number.
const SELECTIVE_RATIO: f32 = 0.0625;
const SELECTIVE_LEAST: usize = 32;

/// The feature map `[batch, h', w', feature_dim]`.
pub(super) fn backbone(
    g: &mut Graph,
    config: &SimclrConfig,
    image: Value,
    statistics: Statistics,
) -> Value {
    let mut x = g.within("0", |g| stem(g, config, image, statistics));
    for (stage, &count) in config.blocks.iter().enumerate() {
        let inner = config.width << stage;
        for index in 0..count {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let selective = config.selective_kernels;
            x = g.within(format!("{}.blocks.{index}", stage + 1), |g| {
                block(g, x, inner, stride, index == 0, selective, statistics)
            });
        }
    }
    x
}

/// 7×7 with stride 2, or three 3×3 before selective kernels; then max-pooling by 2.
fn stem(g: &mut Graph, config: &SimclrConfig, image: Value, statistics: Statistics) -> Value {
    let width = config.width;
    let x = match config.selective_kernels {
        true => {
            let x = conv(g, "0", image, width / 2, (3, 2), true, false);
            let x = norm_relu(g, "1.0", x, statistics);
            let x = conv(g, "2", x, width / 2, (3, 1), true, false);
            let x = norm_relu(g, "3.0", x, statistics);
            let x = conv(g, "4", x, width, (3, 1), true, false);
            norm_relu(g, "5.0", x, statistics)
        }
        false => {
            let x = conv(g, "0", image, width, (7, 2), true, false);
            norm_relu(g, "1.0", x, statistics)
        }
    };
    g.max_pool(x, 3, 2, [1; 4])
}

/// 1×1, 3×3 (or a selective kernel), 1×1, each with BatchNorm, on top of a shortcut that a stage's
/// first block projects.
fn block(
    g: &mut Graph,
    x: Value,
    inner: usize,
    stride: usize,
    projects: bool,
    selective: bool,
    statistics: Statistics,
) -> Value {
    let out = inner * EXPANSION;
    let shortcut = match projects {
        true => g.within("projection", |g| {
            let y = match selective {
                // ResNet-D: average the stride away, so that no pixel is skipped.
                true => {
                    let y = g.avg_pool(x, 2, stride, [0, 1, 0, 1]);
                    conv(g, "shortcut.2", y, out, (1, 1), false, false)
                }
                false => conv(g, "shortcut", x, out, (1, stride), false, false),
            };
            batch_norm(g, "bn.0", y, statistics)
        }),
        false => x,
    };
    let y = g.within("net", |g| {
        let y = conv(g, "0", x, inner, (1, 1), false, false);
        let y = norm_relu(g, "1.0", y, statistics);
        let (y, last) = match selective {
            true => {
                let y = g.within("2", |g| selective_kernel(g, y, inner, stride, statistics));
                (y, ["3", "4.0"])
            }
            false => {
                let y = conv(g, "2", y, inner, (3, stride), true, false);
                (norm_relu(g, "3.0", y, statistics), ["4", "5.0"])
            }
        };
        let y = conv(g, last[0], y, out, (1, 1), false, false);
        // A branch starts at zero, so that a fresh block passes its input on.
        batch_norm_with(g, last[1], y, statistics, Init::Zeros, true)
    });
    let y = g.add(shortcut, y);
    g.relu(y)
}

/// Two 3×3 branches, weighted per channel by a softmax over the branches that depends on their
/// pooled sum (Li et al. 2019).
fn selective_kernel(
    g: &mut Graph,
    x: Value,
    out: usize,
    stride: usize,
    statistics: Statistics,
) -> Value {
    let y = conv(g, "main_conv.0", x, 2 * out, (3, stride), true, false);
    let y = norm_relu(g, "main_conv.1.0", y, statistics);
    let [batch, h, w, _] = g.dims(y);
    let branches = g.reshape(y, &[batch, h, w, 2, out]);
    let summed = g.sum(branches, &[3]);
    let pooled = g.mean(summed, &[1, 2]);
    let pooled = g.reshape(pooled, &[batch, 1, 1, out]);
    let squeezed = ((out as f32 * SELECTIVE_RATIO) as usize).max(SELECTIVE_LEAST);
    let z = conv(g, "mixing_conv.0", pooled, squeezed, (1, 1), false, false);
    let z = norm_relu(g, "mixing_conv.1.0", z, statistics);
    let z = conv(g, "mixing_conv.2", z, 2 * out, (1, 1), false, false);
    let z = g.reshape(z, &[batch, 2, out]);
    let z = g.transpose(z);
    let weights = g.softmax(z);
    let weights = g.transpose(weights);
    let weights = g.reshape(weights, &[batch, 1, 1, 2, out]);
    let weighted = g.mul(branches, weights);
    g.sum(weighted, &[3])
}

fn norm_relu(g: &mut Graph, name: &str, x: Value, statistics: Statistics) -> Value {
    let y = batch_norm(g, name, x, statistics);
    g.relu(y)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use super::*;
    use crate::{DType, Tensor, cpu};

    /// From both branches' maps on, channel by channel in plain loops, with the statistics at their
    /// start (mean 0, variance 1).
    #[test]
    fn a_selective_kernel_is_a_gated_sum_of_its_branches() {
        const OUT: usize = 6;
        const SQUEEZED: usize = SELECTIVE_LEAST;
        const POSITIONS: usize = 3 * 3;
        let mut g = Graph::new();
        let x = g.input("x", &[2, 5, 6, 4], DType::F32);
        let y = selective_kernel(&mut g, x, OUT, 2, Statistics::Running);
        let maps = conv(&mut g, "main_conv.0", x, 2 * OUT, (3, 2), true, false);
        let maps = norm_relu(&mut g, "main_conv.1.0", maps, Statistics::Running);
        g.check().unwrap();
        assert_eq!(g.shape(y), [2, 3, 3, OUT]);
        let squeeze = Init::Normal(1.0).draw(&[SQUEEZED, OUT, 1, 1], 1, "squeeze");
        let excite = Init::Normal(1.0).draw(&[2 * OUT, SQUEEZED, 1, 1], 1, "excite");
        let feeds: HashMap<String, Tensor> = [
            ("x", Init::Normal(1.0).draw(&[2, 5, 6, 4], 1, "x")),
            ("mixing_conv.0.weight", squeeze.clone()),
            ("mixing_conv.2.weight", excite.clone()),
        ]
        .map(|(name, tensor)| (name.to_string(), tensor))
        .into();
        let out = cpu::evaluate(&g, &feeds, &[y, maps]).unwrap();
        for image in 0..2 {
            let map =
                |p: usize, channel: usize| out[1].at((image * POSITIONS + p) * 2 * OUT + channel);
            let pooled: Vec<f64> = (0..OUT)
                .map(|c| (0..POSITIONS).map(|p| map(p, c) + map(p, OUT + c)).sum())
                .map(|sum: f64| sum / POSITIONS as f64)
                .collect();
            let hidden: Vec<f64> = (0..SQUEEZED)
                .map(|s| (0..OUT).map(|c| squeeze.at(s * OUT + c) * pooled[c]).sum())
                .map(|sum: f64| (sum / (1.0f64 + 1e-5).sqrt()).max(0.0))
                .collect();
            let score = |c: usize| -> f64 {
                let terms = (0..SQUEEZED).map(|s| excite.at(c * SQUEEZED + s) * hidden[s]);
                terms.sum()
            };
            for c in 0..OUT {
                let gate = 1.0 / (1.0 + (score(OUT + c) - score(c)).exp());
                for p in 0..POSITIONS {
                    let expected = gate * map(p, c) + (1.0 - gate) * map(p, OUT + c);
                    let got = out[0].at((image * POSITIONS + p) * OUT + c);
                    assert!((got - expected).abs() < 1e-4, "{got} {expected}");
                }
            }
        }
    }
}
