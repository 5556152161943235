//! H-SAM's two decoders over a small adapted encoder against the original code (`hsam.py`).

use std::collections::BTreeMap;

use samora_engine::models::hsam::{HsamMasks, Noise, Prediction, decode_twice, hsam_loss};
use samora_engine::models::sam::{Adapter, MaskDecoderConfig, SamConfig, encode};
use samora_engine::{DType, Graph, Tensor, Value};

use super::autograd::assert_autograds;
use super::fixture;

/// Of H-SAM's loss.
const WEIGHTS: (f32, f32) = (0.2, 0.8);

/// Outputs of H-SAM at this image size, and the gradients of its loss in epoch 29; the fixture has every
/// `step`th row and column of the first decoder's logits.
fn check(image_size_px: usize, rank: usize, step: usize) {
    let mut feeds = fixture(&format!("hsam_{image_size_px}")).tensors;
    for label in ["low_label", "full_label"] {
        let whole = feeds[label].as_f32().iter().map(|x| *x as u32).collect();
        let labels = Tensor::u32(&feeds[label].shape, whole);
        feeds.insert(label.into(), labels);
    }
    let losses = feeds["losses"].clone();
    for (name, k) in [
        ("loss.low", 0),
        ("loss.full", 1),
        ("loss.0", 2),
        ("loss.29", 3),
    ] {
        feeds.insert(name.into(), Tensor::full(&[], losses.as_f32()[k]));
    }
    let mut g = Graph::new();
    let masks = network(&mut g, image_size_px, rank, &feeds);
    let labels = ["low_label", "full_label"].map(|n| g.input(n, &feeds[n].shape, DType::U32));
    let [first, later] = [0.0, 29.0].map(|epoch| {
        let epoch = g.scalar(epoch);
        hsam_loss(&mut g, masks, labels, WEIGHTS, epoch)
    });
    let mean = masks.predict(&mut g, Prediction::Mean);
    let outputs = [
        ("low", every(&mut g, masks.low, step)),
        ("full", every(&mut g, masks.full, 4 * step + 1)),
        ("mean", every(&mut g, mean, 4 * step + 1)),
        ("loss.low", first.low),
        ("loss.full", first.full),
        ("loss.0", first.total),
        ("loss.29", later.total),
    ];
    let name = format!("hsam_{image_size_px}");
    assert_autograds(&name, &mut g, &feeds, later.total, &outputs);
}

fn network(
    g: &mut Graph,
    image_size_px: usize,
    rank: usize,
    feeds: &BTreeMap<String, Tensor>,
) -> HsamMasks {
    let encoder = SamConfig {
        image_size_px,
        patch_size_px: 16,
        dim: 16,
        depth: 2,
        heads: 2,
        window_tokens: 9,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 48,
    };
    let decoder = MaskDecoderConfig {
        classes: 3,
        depth: 2,
        heads: 4,
        mlp_dim: 32,
    };
    let grey = g.input("grey", &feeds["grey"].shape, DType::F32);
    let [batch, height, width] = g.dims(grey);
    let grey = g.scale(grey, 1.0 / 256.0);
    let grey = g.reshape(grey, &[batch, height, width, 1]);
    let image = g.broadcast(grey, &[batch, height, width, 3]);
    let features = encode(g, &encoder, &Adapter::Lora { rank }, image).features;
    decode_twice(g, &decoder, &Noise::NONE, features)
}

/// Every `step`th row and column of `x [batch, h, w, c]`, from the first on.
fn every(g: &mut Graph, x: Value, step: usize) -> Value {
    let [batch, height, width, channels] = g.dims(x);
    let [rows, columns] = [height, width].map(|n| n.div_ceil(step));
    let x = g.pad(x, 1, 0, rows * step - height);
    let x = g.pad(x, 2, 0, columns * step - width);
    let x = g.reshape(x, &[batch, rows, step, columns, step, channels]);
    let x = g.slice(x, 2, 0, 1);
    let x = g.slice(x, 4, 0, 1);
    g.reshape(x, &[batch, rows, columns, channels])
}

#[test]
fn h_sam_at_224_pixels_is_the_original() {
    check(224, 5, 2);
}

#[test]
fn h_sam_at_512_pixels_is_the_original() {
    check(512, 4, 3);
}
