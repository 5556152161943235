#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::nn::{HlAttn, HlAttnMode, Level};
use crate::weights::Weights;
use crate::{DType, Graph, Init, Remat, Tensor, Value, cpu, differentiate, random};

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

fn image(g: &mut Graph, config: &SamConfig, batch: usize) -> Value {
    let size = config.image_size_px;
    g.input("image", &[batch, size, size, 3], DType::F32)
}

/// Every parameter and input at random, zero-initialised ones included, so that no term vanishes;
/// factors of norms around 1, so that signals do not fade.
fn random_feeds(g: &Graph) -> HashMap<String, Tensor> {
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

fn evaluate(g: &mut Graph, feeds: &HashMap<String, Tensor>, wanted: &[Value]) -> Vec<Tensor> {
    g.check().unwrap();
    cpu::evaluate(g, feeds, wanted).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape, b.shape);
    let pairs = a.as_f32().iter().zip(b.as_f32());
    pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// The published ViT-B checkpoint's names and shapes, prompts aside.
fn published() -> BTreeMap<String, Vec<usize>> {
    let mut table = BTreeMap::new();
    for line in include_str!("vit_b.tsv").lines() {
        let (name, shape) = line.split_once('\t').unwrap();
        let shape: Vec<usize> = shape.split('x').map(|n| n.parse().unwrap()).collect();
        let numbers: Vec<(&str, usize)> = match name {
            n if n.contains("WINDOWED") => {
                [0, 1, 3, 4, 6, 7, 9, 10].map(|i| ("WINDOWED", i)).to_vec()
            }
            n if n.contains("GLOBAL") => [2, 5, 8, 11].map(|i| ("GLOBAL", i)).to_vec(),
            n if n.contains("LAYER") => [0, 1].map(|i| ("LAYER", i)).to_vec(),
            n if n.contains("MASK") => [0, 1, 2, 3].map(|i| ("MASK", i)).to_vec(),
            _ => vec![("", 0)],
        };
        for (placeholder, number) in numbers {
            let full = match placeholder {
                "" => name.to_string(),
                _ => name.replace(placeholder, &number.to_string()),
            };
            table.insert(full, shape.clone());
        }
    }
    table
}

fn parameters(g: &Graph) -> BTreeMap<String, Vec<usize>> {
    let entry = |s: &crate::Source| (s.name.clone(), g.shape(s.value).to_vec());
    g.params().map(entry).collect()
}

fn count(table: &BTreeMap<String, Vec<usize>>, prefix: &str) -> usize {
    let matching = table.iter().filter(|(name, _)| name.starts_with(prefix));
    matching
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

#[test]
fn vit_b_has_the_published_names_shapes_and_sizes() {
    let config = SamConfig::vit_b(1024);
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    let encoded = encode(&mut g, &config, &Adapter::None, x);
    let masks = decode_masks(&mut g, &MaskDecoderConfig::new(4), encoded.features);
    g.check().unwrap();
    assert_eq!(g.shape(encoded.tokens), [1, 4096, 768]);
    assert_eq!(g.shape(encoded.features), [1, 64, 64, 256]);
    assert_eq!(g.shape(masks.logits), [1, 256, 256, 4]);
    assert_eq!(g.shape(masks.quality), [1, 4]);
    let table = parameters(&g);
    assert_eq!(table, published());
    // The published totals: 93 735 728 with 6 476 of prompt encoder, its buffer included.
    assert_eq!(
        count(&table, "image_encoder."),
        93_735_728 - 4_058_340 - 6_476
    );
    assert_eq!(count(&table, "mask_decoder."), 4_058_340);
}

#[test]
fn larger_presets_have_the_published_sizes() {
    for (config, total) in [
        (SamConfig::vit_l(1024), 312_343_088),
        (SamConfig::vit_h(1024), 641_090_864),
    ] {
        let mut g = Graph::new();
        let x = image(&mut g, &config, 1);
        encode(&mut g, &config, &Adapter::None, x);
        g.check().unwrap();
        let expected = total - 4_058_340 - 6_476;
        assert_eq!(count(&parameters(&g), "image_encoder."), expected);
    }
}

#[test]
fn adapters_have_the_published_names_and_sizes() {
    let config = SamConfig::vit_b(224);
    let released = Fusion::HlAttn(HlAttn {
        mode: HlAttnMode::Released,
        ..HlAttn::default()
    });
    let adapter = Adapter::Experts {
        rank: 4,
        fusion: released,
    };
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    encode(&mut g, &config, &adapter, x);
    g.check().unwrap();
    let table = parameters(&g);
    let block = "image_encoder.blocks.7.samora_adapter.";
    for (name, shape) in [
        ("experts.image.linear_a_q.weight", &[4, 768][..]),
        ("experts.pixel.linear_b_v.weight", &[768, 4]),
        ("patch_scale", &[]),
        ("fuser.low_level_fuser.query_norm.weight", &[768]),
        ("fuser.high_level_fuser.attn.in_proj_weight", &[2304, 768]),
        ("fuser.high_level_fuser.attn.in_proj_bias", &[2304]),
        ("fuser.low_level_fuser.attn.out_proj.weight", &[768, 768]),
        ("fuser.low_level_fuser.out_proj.bias", &[768]),
        ("fuser.low_gate", &[]),
        ("fuser.final_norm.bias", &[768]),
    ] {
        assert_eq!(table[&format!("{block}{name}")], shape, "{name}");
    }
    assert_eq!(count(&table, &format!("{block}fuser.")), 5_916_674);
    let experts =
        (0..12).map(|i| format!("image_encoder.blocks.{i}.samora_adapter.experts.image."));
    let total: usize = experts.map(|prefix| count(&table, &prefix)).sum();
    assert_eq!(total, 147_456);
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

/// Gradients of the expert's parameters alone, in every block, against central differences.
#[test]
fn lora_only_gradients_reach_every_block() {
    let config = small();
    let level = Level::Patch;
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    let encoded = encode(&mut g, &config, &Adapter::Expert { level, rank: 2 }, x);
    let masks = decode_masks(&mut g, &decoder(), encoded.features);
    let weights = Init::Normal(1.0).draw(g.shape(masks.logits), 9, "loss");
    let weights = g.constant("loss", weights);
    let terms = g.mul(masks.logits, weights);
    let loss = g.sum(terms, &[0, 1, 2, 3]);
    let lora: Vec<(String, Value)> = g
        .params()
        .filter(|s| s.name.contains("samora_adapter"))
        .map(|s| (s.name.clone(), s.value))
        .collect();
    assert_eq!(lora.len(), 2 * 5);
    let values: Vec<Value> = lora.iter().map(|(_, v)| *v).collect();
    let gradients = differentiate(&mut g, loss, &values, Remat::None);
    let mut feeds = random_feeds(&g);
    for (i, (name, _)) in lora.iter().enumerate() {
        let gradient = gradients[i].unwrap();
        let gradient = evaluate(&mut g, &feeds, &[gradient]).remove(0);
        let at = random::Stream::named(1, name).below(gradient.len());
        let original = feeds[name].clone();
        let mut probe = |step: f32| {
            let mut data = original.as_f32().to_vec();
            data[at] += step;
            feeds.insert(name.clone(), Tensor::f32(&original.shape, data));
            evaluate(&mut g, &feeds, &[loss])[0].at(0)
        };
        let slope = (probe(1e-2) - probe(-1e-2)) / 2e-2;
        feeds.insert(name.clone(), original);
        let got = gradient.at(at);
        assert!(
            (got - slope).abs() < 2e-4 + 0.01 * slope.abs(),
            "{name}: {got} {slope}"
        );
        assert!(gradient.as_f32().iter().any(|x| x.abs() > 1e-2), "{name}");
    }
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
    let (weights, _) = Weights::default().draw(&g, 5, &[]).unwrap();
    let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
    let pixels = Init::Normal(1.0).draw(g.shape(x), 1, "image");
    feeds.insert("image".into(), pixels);
    let out = evaluate(&mut g, &feeds, &[adapted.features, plain.features]);
    assert_eq!(largest_difference(&out[0], &out[1]), 0.0);
}
