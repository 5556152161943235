//! Losses of 100 steps of each training objective of SAMora against PyTorch (`curves.py`), from equal
//! weights and batches, with the optimiser and schedule of `pipelines/synapse_fewshot.ron`.

use std::collections::BTreeMap;

use samora_engine::models::hsam::{Noise, decode_twice, hsam_loss};
use samora_engine::models::mae::{self, MaeConfig};
use samora_engine::models::sam::{
    Adapter, Fusion, MaskDecoderConfig, SamConfig, decode_masks, encode,
};
use samora_engine::models::sam2;
use samora_engine::models::samora::{
    DenoiseOutput, Regression, image_loss, patch_loss, pixel_loss,
};
use samora_engine::models::simclr::{self, SimclrConfig};
use samora_engine::nn::loss::segmentation;
use samora_engine::nn::{HlAttn, Level, Statistics};
use samora_engine::optim::{Backward, OptimConfig, PolyLength, Rule, Schedule, epoch, minimise};
use samora_engine::{Graph, Program, Tensor, Value, plan};
use samora_tests::devices;

use super::gradients::{small_sam, small_sam2};
use super::{assert_all_fed, fixture};

/// Of each step's loss, as a part of it.
const TOLERANCE: f64 = 1e-3;
/// Different batches, used in turn.
const BATCHES: usize = 4;

/// Trains what `trains`, with the loss over inputs that take their shapes from the first batch.
fn check(
    name: &str,
    learning_rate: f64,
    trains: impl Fn(&str) -> bool,
    loss: impl Fn(&mut Graph, &dyn Fn(&mut Graph, &str) -> Value) -> Value,
) {
    let reference = fixture(&format!("curve_{name}"));
    let batches: Vec<BTreeMap<String, Tensor>> = (0..BATCHES)
        .map(|k| reference.below(&format!("batch{k}.")).tensors)
        .collect();
    let mut g = Graph::new();
    let loss = loss(&mut g, &|g, input| {
        let tensor = &batches[0][input];
        g.input(input, &tensor.shape, tensor.ty().dtype)
    });
    assert_all_fed(&g, &reference.tensors);
    let chosen = g.params().filter(|p| trains(&p.name));
    let params: Vec<Value> = chosen.map(|p| p.value).collect();
    let optimiser = OptimConfig {
        learning_rate,
        rule: Rule::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.1,
            decay_vectors: true,
        },
        schedule: Schedule::Poly {
            warmup_steps: 25,
            power: 0.9,
            length: PolyLength::AfterWarmup,
        },
        clip_norm: None,
    };
    let want = &reference.tensors["losses"];
    minimise(
        &mut g,
        loss,
        &params,
        &optimiser,
        want.len(),
        Backward::default(),
    );
    g.check().unwrap();
    for device in devices() {
        let planned = plan(&g, &[loss], device.planning(true)).unwrap();
        let mut program = Program::new(device, &g, planned, &reference.tensors).unwrap();
        let off = (0..want.len()).map(|step| {
            let batch = batches[step % BATCHES].iter();
            let inputs: Vec<(&str, &Tensor)> = batch.map(|(n, t)| (n.as_str(), t)).collect();
            program.step(&inputs).unwrap();
            let got = program.read(loss).unwrap().at(0);
            let off = (got - want.at(step)).abs() / want.at(step).abs();
            assert!(off <= TOLERANCE, "{name}: step {step} is off by {off:e}");
            off
        });
        let worst = off.fold(0.0, f64::max);
        let steps = want.len();
        println!("{name}, losses of {steps} steps: {worst:.1e} of at most {TOLERANCE:.0e}");
    }
}

fn expert(level: Level) -> (Adapter, impl Fn(&str) -> bool) {
    let updates = format!(".samora_adapter.experts.{}.", level.name());
    let scale = format!(".samora_adapter.{}_scale", level.name());
    let trains = move |name: &str| {
        name.contains(&updates)
            || name.ends_with(&scale)
            || name.starts_with("projector.")
            || name.starts_with("denoise_decoder.")
    };
    (Adapter::Expert { level, rank: 2 }, trains)
}

#[test]
fn the_image_level_learns_as_in_pytorch() {
    let teacher = SimclrConfig {
        blocks: vec![1, 2],
        width: 4,
        selective_kernels: true,
        projection_dim: 8,
    };
    let (adapter, trains) = expert(Level::Image);
    check("image", 1e-3, trains, |g, input| {
        let (views, seen) = (input(g, "views"), input(g, "teacher_views"));
        let target = simclr::features(g, &teacher, seen, Statistics::Running);
        let student = encode(g, &small_sam(), &adapter, views).features;
        image_loss(g, Regression::Features, 24, student, target)
    });
}

#[test]
fn the_patch_level_learns_as_in_pytorch() {
    let teacher = MaeConfig {
        image_size_px: 20,
        patch_size_px: 4,
        dim: 16,
        depth: 2,
        heads: 2,
        decoder_dim: 12,
        decoder_depth: 1,
        decoder_heads: 3,
    };
    let (adapter, trains) = expert(Level::Patch);
    check("patch", 1e-3, trains, |g, input| {
        let (image, seen) = (input(g, "image"), input(g, "teacher_image"));
        let ids_keep = input(g, "ids_keep");
        let tokens = mae::encode(g, &teacher, seen, ids_keep);
        let [_, kept] = g.dims(ids_keep);
        let target = g.slice(tokens, 1, 1, kept);
        let student = encode(g, &small_sam(), &adapter, image).tokens;
        patch_loss(g, Regression::Features, 24, student, ids_keep, target)
    });
}

#[test]
fn the_pixel_level_learns_as_in_pytorch() {
    let (adapter, trains) = expert(Level::Pixel);
    check("pixel", 1e-3, trains, |g, input| {
        let (noisy, clean) = (input(g, "image"), input(g, "clean"));
        let features = encode(g, &small_sam(), &adapter, noisy).features;
        pixel_loss(g, DenoiseOutput::Sigmoid, 0.9, features, clean)
    });
}

const DECODER: MaskDecoderConfig = MaskDecoderConfig {
    classes: 3,
    depth: 2,
    heads: 2,
    mlp_dim: 20,
};

/// HL-Attn over three experts, and what is trained with it.
fn stage_two() -> (Adapter, impl Fn(&str) -> bool) {
    let fusion = Fusion::HlAttn(HlAttn::default());
    let trains =
        |name: &str| name.starts_with("mask_decoder") || name.contains(".samora_adapter.fuser.");
    (Adapter::Experts { rank: 2, fusion }, trains)
}

#[test]
fn fine_tuning_learns_as_in_pytorch() {
    let (adapter, trains) = stage_two();
    check("finetune", 5e-3, trains, |g, input| {
        let (image, labels) = (input(g, "image"), input(g, "label"));
        let features = encode(g, &small_sam(), &adapter, image).features;
        let logits = decode_masks(g, &DECODER, features).logits;
        segmentation(g, logits, labels, (0.2, 0.8))
    });
}

#[test]
fn fine_tuning_of_sam2_learns_as_in_pytorch() {
    let (adapter, trains) = stage_two();
    check("sam2", 5e-3, trains, |g, input| {
        let (image, labels) = (input(g, "image"), input(g, "label"));
        let encoded = sam2::encode(g, &small_sam2(), &adapter, image);
        let embedding = sam2::embed(g, &encoded);
        let logits = sam2::decode_masks(g, &DECODER, &embedding).logits;
        segmentation(g, logits, labels, (0.2, 0.8))
    });
}

/// H-SAM's decoders without training noise, over 13 epochs of its loss.
#[test]
fn fine_tuning_of_h_sam_learns_as_in_pytorch() {
    let (adapter, trains) = stage_two();
    let encoder = SamConfig {
        out_channels: 48,
        ..small_sam()
    };
    check("hsam", 2.5e-3, trains, |g, input| {
        let image = input(g, "image");
        let labels = ["low_label", "full_label"].map(|name| input(g, name));
        let features = encode(g, &encoder, &adapter, image).features;
        let masks = decode_twice(g, &DECODER, &Noise::NONE, features);
        let epoch = epoch(g, 8);
        hsam_loss(g, masks, labels, (0.2, 0.8), epoch).total
    });
}
