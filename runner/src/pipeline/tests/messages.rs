//! What users are told about files that cannot be read: in the words of the language, never in those of
//! the libraries that read it.

use super::*;

/// What no message may contain: names of Rust's types, and words of `ron`, `serde` and the system.
const FOREIGN: &[&str] = &[
    "usize",
    "u8",
    "u64",
    "f32",
    "f64",
    "serde",
    "RON",
    "Expected",
    "Unexpected",
    "Invalid",
    "struct ",
    "tuple",
    "sequence",
    "newtype",
    "variant identifier",
    "raw identifier",
    "os error",
];

const SAM: &str = "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)";

fn expect(message: &str, what: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{what}: no {part:?} in\n{message}");
    }
    // The file's folder has a random name.
    let is_own = |line: &&str| !line.trim_start().starts_with("--> ");
    let message: String = message.lines().filter(is_own).collect();
    for word in FOREIGN {
        assert!(!message.contains(word), "{what}: {word:?} in\n{message}");
    }
}

fn check(table: &[(&str, &str, &[&str])]) {
    for (from, to, parts) in table {
        assert!(GOOD.contains(from), "{from}");
        expect(&refusal(&GOOD.replacen(from, to, 1), &[]), to, parts);
    }
}

#[test]
fn slips_of_punctuation() {
    let open = |place| format!("{place} may be the one not closed");
    let (rank, stage, steps) = (
        open("small.ron:6:21"),
        open("small.ron:8:9"),
        open("small.ron:10:39"),
    );
    check(&[
        // The comma is missing at the end of the line before.
        (
            "seed: 1,\n",
            "seed: 1\n",
            &["expected `,` or `)`, found `data`", "small.ron:3:12"],
        ),
        (
            "epochs: 3,",
            "epochs: 3",
            &["expected `,` or `)`, found `batch`", "small.ron:10:22"],
        ),
        (
            "seed: 1,",
            "seed: 1,,",
            &["expected the name of a field, found `,`"],
        ),
        ("seed: 1,", "seed: 1;", &["found `;`", "separated by `,`"]),
        (
            "seed: 1",
            "seed = 1",
            &["expected `:` after `seed`, found `=`", "after `:`"],
        ),
        (
            "seed: 1",
            "seed:",
            &["expected a value, found `,`", "small.ron:3:10"],
        ),
        ("seed: 1", "seed: 1,5", &["found `5`", "decimal point"]),
        (
            "seed: 1",
            "# one\n seed: 1",
            &["found `#`", "comments begin with `//`"],
        ),
        (
            "seed: 1",
            "seed:\u{a0}1",
            &["the invisible character U+00A0"],
        ),
        (
            "seed: 1",
            "seed:\u{feff}1",
            &["the invisible character U+FEFF"],
        ),
        (
            "name: \"small\"",
            "name: “small”",
            &["found `“`", "straight quotes"],
        ),
        (
            "name: \"small\"",
            "name \"small\"",
            &["expected `:` after `name`"],
        ),
        (
            "name: \"small\"",
            "\"name\": \"small\"",
            &["found `:`", "names of fields have no quotes"],
        ),
        (
            "\"small\"",
            "\"C:\\scans\"",
            &["`\\s` stands for no character", "paths may have `/`"],
        ),
        (
            "Experts(rank: 4)",
            "Experts(rank: 4",
            &["found the end of the file", &rank],
        ),
        (
            "Experts(rank: 4)",
            "Experts(rank: 4]",
            &["expected `,` or `)`, found `]`", &rank],
        ),
        (
            "Experts(rank: 4)",
            "Experts{rank: 4}",
            &["expected `,` or `)`, found `{`"],
        ),
        (
            "        Pretrain(",
            "        (Pretrain(",
            &["expected `)`, found `]`", &stage],
        ),
        (
            "epochs: 3",
            "epochs: 3, max_steps: Some(5",
            &["found `:`", &steps],
        ),
        (
            "    ],\n)",
            "    ],\n))",
            &["expected the end of the file, found `)`", "small.ron:47:2"],
        ),
        (
            "Pipeline(\n",
            "/* Pipeline(\n",
            &["no closing `*/`", "small.ron:1:1"],
        ),
    ]);
    for nothing in ["", " \n", "// only this"] {
        expect(
            &refusal(nothing, &[]),
            nothing,
            &["expected a value, found the end of the file"],
        );
    }
}

#[test]
fn values_of_the_wrong_kind() {
    check(&[
        (
            "name: \"small\"",
            "name: small",
            &["`name`: expected a string in quotes, found `small`"],
        ),
        (
            "name: \"small\"",
            "name: 3",
            &["`name`: expected a string in quotes, found `3`"],
        ),
        (
            "seed: 1",
            "seed: \"1\"",
            &["`seed`: expected a whole number, found `\"1\"`"],
        ),
        (
            "seed: 1",
            "seed: (1)",
            &["`seed`: expected a whole number, found `(1)`"],
        ),
        (
            "seed: 1",
            "seed: [1]",
            &["`seed`: expected a whole number, found `[1]`"],
        ),
        (
            "seed: 1",
            "seed: 99999999999999999999999",
            &["expected a whole number in range"],
        ),
        (
            "rank: 4",
            "rank: 4.0",
            &["`rank`: expected a whole number, found `4.0`"],
        ),
        (
            "rank: 4",
            "rank: four",
            &["`rank`: expected a whole number, found `four`"],
        ),
        (
            "epochs: 3",
            "epochs: 3, max_steps: Some(\"5\")",
            &["`max_steps`: expected a whole number"],
        ),
        (
            "learning_rate: 1e-3",
            "learning_rate: 1e-3x",
            &["expected a number, found `1e-3x`"],
        ),
        (
            "learning_rate: 1e-3",
            "learning_rate: fast",
            &["expected a number, found `fast`"],
        ),
        (
            "weight_decay: 0.1",
            "weight_decay: 0.1, decay_vectors: False",
            &["expected `true` or `false`"],
        ),
        (
            "heads: 4",
            "heads: 4, global_blocks: 3",
            &["`global_blocks`: expected a list `[…]`"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "transformer: 4",
            &["`transformer`: expected values in parentheses `(…)`, found `4`"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: 4",
            &["`adapter`: expected a name, found `4`"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: Experts(4)",
            &["expected fields by name, `(name: value, …)`"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: LoRA",
            &["did you mean `Lora`?"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: Experts(rank: 4), weights: 3",
            &["the path of a weight file"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: Experts(rank: 4), precision: \"Half\"",
            &["names have no quotes: `Half`"],
        ),
        (
            "adapter: Experts(rank: 4)",
            "adapter: Experts(rank: 4), precision: Half()",
            &["`Half` without parentheses"],
        ),
        (
            "optimiser: (",
            "optimiser: 1e-3, x: (",
            &["expected values in parentheses `(…)`, found `1e-3`"],
        ),
        (
            "        Pretrain(",
            "        3, Pretrain(",
            &["`stages`: expected a name, found `3`"],
        ),
        (
            "        Pretrain(",
            "        Pretrain(), Pretrain(",
            &["missing field `name`", "add `name: …`"],
        ),
        (SAM, "Sam", &["`encoder`: expected `Sam(…)`, found `Sam`"]),
        (
            SAM,
            "include(sam.ron)",
            &["include takes one file name in quotes"],
        ),
        (
            "rank: 4",
            "hl_attn: false",
            &["unknown variant `false`", "ZeroStart, Released"],
        ),
        (
            "seed: 1",
            "seed: 1, seed: 2",
            &[
                "field `seed` of `Pipeline` is given twice",
                "small.ron:3:14",
            ],
        ),
    ]);
}

#[test]
fn data_sets_of_the_wrong_kind() {
    let rows: [(&str, &[&str]); 17] = [
        (
            "{\"a\": La(root: \"x\"), \"a\": La(root: \"y\")}",
            &["\"a\" is given twice", "small.ron:4:32"],
        ),
        (
            "{scans: La(root: \"x\")}",
            &["`data`: expected a string in quotes, found `scans`"],
        ),
        (
            "[La(root: \"x\")]",
            &["`data`: expected a map `{…}`, found `[…]`"],
        ),
        (
            "{\"a\": \"La\"}",
            &[
                "`a`: expected a name, found `\"La\"`",
                "names have no quotes: `La`",
            ],
        ),
        ("{\"a\": La}", &["`a`: expected `La(…)`, found `La`"]),
        (
            "{\"a\": La(\"x\")}",
            &["`a`: expected fields by name, `(name: value, …)`, found `\"x\"`"],
        ),
        (
            "{\"a\": La(roots: \"x\")}",
            &["unknown field `roots` of `La`", "did you mean `root`?"],
        ),
        (
            "{\"a\": La(root: x)}",
            &["`root`: expected a string in quotes, found `x`"],
        ),
        (
            "{\"a\": La(root: \"x\", split: First(3, 2))}",
            &["`split`: expected fields by name"],
        ),
        (
            "{\"a\": La(root: \"x\", labelled: First(\"2\"))}",
            &["a whole number, found `\"2\"`"],
        ),
        (
            "{\"a\": La(root: \"x\", labelled: All(3))}",
            &["`All` without parentheses"],
        ),
        (
            "{\"a\": Synapse(root: \"x\", window_hu: (1, 2, 3))}",
            &["no further value, found `3`"],
        ),
        (
            "{\"a\": Synapse(root: \"x\", window_hu: (1))}",
            &["2 values in parentheses, found `1`"],
        ),
        (
            "{\"a\": Synapse(root: \"x\", window_hu: [1, 2])}",
            &["in parentheses `(…)`, found `[1, 2]`"],
        ),
        (
            "{\"a\": Folder(images: \"x\", classes: \"y\")}",
            &["`classes`: expected a list `[…]`"],
        ),
        (
            "{\"a\": Folder(images: \"x\", classes: [\"y\"], label_map: {\"255\": 1})}",
            &["`label_map`: expected a whole number, found `\"255\"`"],
        ),
        (
            "{\"a\": Folder(images: \"x\", classes: [\"y\"], label_map: {256: 1})}",
            &["`label_map`: expected a whole number in range, found `256`"],
        ),
    ];
    for (data, parts) in rows {
        let text = GOOD.replacen("{\"scans\": La(root: \"scans\")}", data, 1);
        expect(&refusal(&text, &[]), data, parts);
    }
}

#[test]
fn overrides_of_the_wrong_kind() {
    let rows: [(&str, &[&str]); 14] = [
        (
            "stages.finetune.epochs=",
            &["is given no value", "command line:1:30"],
        ),
        (
            "stages.finetune.epochs=5 6",
            &["expected a whole number, found `5 6`"],
        ),
        (
            "stages.finetune.epochs=[5",
            &["expected `]`, found its end", "for the shell"],
        ),
        (
            "adapter.rank=four",
            &["expected a whole number, found `four`"],
        ),
        (
            "stages.finetune.optimiser.learning_rate=1,5",
            &["expected a number, found `1,5`"],
        ),
        ("decoder=sam", &["did you mean `Sam`?"]),
        (
            "stages.image.intensity=imagenet",
            &["did you mean `ImageNet`?"],
        ),
        (
            "stages.0.epochs=3",
            &[
                "`stages` has no `0`",
                "it has simclr, image, mae, patch, pixel, finetune, test",
            ],
        ),
        (
            "data.scns.root=x",
            &["`data` has no `scns`", "did you mean `scans`?"],
        ),
        (
            "data.scans.rot=x",
            &["`data.scans` has no `rot`", "did you mean `root`?"],
        ),
        (
            "data.scans.split=First(train: 1)",
            &["missing field `test` of `First`"],
        ),
        (
            "data.scans=La(root: \"x\"",
            &["expected `)`, found its end", "command line:1:30"],
        ),
        (
            "precision=half16",
            &[
                "unknown variant `half16` of `Precision`",
                "Exact, Half, Split",
            ],
        ),
        (
            "weights=[a, b]",
            &["expected a string in quotes, found `a`"],
        ),
    ];
    for (set, parts) in rows {
        expect(&refusal(GOOD, &[set]), set, parts);
    }
    for set in [
        "weights=a.pth",
        "weights=[\"a\", \"b\"]",
        "stages.finetune.epochs= 5",
    ] {
        load_text(GOOD, &[set]).unwrap();
    }
}

#[test]
fn the_old_name_of_zero_start_leads_to_the_new_one() {
    let message = refusal(&GOOD.replace("rank: 4", "hl_attn: Paper"), &[]);
    let parts = [
        "unknown variant `Paper`",
        "small.ron:6:31",
        "now called `ZeroStart`",
    ];
    expect(&message, "Paper", &parts);
}

#[test]
fn files_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.ron");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        load(&path, &[]).unwrap_err().to_string()
    };
    let utf16: Vec<u8> = "\u{feff}Pipeline()"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    expect(
        &refused(&utf16),
        "UTF-16",
        &["small.ron", "UTF-16 text; save it as UTF-8"],
    );
    expect(
        &refused(b"Pipeline(\n\xe4)"),
        "Latin-1",
        &["line 2 is not UTF-8 text"],
    );
    let message = load(folder.path(), &[]).unwrap_err().to_string();
    expect(&message, "folder", &["it is a folder"]);
    let message = load(&folder.path().join("smal.ron"), &[])
        .unwrap_err()
        .to_string();
    expect(
        &message,
        "missing",
        &["there is no such file", "did you mean `small.ron`?"],
    );
}

#[test]
fn byte_order_marks_in_pipelines() {
    let whole = load_text(GOOD, &[]).unwrap();
    let marked = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(load_text(&marked, &[]).unwrap(), whole);
    // Places count from behind the mark.
    let message = refusal(&marked.replacen("Pipeline(", "Pipelin(", 1), &[]);
    expect(&message, "mark", &["small.ron:1:1"]);
}
