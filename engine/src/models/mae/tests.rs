#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use super::*;
use crate::weights::Weights;
use crate::{DType, Tensor, cpu};

fn small() -> MaeConfig {
    MaeConfig {
        image_size_px: 6,
        patch_size_px: 2,
        dim: 8,
        depth: 1,
        heads: 2,
        decoder_dim: 4,
        decoder_depth: 1,
        decoder_heads: 2,
    }
}

/// Values for D = 8 on a 3×3 grid, after the class token's zeros.
#[test]
fn positions_are_maes() {
    let table = sincos_positions(8, 3);
    assert_eq!(table.shape, [1, 10, 8]);
    let (s, c) = (1f32.sin(), 1f32.cos());
    for (token, expected) in [
        (0, [0.0; 8]),
        (1, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]),
        (2, [s, 0.009_999_833, c, 0.999_95, 0.0, 0.0, 1.0, 1.0]),
        (4, [0.0, 0.0, 1.0, 1.0, s, 0.009_999_833, c, 0.999_95]),
    ] {
        let got = &table.as_f32()[token * 8..(token + 1) * 8];
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-6;
        assert!(!got.iter().zip(&expected).any(far), "{token}: {got:?}");
    }
}

#[test]
fn patches_have_channels_fastest() {
    let mut g = Graph::new();
    let pixels = (0..4 * 4 * 3).map(|i| i as f32).collect();
    let image = g.constant("image", Tensor::f32(&[1, 4, 4, 3], pixels));
    let patches = patchify(&mut g, image, 2);
    let out = cpu::evaluate(&g, &HashMap::new(), &[patches]).unwrap();
    assert_eq!(out[0].shape, [1, 4, 12]);
    // The second patch starts at column 2, its second row one image row (12 values) below.
    let expected: Vec<f32> = (6..12).chain(18..24).map(|i| i as f32).collect();
    assert_eq!(out[0].as_f32()[12..24], expected);
}

/// Patch 0 is visible; patch 1 has values 1, 3 (mean 2, unbiased variance 2).
#[test]
fn the_loss_counts_hidden_patches_and_standardises_them() {
    let mut g = Graph::new();
    let prediction = g.constant("p", Tensor::full(&[1, 2, 2], 0.0));
    let target = g.constant("t", Tensor::f32(&[1, 2, 2], vec![9.0, 7.0, 1.0, 3.0]));
    let hidden = g.constant("h", Tensor::f32(&[1, 2], vec![0.0, 1.0]));
    let plain = masked_patch_loss(&mut g, prediction, target, hidden, false);
    let normal = masked_patch_loss(&mut g, prediction, target, hidden, true);
    let out = cpu::evaluate(&g, &HashMap::new(), &[plain, normal]).unwrap();
    assert_eq!(out[0].at(0), 5.0);
    assert!((out[1].at(0) - 0.5).abs() < 1e-6);
}

#[test]
fn vit_b_has_the_official_names_and_size() {
    let config = MaeConfig::vit_b();
    let mut g = Graph::new();
    let image = g.input("image", &[2, 224, 224, 3], DType::F32);
    let masking = Masking::inputs(&mut g, 2, 196, 49);
    let tokens = encode(&mut g, &config, image, masking.ids_keep);
    assert_eq!(g.shape(tokens), [2, 50, 768]);
    let encoder: usize = g.params().map(|s| g.ty(s.value).len()).sum();
    // timm's vit_base_patch16_224 without classifier has 85 798 656, its 197·768 positions included.
    assert_eq!(encoder, 85_798_656 - 197 * 768);
    let prediction = decode(&mut g, &config, tokens, masking.ids_restore);
    assert_eq!(g.shape(prediction), [2, 196, 768]);
    g.check().unwrap();
    let shape = |name: &str| {
        let source = g.sources().iter().find(|s| s.name == name);
        source.map(|s| g.shape(s.value).to_vec())
    };
    for (name, expected) in [
        ("cls_token", &[1, 1, 768][..]),
        ("pos_embed", &[1, 197, 768]),
        ("patch_embed.proj.weight", &[768, 3, 16, 16]),
        ("blocks.11.attn.qkv.weight", &[2304, 768]),
        ("blocks.0.mlp.fc2.bias", &[768]),
        ("norm.weight", &[768]),
        ("decoder_embed.weight", &[512, 768]),
        ("mask_token", &[1, 1, 512]),
        ("decoder_pos_embed", &[1, 197, 512]),
        ("decoder_blocks.7.norm1.bias", &[512]),
        ("decoder_norm.weight", &[512]),
        ("decoder_pred.weight", &[768, 512]),
    ] {
        assert_eq!(shape(name).as_deref(), Some(expected), "{name}");
    }
}

/// With all patches kept in a shuffled order, restoring gives each patch its own place: the
/// prediction does not depend on the order.
#[test]
fn the_order_of_visible_patches_does_not_matter() {
    let config = small();
    let mut g = Graph::new();
    let image = g.input("image", &[1, 6, 6, 3], DType::F32);
    let masking = Masking::inputs(&mut g, 1, 9, 5);
    let tokens = encode(&mut g, &config, image, masking.ids_keep);
    let prediction = decode(&mut g, &config, tokens, masking.ids_restore);
    g.check().unwrap();
    let weights = Weights::default().draw(&g, 1).unwrap();
    let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
    let pixels = Init::Normal(1.0).draw(&[1, 6, 6, 3], 1, "image");
    feeds.insert("image".into(), pixels);
    let mut run = |shuffled: [u32; 9]| {
        let mut restore = vec![0; 9];
        for (place, &id) in shuffled.iter().enumerate() {
            restore[id as usize] = place as u32;
        }
        let keep = shuffled[..5].to_vec();
        feeds.insert("ids_keep".into(), Tensor::u32(&[1, 5], keep));
        feeds.insert("ids_restore".into(), Tensor::u32(&[1, 9], restore));
        let wanted = [prediction, masking.hidden];
        cpu::evaluate(&g, &feeds, &wanted).unwrap()
    };
    let first = run([4, 0, 8, 2, 6, 1, 3, 5, 7]);
    let second = run([0, 2, 4, 6, 8, 7, 5, 3, 1]);
    let other = run([1, 3, 5, 7, 0, 2, 4, 6, 8]);
    assert_eq!(
        first[1].as_f32(),
        [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    );
    let difference = |a: &Tensor, b: &Tensor| {
        let pairs = a.as_f32().iter().zip(b.as_f32());
        pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
    };
    assert!(difference(&first[0], &second[0]) < 1e-5);
    assert!(difference(&first[0], &other[0]) > 1e-3);
}
