//! Files that are damaged or mean harm.

use std::io::Write as _;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Folder, fixture};
use crate::weights::Weights;
use crate::{Error, Tensor};

fn zip(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in records {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The instructions for a tensor of `FloatStorage`, with numbers as pickle writes them.
fn tensor(class: &str, elements: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let long = |n: i64| [&[0x8a, 8][..], &n.to_le_bytes()].concat();
    let tuple = |items: &[i64]| {
        let items: Vec<u8> = items.iter().flat_map(|&n| long(n)).collect();
        [b"(", items.as_slice(), b"t"].concat()
    };
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage",
        format!("ctorch\n{class}\n").as_bytes(),
        b"X\x01\0\0\0",
        b"0X\x03\0\0\0cpu",
        &long(elements),
        b"tQ",
        &long(offset),
        &tuple(shape),
        &tuple(strides),
        b"\x89ccollections\nOrderedDict\n)RtR",
    ]
    .concat()
}

/// A file with the state dict `{name: tensor, …}` over one storage of `elements` zeros.
fn archive(entries: &[(&str, Vec<u8>)], elements: usize) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for (name, tensor) in entries {
        pickle.push(b'X');
        pickle.extend((name.len() as u32).to_le_bytes());
        pickle.extend(name.as_bytes());
        pickle.extend(tensor);
    }
    pickle.extend(b"u.");
    zip(&[
        ("a/data.pkl", &pickle),
        ("a/data/0", &vec![0; 4 * elements]),
    ])
}

fn error(folder: &Folder, bytes: &[u8]) -> String {
    let path = folder.file(bytes);
    let error = Weights::read(&path).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("file.pth"), "{text}");
    text
}

#[test]
fn nothing_is_executed_and_the_refused_name_is_told() {
    let folder = Folder::new("malicious");
    let marker = folder.0.join("executed");
    let command = format!("touch {}", marker.display());
    for (call, name) in [
        (format!("cos\nsystem\n(X{{n}}{command}tR."), "os.system"),
        (
            format!("cposix\nsystem\n(X{{n}}{command}tR."),
            "posix.system",
        ),
        (
            "c__builtin__\neval\n(X\x01\0\0\x001tR.".into(),
            "__builtin__.eval",
        ),
        ("\u{8c}\u{2}os\u{8c}\u{6}system\u{93}.".into(), "os.system"),
        ("ctorch\nload\n.".into(), "torch.load"),
    ] {
        // Latin-1, so that instructions above 0x7f are one byte.
        let mut pickle = vec![0x80, 2];
        let length = String::from_utf8((command.len() as u32).to_le_bytes().to_vec()).unwrap();
        pickle.extend(call.replace("{n}", &length).chars().map(|c| c as u8));
        let text = error(&folder, &zip(&[("a/data.pkl", &pickle)]));
        assert!(text.contains(&format!(" {name},")), "{text}");
        assert!(text.contains("not executed"), "{text}");
    }
    // Instructions that import and call in one.
    let inst = error(
        &folder,
        &zip(&[("a/data.pkl", b"(X\x01\0\0\x001ios\nsystem\n.")]),
    );
    assert!(inst.contains("0x69 is refused"), "{inst}");
    assert!(!marker.exists());
}

#[test]
fn damaged_archives_are_refused() {
    let folder = Folder::new("damaged");
    let whole = std::fs::read(fixture("zip.pth")).unwrap();
    for cut in [3, 64, whole.len() / 2, whole.len() - 1] {
        error(&folder, &whole[..cut]);
    }
    let whole = std::fs::read(fixture("legacy.pth")).unwrap();
    for cut in [64, whole.len() / 2, whole.len() - 1] {
        error(&folder, &whole[..cut]);
    }
    let npz = error(&folder, &zip(&[("x.npy", b"")]));
    assert!(npz.contains("without data.pkl"), "{npz}");
    let text = error(&folder, &zip(&[("a/data.pkl", b"X\xff\xff\xff\xffab")]));
    assert!(text.contains("byte 0: it is cut short"), "{text}");
    let text = error(&folder, &zip(&[("a/data.pkl", b"K\x01.")]));
    assert!(text.contains("no named tensors"), "{text}");
    for pickle in [
        &b"."[..],
        b"a.",
        b"}(K\x01u.",
        b"h\x05.",
        b"R.",
        b"Nb.",
        b"(Q.",
        b"(0.",
    ] {
        error(&folder, &zip(&[("a/data.pkl", pickle)]));
    }
}

#[test]
fn tensors_that_go_past_their_storage_are_refused_by_name() {
    let folder = Folder::new("past");
    let huge = 1 << 40;
    let cases = [
        (
            "huge shape",
            tensor("FloatStorage", 4, 0, &[huge, huge], &[1, 1]),
            "past its 4 elements",
        ),
        (
            "huge storage",
            tensor("FloatStorage", huge, 0, &[huge], &[1]),
            "has 16 for it",
        ),
        (
            "overflow",
            tensor("FloatStorage", i64::MAX, 0, &[2], &[1]),
            "impossible size",
        ),
        (
            "offset",
            tensor("FloatStorage", 4, i64::MAX, &[2], &[i64::MAX]),
            "past its 4 elements",
        ),
        (
            "negative",
            tensor("FloatStorage", 4, -1, &[2], &[1]),
            "not described as torch.save",
        ),
        (
            "one past",
            tensor("FloatStorage", 4, 1, &[2, 2], &[2, 1]),
            "past its 4 elements",
        ),
        (
            "expanded",
            tensor("FloatStorage", 4, 0, &[huge], &[0]),
            "out of a file of",
        ),
        (
            "complex",
            tensor("ComplexFloatStorage", 2, 0, &[2], &[1]),
            "complex or quantised",
        ),
    ];
    for (name, tensor, expected) in cases {
        let text = error(&folder, &archive(&[(name, tensor)], 4));
        assert!(text.contains(expected), "{name}: {text}");
        assert!(
            text.contains(&format!("tensor {name}")) || name == "negative",
            "{text}"
        );
    }
    let good = tensor("FloatStorage", 4, 2, &[2], &[1]);
    let path = folder.file(&archive(&[("good", good)], 4));
    assert_eq!(
        Weights::read(&path).unwrap().tensors["good"],
        Tensor::full(&[2], 0.0)
    );
    let text = error(&folder, &std::fs::read(fixture("complex.pth")).unwrap());
    assert!(text.contains("tensor complex"), "{text}");
}

#[test]
fn a_zip_record_past_the_end_of_the_file_is_refused() {
    let folder = Folder::new("record");
    let good = tensor("FloatStorage", 4, 0, &[4], &[1]);
    let mut bytes = archive(&[("x", good)], 4);
    // The sizes in the central directory's entry of `a/data/0`, which comes last.
    let entry = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    bytes[entry + 20..entry + 28]
        .copy_from_slice(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f]);
    let text = error(&folder, &bytes);
    assert!(text.contains("past the end of the file"), "{text}");
}

#[test]
fn duplicate_keys_are_refused() {
    let folder = Folder::new("duplicate");
    let one = || tensor("FloatStorage", 4, 0, &[4], &[1]);
    let text = error(&folder, &archive(&[("x", one()), ("x", one())], 4));
    assert!(text.contains("key x stands there twice"), "{text}");
    let mut twice = zip(&[("a/data.pkl", b"}."), ("a/data.pk2", b"}.")]);
    for at in 0..twice.len() - 10 {
        if twice[at..].starts_with(b"a/data.pk2") {
            twice[at + 9] = b'l';
        }
    }
    let text = error(&folder, &twice);
    assert!(text.contains("two records of the same name"), "{text}");
}

#[test]
fn deep_and_cyclic_pickles_are_harmless() {
    let folder = Folder::new("deep");
    let nested = [&b"}"[..], &vec![0x85; 1 << 20], b"."].concat();
    error(&folder, &zip(&[("a/data.pkl", &nested)]));
    // d = {}; d["a"] = d, twice in each of many levels.
    error(
        &folder,
        &zip(&[("a/data.pkl", b"}q\0(X\x01\0\0\0ah\0X\x01\0\0\0bh\0u.")]),
    );
}
