//! Gradients of everything that SAMora trains, against PyTorch's autograd (`gradients.py`).

use samora_engine::models::sam::{
    Adapter, Fusion, MaskDecoderConfig, SamConfig, decode_masks, encode,
};
use samora_engine::models::tiny_vit::{self, Stem, TinyVitConfig};
use samora_engine::nn::{HlAttn, HlAttnMode};
use samora_engine::{DType, Graph, Value};

use super::autograd::assert_autograds;
use super::fixture;

fn check(name: &str, mode: HlAttnMode, encode: impl Fn(&mut Graph, &Adapter, Value) -> Value) {
    let feeds = fixture(&format!("gradients_{name}")).tensors;
    let mut g = Graph::new();
    let mut input = |name: &str| g.input(name, &feeds[name].shape, DType::F32);
    let [image, of_logits, of_quality] = ["image", "loss.logits", "loss.quality"].map(&mut input);
    let order = HlAttn::default().order;
    let fusion = Fusion::HlAttn(HlAttn { mode, order });
    let features = encode(&mut g, &Adapter::Experts { rank: 2, fusion }, image);
    let decoder = MaskDecoderConfig {
        classes: 3,
        depth: 2,
        heads: 2,
        mlp_dim: 20,
    };
    let masks = decode_masks(&mut g, &decoder, features);
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

fn sam(g: &mut Graph, adapter: &Adapter, image: Value) -> Value {
    encode(g, &small_sam(), adapter, image).features
}

fn tiny_vit(image_size_px: usize, stem: Stem) -> impl Fn(&mut Graph, &Adapter, Value) -> Value {
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
    move |g, adapter, image| tiny_vit::encode(g, &config, adapter, image).features
}

#[test]
fn gradients_over_sam_are_autograds() {
    check("sam_zero_start", HlAttnMode::ZeroStart, sam);
    check("sam_released", HlAttnMode::Released, sam);
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
