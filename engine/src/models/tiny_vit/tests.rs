#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::DType;
use crate::models::sam::Fusion;

fn build(config: &TinyVitConfig, adapter: &Adapter) -> (Graph, Encoded) {
    let mut g = Graph::new();
    let size = config.image_size_px;
    let image = g.input("image", &[2, size, size, 3], DType::F32);
    let encoded = encode(&mut g, config, adapter, image);
    (g, encoded)
}

fn parameters(g: &Graph) -> BTreeMap<String, Vec<usize>> {
    g.params()
        .map(|s| (s.name.clone(), g.shape(s.value).to_vec()))
        .collect()
}

/// LiteMedSAM's checkpoint has 271 tensors of the encoder beside BatchNorm's counters.
#[test]
fn lite_medsam_has_the_published_names_shapes_and_size() {
    let (g, encoded) = build(&TinyVitConfig::lite_medsam(256), &Adapter::None);
    g.check().unwrap();
    assert_eq!(g.shape(encoded.tokens), [2, 4096, 320]);
    assert_eq!(g.shape(encoded.features), [2, 64, 64, 256]);
    let table = parameters(&g);
    for (name, shape) in [
        ("patch_embed.seq.0.c.weight", &[32, 3, 1, 1][..]),
        ("patch_embed.seq.2.bn.running_var", &[64]),
        ("layers.0.blocks.1.conv2.c.weight", &[256, 1, 3, 3]),
        ("layers.0.downsample.conv3.bn.bias", &[128]),
        ("layers.1.blocks.0.attn.attention_biases", &[4, 49]),
        ("layers.2.blocks.5.attn.attention_biases", &[5, 196]),
        ("layers.2.downsample.conv2.c.weight", &[320, 1, 3, 3]),
        ("layers.3.blocks.1.attn.qkv.weight", &[960, 320]),
        ("layers.3.blocks.0.local_conv.bn.running_mean", &[320]),
        ("layers.3.blocks.0.mlp.fc1.weight", &[1280, 320]),
        ("neck.0.weight", &[256, 320, 1, 1]),
    ] {
        assert_eq!(table[&format!("image_encoder.{name}")], shape, "{name}");
    }
    let total: usize = table.values().map(|s| s.iter().product::<usize>()).sum();
    assert_eq!((table.len(), total), (271, 5_736_596));
}

#[test]
fn mobile_sam_halves_twice_in_its_stem() {
    let (g, encoded) = build(&TinyVitConfig::mobile_sam(1024), &Adapter::None);
    g.check().unwrap();
    assert_eq!(g.shape(encoded.features), [2, 64, 64, 256]);
    let stem = &parameters(&g)["image_encoder.patch_embed.seq.0.c.weight"];
    assert_eq!(stem[..], [32, 3, 3, 3]);
}

#[test]
fn every_attention_carries_the_adapter() {
    let fusion = Fusion::Sum;
    let config = TinyVitConfig::lite_medsam(64);
    let (g, _) = build(&config, &Adapter::Experts { rank: 4, fusion });
    g.check().unwrap();
    let table = parameters(&g);
    let experts = |suffix: &str| table.keys().filter(|n| n.ends_with(suffix)).count();
    assert_eq!(experts("experts.pixel.linear_b_q.weight"), 2 + 6 + 2);
    let name = "image_encoder.layers.2.blocks.5.samora_adapter.experts.image.linear_a_v.weight";
    assert_eq!(table[name], [4, 160]);
}

#[test]
fn mistakes_are_named() {
    let wrong = TinyVitConfig {
        heads: [4, 7, 10],
        ..TinyVitConfig::lite_medsam(256)
    };
    assert_eq!(wrong.check().unwrap_err().0, "dims");
    let odd = TinyVitConfig::mobile_sam(100);
    assert_eq!(odd.check().unwrap_err().0, "image_size_px");
    let (g, _) = build(&odd, &Adapter::None);
    let message = g.check().unwrap_err().to_string();
    assert!(message.contains("multiple of 16"), "{message}");
}
