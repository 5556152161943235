//! LiteMedSAM's published weights on one CT slice with a box, against PyTorch's recorded values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use samora_engine::models::sam::{
    Adapter, MaskDecoderConfig, Prompts, decode_prompted, dense_positions, encode_prompts,
};
use samora_engine::models::tiny_vit::{TinyVitConfig, encode};
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph, Tensor, Value};

use super::{assert_all_fed, assert_close, on_devices};

const TOLERANCE: f64 = 2e-4;

/// The weights and the recorded values, where the data are at hand.
fn files() -> Option<(PathBuf, PathBuf)> {
    let root = std::env::var_os("SAMORA_DATA")?;
    let folder = PathBuf::from(root).join("medsam_lite");
    let weights = ["lite_medsam.safetensors", "lite_medsam.pth"].map(|name| folder.join(name));
    let weights = weights.into_iter().find(|path| path.exists())?;
    Some((weights, folder.join("golden_liver_slice.safetensors")))
}

#[test]
fn a_box_on_a_liver_agrees() {
    let Some((weights, golden)) = files() else {
        println!("skipped: set SAMORA_DATA to a folder with medsam_lite/ to compare LiteMedSAM");
        return;
    };
    let mut feeds = Weights::read(&weights).unwrap().tensors;
    let golden = Weights::read(&golden).unwrap().tensors;
    feeds.insert("image".into(), channels_last(&golden["image"]));
    let corners = golden["box"].as_f32().to_vec();
    feeds.insert("box".into(), Tensor::f32(&[1, 4], corners));

    let mut g = Graph::new();
    let image = g.input("image", &[1, 256, 256, 3], DType::F32);
    let boxes = Some(g.input("box", &[1, 4], DType::F32));
    let config = TinyVitConfig::lite_medsam(256);
    let features = encode(&mut g, &config, &Adapter::None, image).features;
    let prompts = Prompts {
        boxes,
        ..Prompts::default()
    };
    let encoded = encode_prompts(&mut g, &prompts, 256, 256);
    let positions = dense_positions(&mut g, 64, 256);
    let decoder = MaskDecoderConfig::sam();
    let masks = decode_prompted(&mut g, &decoder, features, 256, &prompts);
    let (single, multiple) = (masks.single(&mut g), masks.multiple(&mut g));
    let rows = |g: &mut Graph, v: Value, shape: &[usize]| g.reshape(v, shape);
    let wanted = [
        ("image_embedding", features),
        ("image_pe", rows(&mut g, positions, &[1, 64, 64, 256])),
        ("sparse", encoded.sparse.unwrap()),
        ("dense", rows(&mut g, encoded.dense, &[1, 1, 1, 256])),
        ("low_res_single", single.logits),
        ("iou_single", single.quality),
        ("low_res_multi", multiple.logits),
        ("iou_multi", multiple.quality),
    ];
    assert_all_fed(&g, &feeds);
    let values: Vec<Value> = wanted.iter().map(|(_, value)| *value).collect();
    let start = Instant::now();
    for got in on_devices(&g, &feeds, &values) {
        compare(&wanted, &got, &golden);
    }
    println!("planned, loaded and run twice in {:.1?}", start.elapsed());
}

fn compare(wanted: &[(&str, Value)], got: &[Tensor], golden: &BTreeMap<String, Tensor>) {
    for ((name, _), got) in wanted.iter().zip(got) {
        let want = &golden[*name];
        let want = match want.shape.len() {
            4 => channels_last(want),
            _ => want.clone(),
        };
        assert_close(name, got, &want, TOLERANCE);
    }
}

/// `[b, c, h, w]` as `[b, h, w, c]`.
fn channels_last(t: &Tensor) -> Tensor {
    let &[b, c, h, w] = t.shape.as_slice() else {
        panic!("{:?} is no image", t.shape);
    };
    let at = |i: usize| ((i / c / w / h) * c + i % c) * h * w + i / c % (h * w);
    let data = (0..b * c * h * w).map(|i| t.as_f32()[at(i)]).collect();
    Tensor::f32(&[b, h, w, c], data)
}
