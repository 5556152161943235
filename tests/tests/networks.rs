//! What each stage trains, forward and backward on the processor and the adapter, against the graph's own reference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use samora_engine::models::hsam::{Noise, decode_twice, hsam_loss};
use samora_engine::models::mae::{self, MaeConfig, Masking};
use samora_engine::models::sam::{
    Adapter, Fusion, MaskDecoderConfig, SamConfig, decode_masks, encode, reconstruction_loss,
};
use samora_engine::models::samora::{
    DenoiseOutput, Regression, image_loss, patch_loss, pixel_loss,
};
use samora_engine::models::simclr::{self, SimclrConfig};
use samora_engine::nn::loss::{cross_entropy, dice_loss};
use samora_engine::nn::{HlAttn, HlAttnMode, Level, Statistics};
use samora_engine::{
    DType, Graph, Init, Program, Remat, SourceKind, Tensor, Value, cpu, differentiate, plan,
};
use samora_tests::devices;

/// Two blocks on 5×5 tokens, one in 3×3 windows that overhang, one global.
fn sam() -> SamConfig {
    SamConfig {
        image_size_px: 20,
        patch_size_px: 4,
        dim: 16,
        depth: 2,
        heads: 2,
        window_tokens: 3,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 16,
    }
}

fn image(g: &mut Graph, name: &str, batch: usize) -> Value {
    g.input(name, &[batch, 20, 20, 3], DType::F32)
}

/// Parameters at random around their usual size, factors of norms around 1, images at random, labels
/// and patch numbers in turn.
fn feeds(g: &Graph) -> HashMap<String, Tensor> {
    let mut feeds = HashMap::new();
    for source in g.sources() {
        let shape = g.shape(source.value);
        let n: usize = shape.iter().product();
        let tensor = match (&source.kind, g.ty(source.value).dtype) {
            (SourceKind::Constant(_) | SourceKind::State(_), _) => continue,
            (SourceKind::Input, DType::U32) => {
                Tensor::u32(shape, (0..n as u32).map(|i| (i * 7 + i / 9) % 9).collect())
            }
            (SourceKind::Input, DType::F32) => {
                let noise = Init::Uniform(0.5).draw(shape, 1, &source.name);
                Tensor::f32(shape, noise.as_f32().iter().map(|x| x + 0.5).collect())
            }
            (SourceKind::Param(_), _) => {
                let noise = Init::Normal(0.3).draw(shape, 1, &source.name);
                let offset = match source.name.ends_with("weight") && shape.len() == 1 {
                    true => 1.0,
                    false => 0.0,
                };
                let offset = if source.name.ends_with("running_var") {
                    2.0
                } else {
                    offset
                };
                Tensor::f32(shape, noise.as_f32().iter().map(|x| x + offset).collect())
            }
        };
        feeds.insert(source.name.clone(), tensor);
    }
    feeds
}

/// Compares the loss and the gradients of all parameters that `trains`, under each policy of
/// rematerialisation.
fn compare(policies: &[Remat], build: impl Fn(&mut Graph) -> Value, trains: impl Fn(&str) -> bool) {
    for &remat in policies {
        let mut g = Graph::new();
        let loss = build(&mut g);
        g.check().unwrap();
        let (names, trained): (Vec<String>, Vec<Value>) = g
            .params()
            .filter(|s| trains(&s.name) && !s.name.contains(".running_"))
            .map(|s| (s.name.clone(), s.value))
            .unzip();
        assert!(!names.is_empty());
        let gradients = differentiate(&mut g, loss, &trained, remat);
        let mut labels = vec!["loss".to_string()];
        let mut wanted = vec![loss];
        for (name, gradient) in names.into_iter().zip(gradients) {
            wanted.push(gradient.unwrap_or_else(|| panic!("{name} has no gradient")));
            labels.push(name);
        }
        let feeds = feeds(&g);
        let want = cpu::evaluate(&g, &feeds, &wanted).unwrap();
        let parameters: BTreeMap<String, Tensor> = feeds.clone().into_iter().collect();
        let inputs: Vec<(&str, &Tensor)> = g
            .sources()
            .iter()
            .filter(|s| matches!(s.kind, SourceKind::Input))
            .map(|s| (s.name.as_str(), &feeds[&s.name]))
            .collect();
        for device in devices() {
            let planned = plan(&g, &wanted, device.planning(true)).unwrap();
            let mut program = Program::new(device, &g, planned, &parameters).unwrap();
            program.step(&inputs).unwrap();
            for ((label, value), want) in labels.iter().zip(&wanted).zip(&want) {
                let got = program.read(*value).unwrap();
                assert_close(label, &got, want);
            }
        }
    }
}

fn assert_close(label: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.shape, want.shape, "{label}");
    let scale = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.as_f32().iter().zip(want.as_f32()).enumerate() {
        let error = (a - b).abs();
        assert!(
            error <= 1e-3 * scale + 1e-5,
            "{label}[{i}] is {a}, the reference says {b}"
        );
    }
}

#[test]
fn masked_reconstruction_agrees() {
    let build = |g: &mut Graph| {
        let x = image(g, "image", 2);
        let coordinate = g.coord(&[2, 25], 1);
        let limit = g.scalar(10.0);
        let hidden = g.lt(coordinate, limit);
        reconstruction_loss(g, &sam(), x, hidden)
    };
    compare(&[Remat::None, Remat::Blocks], build, |_| true);
}

#[test]
fn mae_agrees() {
    let config = MaeConfig {
        image_size_px: 12,
        patch_size_px: 4,
        dim: 16,
        depth: 1,
        heads: 2,
        decoder_dim: 8,
        decoder_depth: 1,
        decoder_heads: 2,
    };
    let build = |g: &mut Graph| {
        let x = g.input("image", &[2, 12, 12, 3], DType::F32);
        let masking = Masking::inputs(g, 2, 9, 4);
        mae::pretrain_loss(g, &config, x, &masking, true)
    };
    compare(&[Remat::None], build, |_| true);
}

#[test]
fn simclr_agrees() {
    let config = SimclrConfig {
        blocks: vec![1, 1],
        width: 8,
        selective_kernels: true,
        projection_dim: 8,
    };
    let build = |g: &mut Graph| {
        let views = image(g, "views", 4);
        simclr::pretrain_loss(g, &config, views, 0.5)
    };
    compare(&[Remat::None], build, |_| true);
}

#[test]
fn experts_agree() {
    let trains = |name: &str| {
        name.contains(".samora_adapter.")
            || name.starts_with("projector.")
            || name.starts_with("denoise_decoder.")
    };
    let teacher = SimclrConfig {
        blocks: vec![1],
        width: 8,
        ..SimclrConfig::tiny()
    };
    let expert = |level| Adapter::Expert { level, rank: 2 };
    let image_level = |g: &mut Graph| {
        let views = image(g, "image", 4);
        let target = simclr::features(g, &teacher, views, Statistics::Running);
        let student = encode(g, &sam(), &expert(Level::Image), views);
        image_loss(g, Regression::Features, 12, student.features, target)
    };
    compare(&[Remat::None], image_level, trains);
    let patch_level = |g: &mut Graph| {
        let x = image(g, "image", 2);
        let ids = g.input("ids_keep", &[2, 6], DType::U32);
        let target = g.input("target", &[2, 6, 10], DType::F32);
        let student = encode(g, &sam(), &expert(Level::Patch), x);
        patch_loss(g, Regression::Embedding, 12, student.tokens, ids, target)
    };
    compare(&[Remat::None], patch_level, trains);
    let pixel_level = |g: &mut Graph| {
        let x = image(g, "image", 2);
        let clean = image(g, "clean", 2);
        let features = encode(g, &sam(), &expert(Level::Pixel), x).features;
        pixel_loss(g, DenoiseOutput::Sigmoid, 0.9, features, clean)
    };
    compare(&[Remat::None], pixel_level, trains);
}

#[test]
fn fine_tuning_agrees() {
    let released = HlAttn {
        mode: HlAttnMode::Released,
        ..HlAttn::default()
    };
    for fusion in [
        Fusion::HlAttn(HlAttn::default()),
        Fusion::HlAttn(released),
        Fusion::Sum,
    ] {
        let decoder = MaskDecoderConfig {
            classes: 3,
            depth: 2,
            heads: 2,
            mlp_dim: 20,
        };
        let build = |g: &mut Graph| {
            let x = image(g, "image", 2);
            let adapter = Adapter::Experts { rank: 2, fusion };
            let features = encode(g, &sam(), &adapter, x).features;
            let logits = decode_masks(g, &decoder, features).logits;
            let logits = g.reshape(logits, &[800, 3]);
            let class = g.coord(&[800], 0);
            let third = g.scale(class, 1.0 / 3.0);
            let floor = g.floor(third);
            let whole = g.scale(floor, 3.0);
            let labels = g.sub(class, whole);
            let ce = cross_entropy(g, logits, labels);
            let dice = dice_loss(g, logits, labels);
            g.add(ce, dice)
        };
        compare(&[Remat::None], build, |name| {
            let unused = name.contains("iou_prediction_head");
            (name.contains(".fuser.") || name.starts_with("mask_decoder.")) && !unused
        });
    }
}

/// With the noise of training, which is the same on both.
#[test]
fn fine_tuning_of_h_sam_agrees() {
    let decoder = MaskDecoderConfig {
        classes: 3,
        depth: 2,
        heads: 4,
        mlp_dim: 20,
    };
    let encoder = SamConfig {
        out_channels: 48,
        ..sam()
    };
    let build = |g: &mut Graph| {
        let x = image(g, "image", 2);
        let features = encode(g, &encoder, &Adapter::Lora { rank: 2 }, x).features;
        let masks = decode_twice(g, &decoder, &Noise::default(), features);
        let labels = [800, 12_800].map(|pixels| {
            let class = g.coord(&[pixels], 0);
            let third = g.scale(class, 1.0 / 3.0);
            let floor = g.floor(third);
            let whole = g.scale(floor, 3.0);
            g.sub(class, whole)
        });
        let epoch = g.scalar(5.0);
        hsam_loss(g, masks, labels, (0.1, 0.9), epoch).total
    };
    compare(&[Remat::None], build, |name| {
        let unused = name.contains("iou_prediction_head");
        (name.contains(".linear_") || name.starts_with("mask_decoder")) && !unused
    });
}
