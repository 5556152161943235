#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::weights::Weights;
use crate::{DType, Remat, Tensor, cpu, differentiate, random};

fn table(config: &SimclrConfig, size: usize) -> BTreeMap<String, Vec<usize>> {
    let mut g = Graph::new();
    let image = g.input("image", &[2, size, size, 3], DType::F32);
    let pooled = features(&mut g, config, image, Statistics::Running);
    assert_eq!(g.shape(pooled), [2, config.feature_dim()]);
    let z = project(&mut g, config, pooled, Statistics::Running);
    assert_eq!(g.shape(z), [2, config.projection_dim]);
    g.check().unwrap();
    let entry = |s: &crate::Source| (s.name.clone(), g.shape(s.value).to_vec());
    g.params().map(entry).collect()
}

fn trainable(table: &BTreeMap<String, Vec<usize>>, prefix: &str) -> usize {
    let matching = |(name, _): &(&String, &Vec<usize>)| {
        name.starts_with(prefix) && !name.contains(".running_")
    };
    table
        .iter()
        .filter(matching)
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

/// torchvision's resnet50 has 25 557 032 parameters, 2 049 000 of them in the classifier.
#[test]
fn resnet_50_has_the_standard_size_and_the_ports_names() {
    let table = table(&SimclrConfig::r50(), 64);
    assert_eq!(trainable(&table, "resnet."), 25_557_032 - 2_049_000);
    for (name, shape) in [
        ("resnet.net.0.0.weight", &[64, 3, 7, 7][..]),
        ("resnet.net.0.1.0.running_var", &[64]),
        (
            "resnet.net.1.blocks.0.projection.shortcut.weight",
            &[256, 64, 1, 1],
        ),
        ("resnet.net.2.blocks.3.net.2.weight", &[128, 128, 3, 3]),
        ("resnet.net.4.blocks.2.net.4.weight", &[2048, 512, 1, 1]),
        ("resnet.net.4.blocks.2.net.5.0.bias", &[2048]),
        ("head.layers.0.weight", &[2048, 2048]),
        ("head.layers.6.weight", &[128, 2048]),
        ("head.layers.7.weight", &[128]),
    ] {
        assert_eq!(table.get(name).map(Vec::as_slice), Some(shape), "{name}");
    }
    assert!(!table.contains_key("head.layers.7.bias"));
}

/// The paper's Table 1 counts 140 M parameters for the backbone (and 24 M for the plain ResNet-50).
#[test]
fn selective_kernels_have_the_published_size_and_names() {
    let config = SimclrConfig::r50_2x_sk();
    assert_eq!(config.feature_dim(), 4096);
    let table = table(&config, 64);
    let millions = trainable(&table, "resnet.") as f64 / 1e6;
    assert!((millions - 140.0).abs() < 0.5, "{millions}");
    for (name, shape) in [
        ("resnet.net.0.4.weight", &[128, 64, 3, 3][..]),
        (
            "resnet.net.2.blocks.0.projection.shortcut.2.weight",
            &[1024, 512, 1, 1],
        ),
        (
            "resnet.net.1.blocks.0.net.2.main_conv.0.weight",
            &[256, 128, 3, 3],
        ),
        ("resnet.net.1.blocks.0.net.2.main_conv.1.0.weight", &[256]),
        (
            "resnet.net.1.blocks.0.net.2.mixing_conv.0.weight",
            &[32, 128, 1, 1],
        ),
        (
            "resnet.net.1.blocks.0.net.2.mixing_conv.2.weight",
            &[256, 32, 1, 1],
        ),
        ("resnet.net.1.blocks.0.net.3.weight", &[512, 128, 1, 1]),
        ("resnet.net.1.blocks.0.net.4.0.weight", &[512]),
    ] {
        assert_eq!(table.get(name).map(Vec::as_slice), Some(shape), "{name}");
    }
}

/// A training step's loss is finite, every trained parameter has a gradient, and running statistics
/// move towards the batch's.
#[test]
fn training_reaches_all_parameters_and_tracks_statistics() {
    for selective_kernels in [false, true] {
        let config = SimclrConfig {
            blocks: vec![1, 1],
            width: 4,
            selective_kernels,
            projection_dim: 6,
        };
        let mut g = Graph::new();
        let views = g.input("views", &[6, 16, 16, 3], DType::F32);
        let loss = pretrain_loss(&mut g, &config, views, 0.1);
        g.check().unwrap();
        let params: Vec<(String, Value)> = g
            .params()
            .filter(|s| !s.name.contains(".running_"))
            .map(|s| (s.name.clone(), s.value))
            .collect();
        let values: Vec<Value> = params.iter().map(|(_, v)| *v).collect();
        let gradients = differentiate(&mut g, loss, &values, Remat::None);
        let weights = Weights::default().draw(&g, 1).unwrap();
        let mut feeds: HashMap<String, Tensor> = weights.tensors.into_iter().collect();
        for (name, tensor) in &mut feeds {
            // Branches start at zero; open them so that gradients pass.
            if name.contains(".net.4.0.weight") || name.contains(".net.5.0.weight") {
                *tensor = Tensor::full(&tensor.shape, 1.0);
            }
        }
        let pixels = Init::Normal(1.0).draw(&[6, 16, 16, 3], 1, "views");
        feeds.insert("views".into(), pixels);
        let mut wanted = vec![loss];
        wanted.extend(gradients.into_iter().map(Option::unwrap));
        let out = cpu::evaluate(&g, &feeds, &wanted).unwrap();
        assert!(out[0].at(0).is_finite() && out[0].at(0) > 0.0);
        for ((name, _), gradient) in params.iter().zip(&out[1..]) {
            assert!(gradient.as_f32().iter().any(|x| x.abs() > 1e-9), "{name}");
        }
        let updates: Vec<Value> = g.assigns().iter().map(|a| a.1).collect();
        let moved = cpu::evaluate(&g, &feeds, &updates).unwrap();
        for ((target, _), new) in g.assigns().iter().zip(moved) {
            let source = g.sources().iter().find(|s| s.value == *target).unwrap();
            assert!(source.name.contains(".running_"), "{}", source.name);
            assert_ne!(new, feeds[&source.name], "{}", source.name);
        }
    }
}

#[test]
fn mistakes_are_named() {
    let config = SimclrConfig {
        width: 5,
        ..SimclrConfig::tiny()
    };
    assert_eq!(config.check().unwrap_err().0, "width");
    for (shape, message) in [
        ([2, 16, 16, 1], "16×16×1"),
        ([3, 16, 16, 3], "3 views are not two of each image"),
    ] {
        let mut g = Graph::new();
        let views = g.input("views", &shape, DType::F32);
        pretrain_loss(&mut g, &SimclrConfig::tiny(), views, 0.1);
        assert!(g.check().unwrap_err().to_string().contains(message));
    }
}

/// Gradients of one element of each kind of parameter against differences to either side, with every
/// branch open and all normalisation in training mode. The loss has kinks (ReLU, max-pooling), so a
/// step to one side may cross one; the other side must then agree.
#[test]
fn gradients_equal_finite_differences() {
    let config = SimclrConfig {
        blocks: vec![1, 1],
        width: 4,
        selective_kernels: true,
        projection_dim: 6,
    };
    let mut g = Graph::new();
    let views = g.input("views", &[6, 16, 16, 3], DType::F32);
    let loss = pretrain_loss(&mut g, &config, views, 0.5);
    g.check().unwrap();
    let names = [
        "resnet.net.1.blocks.0.projection.shortcut.2.weight",
        "resnet.net.1.blocks.0.projection.bn.0.bias",
        "resnet.net.2.blocks.0.net.2.main_conv.0.weight",
        "resnet.net.2.blocks.0.net.2.mixing_conv.0.weight",
        "resnet.net.2.blocks.0.net.2.mixing_conv.1.0.weight",
        "resnet.net.2.blocks.0.net.2.mixing_conv.2.weight",
        "resnet.net.2.blocks.0.net.4.0.weight",
        "head.layers.0.weight",
        "head.layers.4.bias",
        "head.layers.6.weight",
        "head.layers.7.weight",
    ];
    let values = names.map(|name| g.params().find(|s| s.name == name).unwrap().value);
    let gradients = differentiate(&mut g, loss, &values, Remat::None);
    let gradients: Vec<Value> = gradients.into_iter().map(Option::unwrap).collect();
    let mut feeds = HashMap::new();
    for source in g.params() {
        let shape = g.shape(source.value);
        // Kernels and matrices keep the scale of their input; gains lie around one.
        let (mean, std) = match shape.len() {
            1 if source.name.ends_with(".bias") => (0.0, 0.3),
            1 => (1.0, 0.1),
            _ => (
                0.0,
                (shape[1..].iter().product::<usize>() as f32).powf(-0.5),
            ),
        };
        let drawn = Init::Normal(std).draw(shape, 3, &source.name);
        let data = drawn.as_f32().iter().map(|x| mean + x).collect();
        feeds.insert(source.name.clone(), Tensor::f32(shape, data));
    }
    let pixels = Init::Normal(1.0).draw(&[6, 16, 16, 3], 1, "views");
    feeds.insert("views".into(), pixels);
    let gradients = cpu::evaluate(&g, &feeds, &gradients).unwrap();
    for (name, gradient) in names.iter().zip(gradients) {
        let at = random::Stream::named(1, name).below(gradient.len());
        let original = feeds[*name].clone();
        let mut probe = |step: f32| {
            let mut data = original.as_f32().to_vec();
            data[at] += step;
            feeds.insert((*name).into(), Tensor::f32(&original.shape, data));
            cpu::evaluate(&g, &feeds, &[loss]).unwrap()[0].at(0)
        };
        let here = probe(0.0);
        let slopes = [1e-3, -1e-3].map(|step| (probe(step) - here) / f64::from(step));
        feeds.insert((*name).into(), original);
        let got = gradient.at(at);
        let agrees = |slope: &f64| (got - slope).abs() < 2e-3 + 0.03 * slope.abs();
        assert!(slopes.iter().any(agrees), "{name}: {got} {slopes:?}");
        assert!(gradient.as_f32().iter().any(|x| x.abs() > 1e-2), "{name}");
    }
}

/// Running statistics become 0.9·old + 0.1·batch, the batch's variance unbiased; inference uses them.
#[test]
fn running_statistics_follow_the_batch() {
    let config = SimclrConfig {
        blocks: vec![1],
        width: 4,
        selective_kernels: false,
        projection_dim: 6,
    };
    let mut g = Graph::new();
    let pooled = g.input("pooled", &[5, 16], DType::F32);
    project(&mut g, &config, pooled, Statistics::Batch);
    let inference = project(&mut g, &config, pooled, Statistics::Running);
    g.check().unwrap();
    let value = |name: &str| g.sources().iter().find(|s| s.name == name).unwrap().value;
    let next = |name: &str| {
        let target = value(name);
        let assigned = g.assigns().iter().find(|(t, _)| *t == target);
        assigned.unwrap().1
    };
    let updates = ["mean", "var"].map(|s| next(&format!("head.layers.1.running_{s}")));
    let mut feeds = HashMap::new();
    feeds.insert(
        "pooled".into(),
        Init::Normal(1.0).draw(&[5, 16], 1, "pooled"),
    );
    let weight = Init::Normal(0.5).draw(&[16, 16], 1, "weight");
    feeds.insert("head.layers.0.weight".into(), weight.clone());
    for (name, start) in [("mean", 0.5), ("var", 2.0)] {
        let name = format!("head.layers.1.running_{name}");
        feeds.insert(name, Tensor::full(&[16], start));
    }
    let out = cpu::evaluate(&g, &feeds, &updates).unwrap();
    for channel in 0..16 {
        let outputs: Vec<f64> = (0..5)
            .map(|row| {
                let terms = |i| feeds["pooled"].at(row * 16 + i) * weight.at(channel * 16 + i);
                (0..16).map(terms).sum()
            })
            .collect();
        let mean = outputs.iter().sum::<f64>() / 5.0;
        let var = outputs.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 4.0;
        assert!((out[0].at(channel) - (0.45 + 0.1 * mean)).abs() < 1e-5);
        assert!((out[1].at(channel) - (1.8 + 0.1 * var)).abs() < 1e-5);
    }
    let before = cpu::evaluate(&g, &feeds, &[inference]).unwrap();
    feeds.insert(
        "head.layers.1.running_mean".into(),
        Tensor::full(&[16], -1.0),
    );
    let after = cpu::evaluate(&g, &feeds, &[inference]).unwrap();
    assert_ne!(before, after);
}
