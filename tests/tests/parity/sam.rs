//! SAM's image and prompt encoders against Hugging Face's (`sam.py`).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use samora_engine::models::sam::{Adapter, Prompts, SamConfig, encode, encode_prompts};
use samora_engine::weights::{Weights, resize_relative};
use samora_engine::{DType, Graph, Tensor, Value};

use super::{assert_all_fed, assert_close, everywhere, fixture, on_devices};

const TOLERANCE: f64 = 1e-4;

fn small(image_size_px: usize, patch_size_px: usize, heads: usize, window: usize) -> SamConfig {
    SamConfig {
        image_size_px,
        patch_size_px,
        dim: 16,
        depth: 3,
        heads,
        window_tokens: window,
        global_blocks: Vec::new(),
        mlp_ratio: 2,
        out_channels: 8,
    }
}

fn check_encoder(case: &str, config: &SamConfig, weights: &Weights) {
    let feeds = weights.below(&format!("{case}.")).tensors;
    let mut g = Graph::new();
    let image = g.input("image", &feeds["image"].shape, DType::F32);
    let features = encode(&mut g, config, &Adapter::None, image).features;
    assert_all_fed(&g, &feeds);
    for got in everywhere(&g, &feeds, &[features]) {
        let label = format!("{case} features");
        assert_close(&label, &got[0], &feeds["features"], TOLERANCE);
    }
}

#[test]
fn windows_that_overhang_an_odd_grid_agree() {
    let config = SamConfig {
        global_blocks: vec![1],
        ..small(28, 4, 2, 3)
    };
    check_encoder("overhanging", &config, &fixture("sam"));
}

#[test]
fn windows_that_fit_agree() {
    let config = SamConfig {
        global_blocks: vec![0, 2],
        ..small(30, 5, 4, 3)
    };
    check_encoder("fitting", &config, &fixture("sam"));
}

/// The tables of global blocks are for a grid of 8 where there is one of 5.
#[test]
fn resized_relative_positions_agree() {
    let config = SamConfig {
        global_blocks: vec![0, 1],
        ..small(15, 3, 1, 4)
    };
    let mut weights = fixture("sam");
    for block in [0, 1] {
        for axis in ["h", "w"] {
            let name = format!("resized.image_encoder.blocks.{block}.attn.rel_pos_{axis}");
            let table = resize_relative(&weights.tensors[&name], 9).unwrap();
            weights.tensors.insert(name, table);
        }
    }
    check_encoder("resized", &config, &weights);
}

/// At its real size, with the file that `vit_b.py` writes.
#[test]
#[ignore = "takes a file of 350 MB, named by SAMORA_VIT_B"]
fn vit_b_at_512_pixels_agrees() {
    let path = std::env::var("SAMORA_VIT_B").expect("SAMORA_VIT_B names no file");
    let feeds = Weights::read(Path::new(&path)).unwrap().tensors;
    let mut g = Graph::new();
    let image = g.input("image", &feeds["image"].shape, DType::F32);
    let features = encode(&mut g, &SamConfig::vit_b(512), &Adapter::None, image).features;
    assert_all_fed(&g, &feeds);
    let start = Instant::now();
    for got in on_devices(&g, &feeds, &[features]) {
        let label = "ViT-B features";
        assert_close(label, &got[0], &feeds["features"], TOLERANCE);
    }
    println!("planned, loaded and run twice in {:.1?}", start.elapsed());
}

#[test]
fn encoded_prompts_agree() {
    let feeds: BTreeMap<String, Tensor> = fixture("sam").below("prompts.").tensors;
    let input = |g: &mut Graph, name: &str| g.input(name, &feeds[name].shape, DType::F32);
    let check = |case: &str, build: &dyn Fn(&mut Graph, (Value, Value)) -> Prompts| {
        let mut g = Graph::new();
        let points = (input(&mut g, "points"), input(&mut g, "labels"));
        let prompts = build(&mut g, points);
        let encoded = encode_prompts(&mut g, &prompts, 20, 16);
        assert_all_fed(&g, &feeds);
        let wanted = [encoded.sparse.unwrap(), encoded.dense];
        for got in everywhere(&g, &feeds, &wanted) {
            for (part, got) in ["sparse", "dense"].iter().zip(&got) {
                let label = format!("{case}.{part}");
                assert_close(&label, got, &feeds[&label], TOLERANCE);
            }
        }
    };
    check("points_and_mask", &|g, points| Prompts {
        points: Some(points),
        mask: Some(input(g, "mask")),
        boxes: None,
    });
    check("points_and_boxes", &|g, points| Prompts {
        points: Some(points),
        boxes: Some(input(g, "boxes")),
        mask: None,
    });
}
