#![allow(clippy::unwrap_used)]

use super::*;
use crate::{DType, Init};

fn folder(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("samora-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn sample() -> Weights {
    let mut weights = Weights::default();
    let floats = Tensor::f32(&[2, 2], vec![1.0, -2.5, f32::MIN_POSITIVE, 3e8]);
    weights.tensors.insert("a.weight".into(), floats);
    let labels = Tensor::u32(&[3], vec![0, 7, u32::MAX]);
    weights.tensors.insert("b".into(), labels);
    weights
        .tensors
        .insert("scale".into(), Tensor::full(&[], 1.0));
    for key in ["one", "two", "three"] {
        weights.metadata.insert(key.into(), format!("{key}\n\"é\""));
    }
    weights
}

#[test]
fn written_weights_read_back_and_repeat_byte_for_byte() {
    let folder = folder("weights");
    let (first, second) = (folder.join("1.safetensors"), folder.join("2.safetensors"));
    sample().write(&first).unwrap();
    sample().write(&second).unwrap();
    assert_eq!(Weights::read(&first).unwrap(), sample());
    assert_eq!(
        std::fs::read(&first).unwrap(),
        std::fs::read(&second).unwrap()
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_damaged_or_missing_file_is_named() {
    let folder = folder("damaged");
    let path = folder.join("w.safetensors");
    sample().write(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(bytes.len() - 3);
    std::fs::write(&path, bytes).unwrap();
    let error = Weights::read(&path).unwrap_err().to_string();
    assert!(error.contains("w.safetensors"), "{error}");
    assert!(Weights::read(&folder.join("none")).is_err());
    let error = sample().write(&folder.join("no/w")).unwrap_err();
    assert!(error.to_string().contains("no/w"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

fn graph() -> Graph {
    let mut g = Graph::new();
    g.within("net", |g| {
        g.param("weight", &[2, 2], Init::Normal(1.0));
        g.param("fresh", &[3], Init::Ones);
        g.constant("table", Tensor::full(&[2], 0.0));
        g.input("x", &[1], DType::F32);
    });
    g
}

#[test]
fn parameters_are_taken_by_name_or_drawn() {
    let mut given = Weights::default();
    for (name, shape) in [("net.weight", &[2, 2][..]), ("other", &[1])] {
        given.tensors.insert(name.into(), Tensor::full(shape, 5.0));
    }
    let weights = given.draw(&graph(), 1).unwrap();
    assert_eq!(weights.tensors["net.weight"], Tensor::full(&[2, 2], 5.0));
    assert_eq!(weights.tensors["net.fresh"], Tensor::full(&[3], 1.0));
    assert_eq!(weights.tensors.len(), 2);
    let again = Weights::default().draw(&graph(), 1).unwrap();
    let other = Weights::default().draw(&graph(), 2).unwrap();
    assert_ne!(again.tensors["net.weight"], other.tensors["net.weight"]);
}

#[test]
fn a_tensor_of_another_shape_is_refused_with_both_shapes() {
    let mut given = Weights::default();
    given
        .tensors
        .insert("net.weight".into(), Tensor::full(&[2, 3], 0.0));
    let error = given.draw(&graph(), 1).unwrap_err().to_string();
    for part in ["net.weight", "[2, 2]", "[2, 3]"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_tensor_that_is_not_finite_is_named() {
    let mut weights = sample();
    let nan = Tensor::f32(&[2], vec![0.0, f32::NAN]);
    weights.tensors.insert("bad".into(), nan);
    assert_eq!(weights.non_finite(), ["bad"]);
}

#[test]
fn a_safetensors_header_that_names_a_tensor_twice_is_refused() {
    let folder = folder("twice");
    let path = folder.join("w.safetensors");
    let entry = r#""x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let header = format!("{{{entry},{entry}}}");
    let bytes = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &[0; 4],
    ]
    .concat();
    std::fs::write(&path, bytes).unwrap();
    let error = Weights::read(&path).unwrap_err().to_string();
    assert!(error.contains("x stands there twice"), "{error}");
    let claim = r#"{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}"#;
    let bytes = [
        &(claim.len() as u64).to_le_bytes()[..],
        claim.as_bytes(),
        &[0; 4],
    ]
    .concat();
    std::fs::write(&path, bytes).unwrap();
    assert!(Weights::read(&path).is_err());
    std::fs::write(&path, b"not weights").unwrap();
    let error = Weights::read(&path).unwrap_err().to_string();
    assert!(error.contains("neither"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}
