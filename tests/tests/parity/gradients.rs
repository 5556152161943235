//! Gradients of everything that SAMora trains, against PyTorch's autograd (`gradients.py`).

use samora_engine::models::sam::{
    Adapter, Fusion, MaskDecoderConfig, SamConfig, decode_masks, encode,
};
use samora_engine::models::tiny_vit::{self, Stem, TinyVitConfig};
use samora_engine::nn::{HlAttn, HlAttnMode};
use samora_engine::{DType, Graph, Remat, Tensor, Value, differentiate};

use super::{assert_all_fed, assert_close, both, difference, fixture};

/// As a part of the largest element of each gradient.
const TOLERANCE: f64 = 1e-3;
/// What rounding may leave of a gradient that is zero, as a part of the largest of all gradients.
const FLOOR: f64 = 1e-6;

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
    assert_all_fed(&g, &feeds);
    let wanted_names: Vec<&str> = feeds
        .keys()
        .filter_map(|name| name.strip_prefix("grad."))
        .collect();
    let trained: Vec<Value> = wanted_names
        .iter()
        .map(|name| g.params().find(|s| s.name == *name).expect(name).value)
        .collect();
    let gradients = differentiate(&mut g, loss, &trained, Remat::None);
    let mut wanted: Vec<Value> = vec![masks.logits, masks.quality];
    wanted.extend(gradients.into_iter().map(Option::unwrap));
    let largest = wanted_names
        .iter()
        .flat_map(|name| feeds[&format!("grad.{name}")].as_f32())
        .fold(0.0f64, |m, x| m.max(f64::from(x.abs())));
    for got in both(&g, &feeds, &wanted) {
        assert_close(&format!("{name} logits"), &got[0], &feeds["logits"], 1e-4);
        assert_close(&format!("{name} quality"), &got[1], &feeds["quality"], 1e-4);
        let mut worst = 0.0f64;
        for (parameter, got) in wanted_names.iter().zip(&got[2..]) {
            let want: &Tensor = &feeds[&format!("grad.{parameter}")];
            let own = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
            let floor = FLOOR * largest;
            let off = (difference(got, want) - floor).max(0.0) / f64::from(own).max(floor);
            assert!(off <= TOLERANCE, "{name}: {parameter} is off by {off:e}");
            worst = worst.max(off);
        }
        let count = wanted_names.len();
        println!("{name}, {count} gradients: {worst:.1e} of at most {TOLERANCE:.0e}");
    }
}

fn sam(g: &mut Graph, adapter: &Adapter, image: Value) -> Value {
    let config = SamConfig {
        image_size_px: 20,
        patch_size_px: 4,
        dim: 16,
        depth: 2,
        heads: 2,
        window_tokens: 3,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 16,
    };
    encode(g, &config, adapter, image).features
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
    check("sam_paper", HlAttnMode::Paper, sam);
    check("sam_released", HlAttnMode::Released, sam);
}

#[test]
fn gradients_over_tiny_vit_are_autograds() {
    check(
        "tiny_vit_paper",
        HlAttnMode::Paper,
        tiny_vit(20, Stem::Pointwise),
    );
    check(
        "tiny_vit_released",
        HlAttnMode::Released,
        tiny_vit(80, Stem::Halving),
    );
}
