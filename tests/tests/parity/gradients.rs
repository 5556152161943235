//! Gradients of everything that SAMora trains, against PyTorch's autograd (`gradients.py`).

use samora_engine::models::sam::{
    Adapter, Fusion, MaskDecoderConfig, Masks, SamConfig, decode_masks, encode,
};
use samora_engine::models::sam2::{self, Sam2Config};
use samora_engine::models::tiny_vit::{self, Stem, TinyVitConfig};
use samora_engine::nn::{HlAttn, HlAttnMode};
use samora_engine::{DType, Graph, Value};

use super::autograd::assert_autograds;
use super::fixture;

const DECODER: MaskDecoderConfig = MaskDecoderConfig {
    classes: 3,
    depth: 2,
    heads: 2,
    mlp_dim: 20,
};

fn check(name: &str, mode: HlAttnMode, masks: impl Fn(&mut Graph, &Adapter, Value) -> Masks) {
    let feeds = fixture(&format!("gradients_{name}")).tensors;
    let mut g = Graph::new();
    let mut input = |name: &str| g.input(name, &feeds[name].shape, DType::F32);
    let [image, of_logits, of_quality] = ["image", "loss.logits", "loss.quality"].map(&mut input);
    let order = HlAttn::default().order;
    let fusion = Fusion::HlAttn(HlAttn { mode, order });
    let masks = masks(&mut g, &Adapter::Experts { rank: 2, fusion }, image);
    let terms = [
        (masks.logits, of_logits, vec![0, 1, 2, 3]),
        (masks.quality, of_quality, vec![0, 1]),
    ];
    let [a, b] = terms.map(|(value, weight, axes)| {
        let product = g.mul(value, weight);
        g.sum(product, &axes)
    });
    let loss = g.add(a, b);
    let outputs = [("logits", masks.logits), ("quality", masks.quality)];
    assert_autograds(name, &mut g, &feeds, loss, &outputs);
}

/// Two blocks, windows that overhang and a global one, on 5×5 tokens.
pub(super) fn small_sam() -> SamConfig {
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

/// Five blocks of four stages on 16×16 tokens: windows that overhang where queries are pooled, and a global one.
pub(super) fn small_sam2() -> Sam2Config {
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

fn sam(g: &mut Graph, adapter: &Adapter, image: Value) -> Masks {
    let features = encode(g, &small_sam(), adapter, image).features;
    decode_masks(g, &DECODER, features)
}

fn sam2(g: &mut Graph, adapter: &Adapter, image: Value) -> Masks {
    let encoded = sam2::encode(g, &small_sam2(), adapter, image);
    let embedding = sam2::embed(g, &encoded);
    sam2::decode_masks(g, &DECODER, &embedding)
}

fn tiny_vit(image_size_px: usize, stem: Stem) -> impl Fn(&mut Graph, &Adapter, Value) -> Masks {
    let config = TinyVitConfig {
        image_size_px,
        stem,
        dims: [4, 8, 12, 16],
        depths: [1; 4],
        heads: [2, 3, 2],
        windows_tokens: [3, 4, 2],
        expansion: 2,
        out_channels: 16,
    };
    move |g, adapter, image| {
        let features = tiny_vit::encode(g, &config, adapter, image).features;
        decode_masks(g, &DECODER, features)
    }
}

#[test]
fn gradients_over_sam_are_autograds() {
    check("sam_zero_start", HlAttnMode::ZeroStart, sam);
    check("sam_released", HlAttnMode::Released, sam);
}

#[test]
fn gradients_over_sam2_are_autograds() {
    check("sam2_zero_start", HlAttnMode::ZeroStart, sam2);
}

#[test]
fn gradients_over_tiny_vit_are_autograds() {
    check(
        "tiny_vit_zero_start",
        HlAttnMode::ZeroStart,
        tiny_vit(20, Stem::Pointwise),
    );
    check(
        "tiny_vit_released",
        HlAttnMode::Released,
        tiny_vit(80, Stem::Halving),
    );
}
