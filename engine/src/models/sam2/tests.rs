#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use super::config::Block;
use super::*;
use crate::models::sam::{Adapter, Fusion, MaskDecoderConfig, Prompts};
use crate::nn::{HlAttn, HlAttnMode};
use crate::weights::Weights;
use crate::{DType, Graph, Init, Planning, Tensor, Value, cpu, plan};

/// Windows that overhang their grid where queries are pooled, a global block, and positions of another extent.
fn small() -> Sam2Config {
    Sam2Config {
        image_size_px: 64,
        dim: 4,
        heads: 1,
        depths: [1, 1, 2, 1],
        windows_tokens: [4, 2, 6, 3],
        global_blocks: vec![3],
        positions_tokens: 3,
        mlp_ratio: 2,
        out_channels: 16,
    }
}

fn image(g: &mut Graph, config: &Sam2Config, batch: usize) -> Value {
    let size = config.image_size_px;
    g.input("image", &[batch, size, size, 3], DType::F32)
}

fn parameters(g: &Graph) -> BTreeMap<String, Vec<usize>> {
    let shape = |s: &crate::Source| (s.name.clone(), g.shape(s.value).to_vec());
    g.params().map(shape).collect()
}

fn count(table: &BTreeMap<String, Vec<usize>>, part: &str) -> usize {
    let matching = table.iter().filter(|(name, _)| name.contains(part));
    matching
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

/// Windows lag one block behind the stages, and blocks that pool have the grid and channels of the stage before.
#[test]
fn windows_follow_the_published_order() {
    let blocks = Sam2Config::tiny(512).blocks();
    let windows: Vec<(usize, usize)> = blocks.iter().map(|b| (b.grid, b.window)).collect();
    let third = [
        (64, 4),
        (32, 14),
        (32, 32),
        (32, 14),
        (32, 32),
        (32, 14),
        (32, 32),
    ];
    let wanted = [
        &[(128, 8), (128, 8), (64, 4)],
        &third[..],
        &[(32, 14), (16, 7)],
    ]
    .concat();
    assert_eq!(windows, wanted);
    let pooling: Vec<usize> = (0..12).filter(|&i| blocks[i].pools).collect();
    assert_eq!(pooling, [1, 3, 10]);
    let Block {
        dim, out, heads, ..
    } = blocks[10];
    assert_eq!((dim, out, heads), (384, 768, 8));
    let large = Sam2Config::large(1024).blocks();
    let pooling: Vec<usize> = (0..48).filter(|&i| large[i].pools).collect();
    assert_eq!(pooling, [2, 8, 44]);
    assert_eq!((large[44].window, large[45].window), (16, 8));
}

#[test]
fn features_have_a_sixteenth_of_the_image_and_finer_ones_follow() {
    for size in [224, 512] {
        let config = Sam2Config::small(size);
        let mut g = Graph::new();
        let x = image(&mut g, &config, 2);
        let encoded = encode(&mut g, &config, &Adapter::None, x);
        let embedding = embed(&mut g, &encoded);
        let masks = decode_masks(&mut g, &MaskDecoderConfig::new(9), &embedding);
        g.check().unwrap();
        let t = size / 16;
        assert_eq!(g.shape(encoded.tokens), [2, t * t, 256]);
        assert_eq!(g.shape(embedding.image), [2, t, t, 256]);
        assert_eq!(g.shape(embedding.fine[0]), [2, 2 * t, 2 * t, 64]);
        assert_eq!(g.shape(embedding.fine[1]), [2, 4 * t, 4 * t, 32]);
        assert_eq!(g.shape(masks.logits), [2, 4 * t, 4 * t, 9]);
        assert_eq!(g.shape(masks.quality), [2, 9]);
    }
}

/// Low-rank updates of one expert at rank 4, and the matrices of HL-Attn as released, 10·c² in each block.
#[test]
fn adapters_have_the_sizes_of_their_blocks() {
    for (config, blocks, updates, fusing) in [
        (Sam2Config::tiny(224), 12, 69_888, 22_947_840),
        (Sam2Config::small(224), 16, 94_464, 28_846_080),
        (Sam2Config::base_plus(224), 24, 165_760, 57_953_280),
        (Sam2Config::large(224), 48, 429_696, 177_914_880),
    ] {
        let fusion = Fusion::HlAttn(HlAttn {
            mode: HlAttnMode::Released,
            ..HlAttn::default()
        });
        let mut g = Graph::new();
        let x = image(&mut g, &config, 1);
        encode(&mut g, &config, &Adapter::Experts { rank: 4, fusion }, x);
        g.check().unwrap();
        let table = parameters(&g);
        let scales = table.keys().filter(|n| n.ends_with(".pixel_scale")).count();
        assert_eq!(scales, blocks);
        for level in ["image", "patch", "pixel"] {
            assert_eq!(count(&table, &format!(".experts.{level}.")), updates);
        }
        let matrices = table.into_iter().filter(|(_, shape)| shape.len() == 2);
        assert_eq!(count(&matrices.collect(), ".fuser."), fusing);
    }
    let config = Sam2Config::tiny(224);
    let mut g = Graph::new();
    let x = image(&mut g, &config, 1);
    encode(&mut g, &config, &Adapter::Lora { rank: 4 }, x);
    let table = parameters(&g);
    // The first block of the second stage: 96 channels come in and 192 go out.
    let block = "image_encoder.trunk.blocks.1.attn.qkv.";
    assert_eq!(table[&format!("{block}linear_a_q.weight")], [4, 96]);
    assert_eq!(table[&format!("{block}linear_b_v.weight")], [192, 4]);
}

#[test]
fn fresh_adapters_leave_the_network_unchanged() {
    let config = small();
    let fusion = Fusion::HlAttn(HlAttn::default());
    for adapter in [
        Adapter::Lora { rank: 2 },
        Adapter::Experts { rank: 2, fusion },
    ] {
        let mut g = Graph::new();
        let x = image(&mut g, &config, 1);
        let adapted = encode(&mut g, &config, &adapter, x).features;
        let plain = encode(&mut g, &config, &Adapter::None, x).features;
        g.check().unwrap();
        let weights = Weights::default().draw(&g, 5).unwrap();
        let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
        let pixels = Init::Normal(1.0).draw(g.shape(x), 1, "image");
        feeds.insert("image".into(), pixels);
        let out = cpu::evaluate(&g, &feeds, &[adapted, plain]).unwrap();
        assert_eq!(out[0], out[1]);
    }
}

#[test]
fn a_point_that_is_none_follows_boxes_too() {
    let tokens = |points: Option<usize>, boxes: bool| {
        let mut g = Graph::new();
        let mut input = |name, shape: &[usize]| g.input(name, shape, DType::F32);
        let prompts = Prompts {
            points: points.map(|n| (input("points", &[1, n, 2]), input("labels", &[1, n]))),
            boxes: boxes.then(|| input("boxes", &[1, 4])),
            mask: None,
        };
        let sparse = encode_prompts(&mut g, &prompts, 64, 16).sparse;
        g.check().unwrap();
        sparse.map_or(0, |sparse| g.shape(sparse)[1])
    };
    assert_eq!(tokens(None, false), 0);
    assert_eq!(tokens(None, true), 3);
    assert_eq!(tokens(Some(2), false), 3);
    assert_eq!(tokens(Some(2), true), 5);
}

#[test]
fn mistakes_are_named() {
    let field = |config: Sam2Config| config.check().unwrap_err().0;
    assert_eq!(field(Sam2Config::tiny(100)), "image_size_px");
    let odd = Sam2Config {
        windows_tokens: [4, 2, 7, 3],
        ..small()
    };
    assert_eq!(field(odd), "windows_tokens");
    let beyond = Sam2Config {
        global_blocks: vec![5],
        ..small()
    };
    assert_eq!(field(beyond), "global_blocks");
    let untiled = Sam2Config {
        windows_tokens: [6, 2, 6, 3],
        ..small()
    };
    assert_eq!(field(untiled.clone()), "windows_tokens");
    let mut g = Graph::new();
    let x = image(&mut g, &untiled, 1);
    encode(&mut g, &untiled, &Adapter::None, x);
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains("windows_tokens"), "{message}");
}

/// WebGPU's least: a buffer of 128 MiB.
#[test]
fn published_sizes_at_1024_pixels_fit_what_every_adapter_binds() {
    for config in [
        Sam2Config::tiny(1024),
        Sam2Config::small(1024),
        Sam2Config::base_plus(1024),
        Sam2Config::large(1024),
    ] {
        let mut g = Graph::new();
        let image = image(&mut g, &config, 1);
        let encoded = encode(&mut g, &config, &Adapter::None, image);
        let embedding = embed(&mut g, &encoded);
        let boxes = Some(g.input("box", &[1, 4], DType::F32));
        let prompts = Prompts {
            boxes,
            ..Prompts::default()
        };
        let decoder = MaskDecoderConfig::sam();
        let masks = decode_prompted(&mut g, &decoder, &embedding, 1024, &prompts).masks;
        let wanted = [masks.logits, masks.quality, embedding.image];
        let planning = Planning {
            binding_bytes: 128 << 20,
            ..Planning::exact(true)
        };
        plan(&g, &wanted, planning).unwrap();
    }
}
