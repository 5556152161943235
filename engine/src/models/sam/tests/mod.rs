#![allow(clippy::unwrap_used, clippy::panic)]

pub(crate) mod gradients;
mod published;

use std::collections::HashMap;

use super::*;
use crate::nn::{HlAttn, HlAttnMode, Level};
use crate::weights::Weights;
use crate::{DType, Graph, Init, Remat, Tensor, Value, cpu, differentiate};

/// Two blocks of 8 channels on 5×5 tokens, one in 3×3 windows that overhang, one global.
fn small() -> SamConfig {
    SamConfig {
        image_size_px: 10,
        patch_size_px: 2,
        dim: 8,
        depth: 2,
        heads: 2,
        window_tokens: 3,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 8,
    }
}

fn decoder() -> MaskDecoderConfig {
    MaskDecoderConfig {
        classes: 3,
        depth: 2,
        heads: 2,
        mlp_dim: 6,
    }
}

pub(crate) fn image(g: &mut Graph, config: &SamConfig, batch: usize) -> Value {
    let size = config.image_size_px;
    g.input("image", &[batch, size, size, 3], DType::F32)
}

/// Every parameter and input at random, zero-initialised ones included, so that no term vanishes;
/// factors of norms around 1, so that signals do not fade.
pub(crate) fn random_feeds(g: &Graph) -> HashMap<String, Tensor> {
    let draw = |source: &crate::Source| {
        let shape = g.shape(source.value);
        let mut tensor = Init::Normal(0.4).draw(shape, 3, &source.name);
        if shape.len() == 1 && source.name.ends_with("weight") {
            let around_one = tensor.as_f32().iter().map(|x| 1.0 + x).collect();
            tensor = Tensor::f32(shape, around_one);
        }
        (source.name.clone(), tensor)
    };
    g.sources()
        .iter()
        .filter(|s| !matches!(s.kind, crate::SourceKind::Constant(_)))
        .map(draw)
        .collect()
}

pub(crate) fn evaluate(
    g: &mut Graph,
    feeds: &HashMap<String, Tensor>,
    wanted: &[Value],
) -> Vec<Tensor> {
    g.check().unwrap();
    cpu::evaluate(g, feeds, wanted).unwrap()
}

pub(crate) fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape, b.shape);
    let pairs = a.as_f32().iter().zip(b.as_f32());
    pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// The frozen block plus separate expert blocks, differences taken after `proj`: the formulation
/// the fused one replaces.
#[test]
fn stage_two_equals_four_separate_attentions() {
    for window in [3, 5] {
        let config = SamConfig {
            depth: 1,
            global_blocks: Vec::new(),
            window_tokens: window,
            ..small()
        };
        let rank = 2;
        let mut g = Graph::new();
        let x = image(&mut g, &config, 2);
        let fusion = Fusion::Sum;
        let fused = encode(&mut g, &config, &Adapter::Experts { rank, fusion }, x);
        let all = Level::ALL.map(|level| Adapter::Expert { level, rank });
        let plain = encode(&mut g, &config, &Adapter::None, x);
        let experts = all.map(|adapter| encode(&mut g, &config, &adapter, x));
        // One block: its attention residual is what the MLP sees, so compare before the MLP by
        // silencing it.
        let mut feeds = random_feeds(&g);
        for name in ["lin2.weight", "lin2.bias"] {
            let name = format!("image_encoder.blocks.0.mlp.{name}");
            let zero = Tensor::full(&feeds[&name].shape, 0.0);
            feeds.insert(name, zero);
        }
        let mut sum = plain.tokens;
        for expert in &experts {
            let delta = g.sub(expert.tokens, plain.tokens);
            sum = g.add(sum, delta);
        }
        let wanted = [fused.tokens, sum, plain.tokens];
        let out = evaluate(&mut g, &feeds, &wanted);
        assert!(largest_difference(&out[0], &out[1]) < 2e-5);
        assert!(largest_difference(&out[0], &out[2]) > 0.1);
    }
}

#[test]
fn paper_mode_starts_at_the_frozen_network() {
    let config = small();
    let fusion = Fusion::HlAttn(HlAttn::default());
    let adapter = Adapter::Experts { rank: 2, fusion };
    let mut g = Graph::new();
    let x = image(&mut g, &config, 2);
    let adapted = encode(&mut g, &config, &adapter, x);
    let frozen = encode(&mut g, &config, &Adapter::None, x);
    let mut feeds = random_feeds(&g);
    let wanted = [adapted.features, frozen.features];
    let moved = evaluate(&mut g, &feeds, &wanted);
    assert!(largest_difference(&moved[0], &moved[1]) > 0.05);
    for i in 0..config.depth {
        let name = format!("image_encoder.blocks.{i}.samora_adapter.fuser.output_scale");
        feeds.insert(name, Tensor::full(&[config.dim], 0.0));
    }
    let start = evaluate(&mut g, &feeds, &wanted);
    assert_eq!(largest_difference(&start[0], &start[1]), 0.0);
}

#[test]
fn the_fusion_order_matters_and_sets_who_informs_whom() {
    let config = small();
    let mut outputs = Vec::new();
    for order in [
        [Level::Pixel, Level::Patch, Level::Image],
        [Level::Image, Level::Patch, Level::Pixel],
    ] {
        let mode = HlAttnMode::Released;
        let fusion = Fusion::HlAttn(HlAttn { mode, order });
        let mut g = Graph::new();
        let x = image(&mut g, &config, 1);
        let encoded = encode(&mut g, &config, &Adapter::Experts { rank: 2, fusion }, x);
        let feeds = random_feeds(&g);
        outputs.push(evaluate(&mut g, &feeds, &[encoded.features]).remove(0));
    }
    assert!(largest_difference(&outputs[0], &outputs[1]) > 0.01);
}

#[test]
fn reconstruction_hides_what_it_must_restore() {
    let config = small();
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    let hidden = g.input("hidden", &[1, 25], DType::F32);
    let loss = reconstruction_loss(&mut g, &config, x, hidden);
    let features = g
        .params()
        .filter(|s| s.name.starts_with("image_encoder."))
        .count();
    assert_eq!(features, 1 + parameters_of_encoder(&config));
    let mut feeds = random_feeds(&g);
    let mut mask = vec![0.0; 25];
    mask[7] = 1.0;
    feeds.insert("hidden".into(), Tensor::f32(&[1, 25], mask));
    let values: Vec<Value> = g.params().map(|s| s.value).collect();
    let gradients = differentiate(&mut g, loss, &values, Remat::None);
    assert!(gradients.iter().all(Option::is_some));
    let before = evaluate(&mut g, &feeds, &[loss])[0].at(0);
    // Scaling the hidden patch (row 1, column 2 of the grid) leaves its standardised target alone, and
    // the encoder must not see it.
    let mut pixels = feeds["image"].as_f32().to_vec();
    for (y, x) in [(2, 4), (2, 5), (3, 4), (3, 5)] {
        let at = (y * config.image_size_px + x) * 3;
        pixels[at..at + 3]
            .iter_mut()
            .for_each(|p| *p = 3.0 * *p + 1.0);
    }
    let changed = Tensor::f32(&feeds["image"].shape, pixels);
    feeds.insert("image".into(), changed);
    let after = evaluate(&mut g, &feeds, &[loss])[0].at(0);
    assert!((before - after).abs() < 1e-4, "{before} {after}");
}

fn parameters_of_encoder(config: &SamConfig) -> usize {
    let mut g = Graph::new();
    let x = image(&mut g, config, 1);
    encode(&mut g, config, &Adapter::None, x);
    g.params().count()
}

#[test]
fn mistakes_are_named() {
    let wrong = SamConfig {
        heads: 3,
        ..small()
    };
    assert_eq!(wrong.check().unwrap_err().0, "dim");
    let mut g = Graph::new();
    let x = image(&mut g, &wrong, 1);
    encode(&mut g, &wrong, &Adapter::None, x);
    assert!(g.check().unwrap_err().to_string().contains("heads"));
    let mut g = Graph::new();
    let x = g.input("image", &[1, 12, 10, 3], DType::F32);
    encode(&mut g, &small(), &Adapter::None, x);
    assert!(g.check().unwrap_err().to_string().contains("12×10"));
}

#[test]
fn fresh_weights_of_experts_leave_the_network_unchanged() {
    let config = small();
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    let adapter = Adapter::Lora { rank: 2 };
    let adapted = encode(&mut g, &config, &adapter, x);
    let plain = encode(&mut g, &config, &Adapter::None, x);
    let weights = Weights::default().draw(&g, 5).unwrap();
    let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
    let pixels = Init::Normal(1.0).draw(g.shape(x), 1, "image");
    feeds.insert("image".into(), pixels);
    let out = evaluate(&mut g, &feeds, &[adapted.features, plain.features]);
    assert_eq!(largest_difference(&out[0], &out[1]), 0.0);
}
