//! H-SAM's own file against the network of its sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::weights::{Decoder, Import, Item, MaskHeads, Weights, fit, hsam, write_torch};

/// Names and shapes of H-SAM's file for ViT-B, 9 classes, rank 5 and images of 224 or 512 pixels.
fn published(image_size_px: usize) -> BTreeMap<String, Vec<usize>> {
    let mut table = BTreeMap::new();
    for line in include_str!("vit_b.tsv").lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let shape = match (image_size_px, columns[2]) {
            (512, other) if !other.is_empty() => other,
            _ => columns[1],
        };
        let shape = shape.split('x').map(|n| n.parse().unwrap()).collect();
        table.insert(columns[0].to_string(), shape);
    }
    table
}

/// The file, each tensor with a number of its own; `prompt_encoder2` is `prompt_encoder`.
fn file(image_size_px: usize) -> Weights {
    let mut weights = Weights::default();
    for (name, shape) in published(image_size_px) {
        let seed = name.replace("prompt_encoder2", "prompt_encoder");
        let value = Stream::named(3, &seed).uniform();
        weights.tensors.insert(name, Tensor::full(&shape, value));
    }
    weights
}

fn vit_b(image_size_px: usize) -> Graph {
    let mut g = Graph::new();
    let config = SamConfig::vit_b(image_size_px);
    let x = image(&mut g, &config, 1);
    let features = encode(&mut g, &config, &Adapter::Lora { rank: 5 }, x).features;
    let masks = decode_twice(&mut g, &MaskDecoderConfig::new(9), &Noise::NONE, features);
    g.check().unwrap();
    let size = image_size_px;
    assert_eq!(g.shape(masks.full), [1, size, size, 9]);
    g
}

/// Written to a file of PyTorch's and read back.
fn read(weights: &Weights, name: &str) -> Import {
    let name = format!("samora-hsam-{name}-{}.pth", std::process::id());
    let path = std::env::temp_dir().join(name);
    write_torch(&path, &Item::Tensors(&weights.tensors)).unwrap();
    let import = Import::read(&path, Decoder::PromptFree(MaskHeads::default()));
    std::fs::remove_file(path).unwrap();
    import.unwrap()
}

/// Files of either size serve both: what differs has no effect.
#[test]
fn a_published_file_gives_everything_but_the_frozen_encoder() {
    let graph = vit_b(224);
    for size in [224, 512] {
        let (weights, mut reports) = fit(
            vec![read(&file(size), "published")],
            &graph,
            &Weights::default(),
        )
        .unwrap();
        let report = reports.remove(0);
        assert_eq!(report.architecture, "hsam");
        assert_eq!(report.unexpected, Vec::<String>::new());
        assert_eq!(report.resized, Vec::<String>::new());
        for name in &report.missing {
            let frozen = name.starts_with("image_encoder.") && !name.contains("linear_");
            assert!(frozen, "{name}");
        }
        let live = graph.params().count() - report.missing.len();
        assert_eq!(report.taken.len(), live);
        let value = |name: &str| {
            Tensor::full(
                &weights.tensors[name].shape,
                Stream::named(3, name).uniform(),
            )
        };
        for name in [
            "mask_decoder2.output_hypernetworks_mlps2.8.layers.4.weight",
            "mask_decoder2.transformer2.layers.1.cross_attn_image_to_token.q_proj.bias",
            "mask_decoder.mask_tokens.weight",
            "prompt_encoder.no_mask_embed.weight",
        ] {
            assert_eq!(weights.tensors[name], value(name), "{name}");
        }
        let lora = &weights.tensors["image_encoder.blocks.7.attn.qkv.linear_b_v.weight"];
        assert_eq!(lora.at(0), f64::from(Stream::named(3, "w_b_015").uniform()));
    }
}

/// The published sizes of what H-SAM trains, without what has no effect.
#[test]
fn decoders_have_the_published_sizes() {
    let graph = vit_b(224);
    let total = |prefix: &str| {
        let params = graph.params().filter(|s| s.name.starts_with(prefix));
        params.map(|s| graph.ty(s.value).len()).sum::<usize>()
    };
    assert_eq!(total("mask_decoder."), 4_759_945);
    let unused = published(224)
        .into_iter()
        .filter(|(name, _)| {
            graph.params().all(|s| s.name != *name) && name.starts_with("mask_decoder2.")
        })
        .map(|(_, shape)| shape.iter().product::<usize>());
    assert_eq!(total("mask_decoder2.") + unused.sum::<usize>(), 7_567_727);
}

/// H-SAM's loader asks for every tensor by name, in its own shape.
#[test]
fn an_exported_file_has_every_tensor_of_the_published_one() {
    let graph = vit_b(224);
    let mut weights = Weights::default();
    for source in graph.params() {
        let value = Stream::named(4, &source.name).uniform();
        let tensor = Tensor::full(graph.shape(source.value), value);
        weights.tensors.insert(source.name.clone(), tensor);
    }
    for size in [224, 512] {
        let exported = hsam(&weights, size).unwrap();
        let shapes: BTreeMap<String, Vec<usize>> = exported
            .tensors
            .iter()
            .map(|(name, tensor)| (name.clone(), tensor.shape.clone()))
            .collect();
        let want = published(size);
        assert_eq!(want.len(), 489);
        let names =
            |table: &BTreeMap<String, Vec<usize>>| table.keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&shapes), names(&want));
        assert_eq!(shapes, want);
        // Read back, nothing is lost.
        let (again, _) = fit(
            vec![read(&exported, "exported")],
            &graph,
            &Weights::default(),
        )
        .unwrap();
        assert!(
            again
                .tensors
                .iter()
                .all(|(name, t)| *t == weights.tensors[name])
        );
        assert_eq!(
            exported.tensors["prompt_encoder2.no_mask_embed.weight"],
            weights.tensors["prompt_encoder.no_mask_embed.weight"]
        );
    }
}

#[test]
fn what_h_sam_cannot_load_is_refused() {
    let mut weights = Weights::default();
    for source in vit_b(224).params() {
        let shape = vec![1; 2];
        weights
            .tensors
            .insert(source.name.clone(), Tensor::full(&shape, 0.0));
    }
    let refused = |weights: &Weights, size| hsam(weights, size).unwrap_err().to_string();
    assert!(refused(&weights, 256).contains("224 or 512"));
    weights.tensors.remove("mask_decoder2.mask_tokens.weight");
    assert!(refused(&weights, 224).contains("mask_decoder2.mask_tokens.weight"));
}
