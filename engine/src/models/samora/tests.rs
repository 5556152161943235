#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use super::*;
use crate::weights::Weights;
use crate::{DType, Graph, Init, Tensor, Value, cpu};

/// Evaluates with drawn parameters and random inputs.
fn evaluate(g: &mut Graph, wanted: &[Value]) -> Vec<Tensor> {
    g.check().unwrap();
    let weights = Weights::default().draw(g, 1).unwrap();
    let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
    for source in g.sources() {
        if matches!(source.kind, crate::SourceKind::Input) {
            let shape = g.shape(source.value);
            let tensor = match g.ty(source.value).dtype {
                DType::F32 => Init::Normal(1.0).draw(shape, 2, &source.name),
                DType::U32 => Tensor::u32(
                    shape,
                    (0..shape.iter().product())
                        .map(|i: usize| i as u32 % 3)
                        .collect(),
                ),
            };
            feeds.insert(source.name.clone(), tensor);
        }
    }
    cpu::evaluate(g, &feeds, wanted).unwrap()
}

fn names(g: &Graph) -> Vec<String> {
    g.params().map(|s| s.name.clone()).collect()
}

#[test]
fn feature_regression_projects_into_the_teachers_width() {
    let mut g = Graph::new();
    let features = g.input("features", &[2, 3, 3, 4], DType::F32);
    let teacher = g.input("teacher", &[2, 10], DType::F32);
    let loss = image_loss(&mut g, Regression::Features, 16, features, teacher);
    let shapes: Vec<(String, Vec<usize>)> = g
        .params()
        .map(|s| (s.name.clone(), g.shape(s.value).to_vec()))
        .collect();
    assert_eq!(shapes.len(), 6);
    assert!(shapes.contains(&("projector.0.weight".into(), vec![16, 4])));
    assert!(shapes.contains(&("projector.3.weight".into(), vec![10, 16])));
    assert!(evaluate(&mut g, &[loss])[0].at(0) > 0.0);
}

/// For unit vectors the mean squared error is (2 − 2cosθ)/256.
#[test]
fn embedding_regression_is_a_scaled_cosine() {
    let mut g = Graph::new();
    let tokens = g.input("tokens", &[2, 5, 4], DType::F32);
    let ids = g.input("ids", &[2, 3], DType::U32);
    let teacher = g.input("teacher", &[2, 3, 6], DType::F32);
    let mut loss = |regression| patch_loss(&mut g, regression, 8, tokens, ids, teacher);
    let (embedding, cosine) = (loss(Regression::Embedding), loss(Regression::Cosine));
    assert!(names(&g).iter().any(|name| name == "teacher_head.1.weight"));
    let out = evaluate(&mut g, &[embedding, cosine]);
    let (embedding, cosine) = (out[0].at(0), out[1].at(0));
    assert!(cosine > 0.1);
    assert!((embedding - 2.0 * cosine / 256.0).abs() < 1e-6);
}

#[test]
fn denoiser_restores_the_size_and_halves_the_channels() {
    for (grid, size, ups) in [(2, 32, 4), (3, 30, 3)] {
        let mut g = Graph::new();
        let features = g.input("features", &[2, grid, grid, 64], DType::F32);
        let restored = denoise(&mut g, DenoiseOutput::Sigmoid, features, size);
        assert_eq!(g.shape(restored), [2, size, size, 3]);
        let last = format!("denoise_decoder.ups.{}.up.weight", ups - 1);
        assert!(names(&g).contains(&last));
        assert!(!names(&g).contains(&format!("denoise_decoder.ups.{ups}.up.weight")));
        let out = evaluate(&mut g, &[restored]);
        assert!(out[0].as_f32().iter().all(|&x| 0.0 < x && x < 1.0));
    }
}

/// The decoder for SAM's 256 channels at patch 16, layer by layer: stem 2·589 824 + 4·256; each
/// doubling to w from c = 2w: 4·c·w + 2·9·w² + 4·w (no shortcut); head 9·16² + 2·16 + 51.
#[test]
fn denoiser_has_the_released_size() {
    let mut g = Graph::new();
    let features = g.input("features", &[1, 14, 14, 256], DType::F32);
    denoise(&mut g, DenoiseOutput::Sigmoid, features, 224);
    let trained = g.params().filter(|s| !s.name.contains(".running_"));
    let total: usize = trained.map(|s| g.ty(s.value).len()).sum();
    let doubling = |w: usize| 8 * w * w + 18 * w * w + 4 * w;
    let expected =
        2 * 589_824 + 1024 + [128, 64, 32, 16].map(doubling).iter().sum::<usize>() + 2304 + 32 + 51;
    assert_eq!(total, expected);
}

#[test]
fn pixel_loss_weighs_dice_and_squared_error() {
    let loss = |weight| {
        let mut g = Graph::new();
        let features = g.input("features", &[2, 2, 2, 16], DType::F32);
        let clean = g.fill(&[2, 4, 4, 3], 0.25);
        let loss = pixel_loss(&mut g, DenoiseOutput::Sigmoid, weight, features, clean);
        evaluate(&mut g, &[loss])[0].at(0)
    };
    let (dice, error, both) = (loss(1.0), loss(0.0), loss(0.9));
    assert!(dice > 0.0 && error > 0.0);
    assert!((both - 0.9 * dice - 0.1 * error).abs() < 1e-6);
}
