//! The teachers' training steps, MAE's and SimCLR's, against PyTorch (`teachers.py`).

use samora_engine::models::mae::{self, MaeConfig, Masking, masked_patch_loss, patchify};
use samora_engine::models::simclr::{self, SimclrConfig};
use samora_engine::nn::Statistics;
use samora_engine::nn::loss::nt_xent;
use samora_engine::{DType, Graph, Init, Value};

use super::autograd::assert_autograds;
use super::fixture;

const TEMPERATURE: f32 = 0.1;

#[test]
fn mae_agrees() {
    let config = MaeConfig {
        image_size_px: 16,
        patch_size_px: 4,
        dim: 16,
        depth: 2,
        heads: 2,
        decoder_dim: 12,
        decoder_depth: 1,
        decoder_heads: 3,
    };
    let feeds = fixture("mae").tensors;
    let mut g = Graph::new();
    let image = g.input("image", &feeds["image"].shape, DType::F32);
    let masking = Masking::inputs(&mut g, 2, 16, 4);
    let tokens = mae::encode(&mut g, &config, image, masking.ids_keep);
    let prediction = mae::decode(&mut g, &config, tokens, masking.ids_restore);
    let target = patchify(&mut g, image, 4);
    let loss = masked_patch_loss(&mut g, prediction, target, masking.hidden, true);
    let outputs = [
        ("tokens", tokens),
        ("prediction", prediction),
        ("loss", loss),
    ];
    assert_autograds("mae", &mut g, &feeds, loss, &outputs);
}

/// In training mode, with the running statistics after the step.
fn check_simclr(name: &str, selective_kernels: bool) {
    let config = SimclrConfig {
        blocks: vec![1, 2],
        width: 4,
        selective_kernels,
        projection_dim: 8,
    };
    let feeds = fixture(name).tensors;
    let mut g = Graph::new();
    let views = g.input("views", &feeds["views"].shape, DType::F32);
    let features = simclr::features(&mut g, &config, views, Statistics::Batch);
    let projection = simclr::project(&mut g, &config, features, Statistics::Batch);
    let loss = nt_xent(&mut g, projection, TEMPERATURE);
    let after = |source: &samora_engine::Source| -> Option<(String, Value)> {
        let assigned = g.assigns().iter().find(|a| a.0 == source.value)?;
        Some((format!("after.{}", source.name), assigned.1))
    };
    let statistics: Vec<(String, Value)> = g.params().filter_map(after).collect();
    let in_reference = feeds.keys().filter(|name| name.starts_with("after."));
    assert_eq!(statistics.len(), in_reference.count());
    let outputs = [
        ("features", features),
        ("projection", projection),
        ("loss", loss),
    ];
    let statistics = statistics.iter().map(|(name, v)| (name.as_str(), *v));
    let outputs: Vec<(&str, Value)> = outputs.into_iter().chain(statistics).collect();
    assert_autograds(name, &mut g, &feeds, loss, &outputs);
}

#[test]
fn simclr_agrees() {
    check_simclr("simclr", false);
}

#[test]
fn simclr_with_selective_kernels_agrees() {
    check_simclr("simclr_selective", true);
}

#[test]
fn nt_xent_agrees() {
    let feeds = fixture("nt_xent").tensors;
    let mut g = Graph::new();
    let hidden = g.param("hidden", &feeds["hidden"].shape, Init::Zeros);
    let loss = nt_xent(&mut g, hidden, TEMPERATURE);
    assert_autograds("nt_xent", &mut g, &feeds, loss, &[("loss", loss)]);
}
