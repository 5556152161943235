//! Names, shapes and sizes against the published checkpoints and code.

use std::collections::BTreeMap;

use super::*;
use crate::Source;

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
    let entry = |s: &Source| (s.name.clone(), g.shape(s.value).to_vec());
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
