#![allow(clippy::unwrap_used)]

mod refused;

use std::path::PathBuf;

use crate::Tensor;
use crate::weights::{Element, Format, Item, WeightFile, Weights, write_torch};

/// A folder of its own for a test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("samora-pth-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.join("file.pth");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/reference/checkpoints")
        .join(name)
}

#[test]
fn pytorchs_zip_and_legacy_files_hold_the_same_tensors() {
    let zip = WeightFile::open(&fixture("zip.pth")).unwrap();
    let legacy = WeightFile::open(&fixture("legacy.pth")).unwrap();
    assert_eq!(zip.format(), Format::TorchZip);
    assert_eq!(legacy.format(), Format::TorchLegacy);
    let said: Vec<&str> = ["epoch", "lr", "note", "betas"]
        .map(|key| zip.metadata()[key].as_str())
        .to_vec();
    assert_eq!(said, ["3", "0.5", "ü", "0.5,0.25"]);
    let expected: [(&str, Element, &[usize], &[f32]); 15] = [
        ("dense", Element::F32, &[2, 3], &[0., 1., 2., 3., 4., 5.]),
        (
            "transposed",
            Element::F32,
            &[3, 2],
            &[0., 3., 1., 4., 2., 5.],
        ),
        (
            "sliced",
            Element::F32,
            &[2, 3],
            &[6., 8., 10., 12., 14., 16.],
        ),
        (
            "half",
            Element::F16,
            &[4],
            &[1.0, -2.5, 65504.0, 5.960_464_5e-8],
        ),
        ("bfloat", Element::Bf16, &[3], &[1.0, -2.5, 3.140_625]),
        ("double", Element::F64, &[1], &[0.1]),
        ("long", Element::I64, &[2], &[-3.0, 7.0]),
        ("int", Element::I32, &[1], &[-70_000.0]),
        ("short", Element::I16, &[1], &[-300.0]),
        ("char", Element::I8, &[1], &[-3.0]),
        ("byte", Element::U8, &[1], &[200.0]),
        ("bool", Element::Bool, &[2], &[1.0, 0.0]),
        ("parameter", Element::F32, &[2], &[0.5, 0.5]),
        ("scalar", Element::F32, &[], &[4.0]),
        ("empty", Element::F32, &[0, 3], &[]),
    ];
    for file in [zip, legacy] {
        assert_eq!(file.entries().len(), expected.len());
        for (name, element, shape, values) in expected {
            let entry = &file.entries()[name];
            assert_eq!(entry.element, element, "{name}");
            let tensor = file.read(entry).unwrap();
            assert_eq!(tensor, Tensor::f32(shape, values.to_vec()), "{name}");
        }
    }
}

#[test]
fn dictionaries_of_state_dicts_keep_their_names() {
    let weights = Weights::read(&fixture("parts.pth")).unwrap();
    assert_eq!(
        weights.tensors["resnet.0.weight"],
        Tensor::full(&[1, 2], 0.5)
    );
    assert!(weights.tensors.contains_key("resnet.1.num_batches_tracked"));
    assert!(weights.tensors.contains_key("head.transposed"));
}

#[test]
fn what_was_written_reads_back() {
    let folder = Folder::new("written");
    let path = folder.0.join("w.pth");
    let mut weights = Weights::default();
    for (name, tensor) in [
        ("a.weight", Tensor::f32(&[2, 2], vec![1.0, -2.5, 3e-8, 4.0])),
        ("scale", Tensor::full(&[], 0.5)),
    ] {
        weights.tensors.insert(name.into(), tensor);
    }
    let root = Item::Dict(vec![
        ("rank".into(), Item::Int(4)),
        (
            "order".into(),
            Item::List(vec![Item::Text("é".into()), Item::Int(-1)]),
        ),
        ("fused".into(), Item::Bool(true)),
        ("model".into(), Item::Tensors(&weights.tensors)),
    ]);
    write_torch(&path, &root).unwrap();
    let read = Weights::read(&path).unwrap();
    assert_eq!(read.tensors, weights.tensors);
    let said: Vec<(&str, &str)> = read
        .metadata
        .iter()
        .map(|(key, text)| (key.as_str(), text.as_str()))
        .collect();
    assert_eq!(said, [("fused", "true"), ("order", "é,-1"), ("rank", "4")]);
    let first = std::fs::read(&path).unwrap();
    write_torch(&path, &root).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert!(write_torch(&folder.0.join("none/w.pth"), &root).is_err());
}
