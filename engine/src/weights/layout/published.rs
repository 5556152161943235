//! Whole files of SAM 2 as they are published, against this engine's network. `sam2_published.tsv` has the names and
//! shapes: `BLOCK` is every block of the trunk and `FIRST` the first one of each later stage, `D` and `O` the channels
//! that come in and go out, `E` those of the first stage, `P` the extent of the table of positions; `{n}` counts
//! to n.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::models::sam::{Adapter, MaskDecoderConfig, Prompts};
use crate::models::sam2::{self, Sam2Config};
use crate::weights::{Decoder, Element, Import, MaskHeads, WeightFile, Weights, fit};
use crate::{DType, Graph};

type Shapes = BTreeMap<String, Vec<usize>>;

/// Name, first width, extent of the table of positions, blocks of each stage; parameters of the file and of what
/// images need.
type Size = (&'static str, usize, usize, [usize; 4], [usize; 2]);

const PUBLISHED: [Size; 4] = [
    ("tiny", 96, 7, [1, 2, 7, 2], [38_962_754, 31_440_977]),
    ("small", 96, 7, [1, 2, 11, 2], [46_060_610, 38_538_833]),
    (
        "base_plus",
        112,
        14,
        [2, 3, 16, 3],
        [80_850_434, 73_328_657],
    ),
    ("large", 144, 7, [2, 6, 36, 4], [224_446_898, 216_925_121]),
];

/// Names and shapes of a file of SAM 2.1.
fn published(width: usize, positions: usize, depths: [usize; 4]) -> Shapes {
    let stages = (0..4).flat_map(|stage| (0..depths[stage]).map(move |i| (stage, i)));
    // Channels that come in and go out.
    let blocks: Vec<[usize; 2]> = stages
        .map(|(stage, i)| [stage - usize::from(stage > 0 && i == 0), stage])
        .map(|stages| stages.map(|stage| width << stage))
        .collect();
    let extent = |text: &str, [dim, out]: [usize; 2]| {
        let digits = text.trim_end_matches(char::is_alphabetic);
        let symbol = match &text[digits.len()..] {
            "E" => width,
            "P" => positions,
            "D" => dim,
            "O" => out,
            _ => 1,
        };
        digits.parse().unwrap_or(1) * symbol
    };
    let shape = |text: &str, block| text.split('x').map(|t| extent(t, block)).collect();
    let mut all = Shapes::new();
    for line in include_str!("sam2_published.tsv").lines() {
        let (name, text) = line.split_once('\t').unwrap();
        if let Some((before, after)) = name.split_once('{') {
            let (count, after) = after.split_once('}').unwrap();
            for i in 0..count.parse().unwrap() {
                all.insert(format!("{before}{i}{after}"), shape(text, [0; 2]));
            }
            continue;
        }
        let chosen = |block: &[usize; 2]| name.contains("BLOCK") || block[0] != block[1];
        for (i, &block) in blocks.iter().enumerate().filter(|(_, b)| chosen(b)) {
            let number = i.to_string();
            let name = name.replace("BLOCK", &number).replace("FIRST", &number);
            all.insert(name, shape(text, block));
        }
    }
    all
}

fn parameters<'a>(shapes: impl Iterator<Item = &'a Vec<usize>>) -> usize {
    shapes.map(|shape| shape.iter().product::<usize>()).sum()
}

/// The network with every kind of prompts, or without and with tokens for nine classes.
fn network(config: &Sam2Config, prompted: bool) -> Graph {
    let mut g = Graph::new();
    let (size, grid) = (config.image_size_px, config.grid());
    let image = g.input("image", &[1, size, size, 3], DType::F32);
    let encoded = sam2::encode(&mut g, config, &Adapter::None, image);
    let embedding = sam2::embed(&mut g, &encoded);
    if !prompted {
        sam2::decode_masks(&mut g, &MaskDecoderConfig::new(9), &embedding);
        return g;
    }
    let mut input = |name, shape: &[usize]| g.input(name, shape, DType::F32);
    let prompts = Prompts {
        points: Some((input("points", &[1, 1, 2]), input("labels", &[1, 1]))),
        boxes: Some(input("boxes", &[1, 4])),
        mask: Some(input("mask", &[1, 4 * grid, 4 * grid, 1])),
    };
    // With a mask, nothing stands for its absence.
    sam2::encode_prompts(&mut g, &Prompts::default(), size, config.out_channels);
    let decoder = MaskDecoderConfig::sam();
    sam2::decode_prompted(&mut g, &decoder, &embedding, size, &prompts);
    g
}

#[test]
fn every_size_has_the_published_names_shapes_and_parameters() {
    for (name, width, positions, depths, [total, of_images]) in PUBLISHED {
        let file = published(width, positions, depths);
        assert_eq!(parameters(file.values()), total, "{name}");
        let entries = file.iter().map(|(name, shape)| {
            let entry = Entry {
                shape: shape.clone(),
                element: Element::F32,
                strides: None,
                bytes: 0..0,
            };
            (name.clone(), entry)
        });
        let entries: BTreeMap<String, Entry> = entries.collect();
        let layout = Layout::of(entries.keys().map(String::as_str));
        let architecture = architecture(layout, &entries, &BTreeMap::new());
        assert_eq!(architecture, format!("sam2_hiera_{name}"));
        let named = |(name, shape): (&String, &Vec<usize>)| match layout.import(name) {
            Verdict::Named(name) => Some((name, shape.clone())),
            Verdict::Rows(_) | Verdict::Skipped | Verdict::Unknown => None,
        };
        let want: Shapes = file.iter().filter_map(named).collect();
        assert_eq!(parameters(want.values()), of_images, "{name}");
        let config = Sam2Config::of_architecture(&architecture, 1024).unwrap();
        let g = network(&config, true);
        g.check().unwrap();
        let have: Shapes = g
            .params()
            .map(|s| (s.name.clone(), g.shape(s.value).to_vec()))
            .collect();
        let apart: Vec<_> = have
            .iter()
            .filter(|(n, shape)| want.get(*n) != Some(shape))
            .collect();
        assert!(apart.is_empty(), "{name}: {apart:?}");
        assert_eq!(have.len(), want.len(), "{name}");
    }
}

#[test]
fn only_published_names_tell_the_size() {
    for other in [
        "sam2_hiera",
        "sam2_hiera_huge",
        "sam_vit_b",
        "hf_sam2_hiera",
    ] {
        assert_eq!(Sam2Config::of_architecture(other, 512), None, "{other}");
    }
    let hf = Sam2Config::of_architecture("hf_sam2_hiera_large", 512);
    assert_eq!(hf, Some(Sam2Config::large(512)));
}

/// What Hugging Face's names stand for; all others are in the fixtures of the parity tests.
#[test]
fn what_hugging_face_calls_the_parts_for_videos_is_skipped() {
    let layout = Layout::of(["vision_encoder.backbone.blocks.0.attn.qkv.weight"].into_iter());
    for name in [
        "memory_attention.layers.0.self_attn.q_proj.weight",
        "memory_encoder.projection.bias",
        "memory_temporal_positional_encoding",
        "no_memory_positional_encoding",
        "no_object_pointer",
        "occlusion_spatial_embedding_parameter",
        "object_pointer_proj.layers.0.bias",
        "temporal_positional_encoding_projection_layer.weight",
        "mask_downsample.weight",
    ] {
        assert_eq!(layout.import(name), Verdict::Skipped, "{name}");
    }
    let embedding = Verdict::Named("no_mem_embed".into());
    assert_eq!(layout.import("no_memory_embedding"), embedding);
}

/// A file of zeros in f16, most of which the disk need not hold.
struct Zeros(PathBuf);

impl Zeros {
    fn new(name: &str, shapes: &Shapes) -> Self {
        let path = std::env::temp_dir().join(format!("{name}_{}.safetensors", std::process::id()));
        let mut end = 0;
        let header: BTreeMap<&String, serde_json::Value> = shapes
            .iter()
            .map(|(name, shape)| {
                let start = end;
                end += 2 * shape.iter().product::<usize>();
                let entry = serde_json::json!(
                    {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
                );
                (name, entry)
            })
            .collect();
        let header = serde_json::to_vec(&header).unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&(header.len() as u64).to_le_bytes())
            .unwrap();
        file.write_all(&header).unwrap();
        file.set_len((8 + header.len() + end) as u64).unwrap();
        Self(path)
    }

    fn fitted(&self, decoder: Decoder, graph: &Graph) -> crate::weights::LoadReport {
        let import = Import::read(&self.0, decoder).unwrap();
        let (weights, mut reports) = fit(vec![import], graph, &Weights::default()).unwrap();
        let report = reports.remove(0);
        assert_eq!(weights.tensors.len(), report.taken.len());
        report
    }
}

impl Drop for Zeros {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn told(path: &Path) -> Option<Sam2Config> {
    let architecture = WeightFile::open(path).unwrap().architecture();
    Sam2Config::of_architecture(&architecture, 512)
}

#[test]
fn a_file_of_base_plus_gives_every_tensor_that_images_need() {
    let (_, width, positions, depths, _) = PUBLISHED[2];
    let shapes = published(width, positions, depths);
    let file = Zeros::new("base_plus", &shapes);
    let config = told(&file.0).unwrap();
    assert_eq!(config, Sam2Config::base_plus(512));

    let report = file.fitted(Decoder::Prompted, &network(&config, true));
    assert_eq!(report.taken.len(), 455);
    assert_eq!(report.skipped.len(), 615 - 455);
    let video = |name: &String| {
        let parts = ["mem", "obj", "mask_downsample"];
        parts.iter().any(|part| name.contains(part)) && !name.starts_with("sam_")
    };
    assert!(report.skipped.iter().all(video), "{:?}", report.skipped);
    assert_eq!((report.missing.len(), report.unexpected.len()), (0, 0));

    let report = file.fitted(
        Decoder::PromptFree(MaskHeads::Fresh),
        &network(&config, false),
    );
    assert_eq!(report.unexpected.len(), 0, "{:?}", report.unexpected);
    let fresh = |name: &String| {
        let parts = ["mask_tokens", "hypernetworks", "iou_prediction_head"];
        parts.iter().any(|part| name.contains(part))
    };
    assert!(report.missing.iter().all(fresh), "{:?}", report.missing);
    assert_eq!(report.missing.len(), 1 + 9 * 6 + 6);
}
