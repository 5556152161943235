#![allow(clippy::unwrap_used)]

mod files;

use std::collections::HashMap;

use super::*;
use crate::models::sam::tests::gradients::check_gradients_of;
use crate::models::sam::tests::{evaluate, image, largest_difference, random_feeds};
use crate::models::sam::{Adapter, MaskDecoderConfig, SamConfig, encode};
use crate::nn::Level;
use crate::random::Stream;
use crate::{DType, Graph, Tensor, Value};

/// Two blocks of 8 channels on 3×3 tokens in 2×2 windows that overhang, and a neck of 32 channels.
fn small() -> SamConfig {
    SamConfig {
        image_size_px: 6,
        patch_size_px: 2,
        dim: 8,
        depth: 2,
        heads: 2,
        window_tokens: 2,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 48,
    }
}

fn decoder() -> MaskDecoderConfig {
    MaskDecoderConfig {
        classes: 3,
        depth: 2,
        heads: 4,
        mlp_dim: 6,
    }
}

/// A batch of two through both decoders.
fn network(g: &mut Graph, noise: &Noise) -> HsamMasks {
    let x = image(g, &small(), 2);
    let adapter = Adapter::Lora { rank: 2 };
    let features = encode(g, &small(), &adapter, x).features;
    decode_twice(g, &decoder(), noise, features)
}

/// Wide layers with smaller weights, so that differences of so deep a network stay linear.
fn feeds(g: &Graph) -> HashMap<String, Tensor> {
    let mut feeds = random_feeds(g);
    for tensor in feeds.values_mut() {
        let inputs = tensor.shape.last().copied().unwrap_or(1);
        if tensor.shape.len() == 2 && inputs >= 8 {
            let factor = 2.0 / (inputs as f32).sqrt();
            let smaller = tensor.as_f32().iter().map(|x| factor * x).collect();
            *tensor = Tensor::f32(&tensor.shape, smaller);
        }
    }
    feeds
}

#[test]
fn the_second_decoder_ends_at_sixteen_times_the_grid() {
    let mut g = Graph::new();
    let masks = network(&mut g, &Noise::NONE);
    let mean = masks.predict(&mut g, Prediction::Mean);
    g.check().unwrap();
    assert_eq!(g.shape(masks.low), [2, 12, 12, 3]);
    assert_eq!(g.shape(masks.full), [2, 48, 48, 3]);
    assert_eq!(g.shape(mean), [2, 48, 48, 3]);
    assert_eq!(masks.predict(&mut g, Prediction::Second), masks.full);
}

/// Attention of all blocks is adapted alone, and both decoders' logits depend on it.
#[test]
fn lora_only_gradients_reach_every_block() {
    let adapter = Adapter::Expert {
        level: Level::Patch,
        rank: 2,
    };
    let build = |g: &mut Graph| {
        let x = image(g, &small(), 1);
        let features = encode(g, &small(), &adapter, x).features;
        let masks = decode_twice(g, &decoder(), &Noise::NONE, features);
        vec![masks.low, masks.full]
    };
    let trains = |name: &str| name.contains("samora_adapter");
    let (checked, informative) = check_gradients_of(build, feeds, trains);
    assert_eq!(checked, 2 * 5);
    assert!(informative >= 8, "{informative}");
}

/// The second decoder's loss alone reaches the first, through its classes and its pixels.
#[test]
fn gradients_of_both_decoders_are_right() {
    let build = |g: &mut Graph| {
        let masks = network(g, &Noise::NONE);
        // What rounding leaves of a sum over so many pixels is then below the tolerance.
        vec![g.scale(masks.full, 0.1)]
    };
    let trains = |name: &str| {
        let unused = name.contains("iou_prediction_head");
        let decodes = name.starts_with("mask_decoder") || name.ends_with("no_mask_embed.weight");
        decodes && !unused
    };
    let (checked, informative) = check_gradients_of(build, feeds, trains);
    assert!(
        checked > 200 && informative > 100,
        "{informative} of {checked}"
    );
}

fn random_ops(g: &Graph) -> Vec<(String, usize)> {
    let noise = g.nodes().iter().filter(|n| n.op.name() == "uniform_noise");
    noise
        .map(|n| (n.scope.to_string(), n.types[0].len()))
        .collect()
}

/// Noise on the features is two draws, and dropout one a layer, on the tokens.
#[test]
fn noise_is_drawn_in_training_alone() {
    let mut g = Graph::new();
    network(&mut g, &Noise::NONE);
    assert_eq!(random_ops(&g), []);
    let mut g = Graph::new();
    network(&mut g, &Noise::default());
    g.check().unwrap();
    let features = 2 * 9 * 48;
    let layer = |i| format!("mask_decoder2.transformer2.layers.{i}");
    assert_eq!(
        random_ops(&g),
        [
            (String::new(), features),
            (String::new(), features),
            (layer(0), 2 * 3 * 48),
            (layer(1), 2 * 3 * 48)
        ]
    );
    assert_eq!(g.random_site(), 4);
}

/// What both noises do to the masks changes with the key, and never reaches the first decoder.
#[test]
fn noise_disturbs_the_second_decoder_alone() {
    let quiet = Noise::NONE;
    for noise in [
        Noise {
            features: 0.2,
            ..quiet
        },
        Noise {
            dropout: 0.2,
            ..quiet
        },
    ] {
        let mut g = Graph::new();
        let masks = network(&mut g, &noise);
        let plain = network(&mut g, &quiet);
        let mut feeds = random_feeds(&g);
        let mut run = |seed| {
            feeds.insert("random".into(), Stream::named(seed, "noise").key());
            evaluate(
                &mut g,
                &feeds,
                &[masks.low, masks.full, plain.low, plain.full],
            )
        };
        let (one, other) = (run(1), run(2));
        assert_eq!(one[0], one[2]);
        assert_eq!(one[0], other[0]);
        assert_eq!(one[3], other[3]);
        assert!(largest_difference(&one[1], &one[3]) > 1e-3);
        assert!(largest_difference(&one[1], &other[1]) > 1e-3);
    }
}

/// Features from −1 to 3 get normal noise of deviation 0.2·4.
#[test]
fn noise_scales_with_the_range_of_the_batch() {
    let mut g = Graph::new();
    let n = 40_000;
    let x = g.input("x", &[4, 10, 10, n / 400], DType::F32);
    let y = decoder::with_noise(&mut g, x, 0.2);
    let added = g.sub(y, x);
    let values = (0..n).map(|i| -1.0 + (i % 5) as f32).collect();
    let mut feeds = random_feeds(&g);
    feeds.insert("x".into(), Tensor::f32(g.shape(x), values));
    feeds.insert("random".into(), Stream::named(7, "noise").key());
    let noise = evaluate(&mut g, &feeds, &[added]).remove(0);
    let moment = |power: i32| {
        noise
            .as_f32()
            .iter()
            .map(|z| f64::from(*z).powi(power))
            .sum::<f64>()
            / n as f64
    };
    let deviation = moment(2).sqrt();
    assert!(
        moment(1).abs() < 4.0 * 0.8 / (n as f64).sqrt(),
        "{}",
        moment(1)
    );
    assert!((deviation - 0.8).abs() < 0.015, "{deviation}");
    // Kurtosis tells a normal distribution from others.
    let kurtosis = moment(4) / deviation.powi(4);
    assert!((kurtosis - 3.0).abs() < 0.15, "{kurtosis}");
}

/// The range is differentiated too: f(x) = Σ c·(x + 0.2·z·(max x − min x)) has the slope
/// c_i + 0.2·Σ c·z at the largest element.
#[test]
fn the_range_of_features_has_a_gradient() {
    let mut g = Graph::new();
    let x = g.param("x", &[1, 1, 1, 4], crate::Init::Zeros);
    let y = decoder::with_noise(&mut g, x, 0.2);
    let loss = g.sum(y, &[0, 1, 2, 3]);
    let gradient = crate::differentiate(&mut g, loss, &[x], crate::Remat::None)[0].unwrap();
    let noise = g.sub(y, x);
    let mut feeds = random_feeds(&g);
    let values = Tensor::f32(&[1, 1, 1, 4], vec![0.5, 3.0, -1.0, 1.0]);
    feeds.insert("x".into(), values);
    feeds.insert("random".into(), Stream::named(7, "noise").key());
    let out = evaluate(&mut g, &feeds, &[gradient, noise]);
    let sum: f32 = out[1].as_f32().iter().sum::<f32>() / 4.0;
    for (got, want) in out[0].as_f32().iter().zip([1.0, 1.0 + sum, 1.0 - sum, 1.0]) {
        assert!((got - want).abs() < 1e-5, "{out:?}");
    }
    assert!(sum.abs() > 0.01);
}

#[test]
fn mistakes_are_named() {
    let error = |dim: usize, noise: &Noise| {
        let mut g = Graph::new();
        let x: Value = g.input("x", &[1, 2, 2, dim], DType::F32);
        decode_twice(&mut g, &decoder(), noise, x);
        g.check().map_err(|e| e.to_string())
    };
    assert_eq!(error(48, &Noise::default()), Ok(()));
    assert!(error(24, &Noise::default()).unwrap_err().contains("16"));
    let dropout = Noise {
        dropout: 1.0,
        ..Noise::NONE
    };
    assert!(error(48, &dropout).unwrap_err().contains("dropout"));
    let features = Noise {
        features: f32::NAN,
        ..Noise::NONE
    };
    assert!(error(48, &features).unwrap_err().contains("features"));
}
