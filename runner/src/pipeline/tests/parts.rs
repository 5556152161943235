//! Overrides and fragments.

use super::*;

#[test]
fn overrides_reach_written_and_unwritten_fields() {
    let sets = [
        "data.scans.root=/volumes/la",
        "stages.finetune.epochs=7",
        "stages.finetune.max_steps=2",
        "stages.image.level.projector_width=64",
        "name=other",
    ];
    let pipeline = load_text(GOOD, &sets).unwrap();
    assert_eq!(pipeline.name, "other");
    assert_eq!(pipeline.data["scans"].root(), Path::new("/volumes/la"));
    let Stage::Finetune(finetune) = &pipeline.stages[5] else {
        panic!("{:?}", pipeline.stages[5]);
    };
    assert_eq!((finetune.epochs, finetune.max_steps), (7, Some(2)));
    let Stage::Expert(expert) = &pipeline.stages[1] else {
        panic!("{:?}", pipeline.stages[1]);
    };
    let wide = matches!(
        &expert.level,
        Level::Image {
            projector_width: 64,
            ..
        }
    );
    assert!(wide, "{:?}", expert.level);
}

#[test]
fn an_override_replaces_an_unset_variable() {
    let text = GOOD.replace("\"scans\")}", "\"${env:RUNNER_TEST_UNSET}\")}");
    let pipeline = load_text(&text, &["data.scans.root=/here"]).unwrap();
    assert_eq!(pipeline.data["scans"].root(), Path::new("/here"));
}

#[test]
fn mistakes_in_overrides_are_pointed_at() {
    let table = [
        (
            "stages.finetun.epochs=2",
            vec!["`stages` has no `finetun`", "did you mean `finetune`?"],
        ),
        (
            "stages.finetune.epoch=2",
            vec!["`stages.finetune` has no `epoch`", "did you mean `epochs`?"],
        ),
        (
            "stages.finetune.epochs=two",
            vec!["expected a whole number, found `two`", "command line:1:30"],
        ),
        (
            "stages.finetune.max_steps=1.5",
            vec!["`max_steps`: expected a whole number"],
        ),
        (
            "stages.image.level.teacher=imge",
            vec!["there is no stage `imge`", "--set stages.image"],
        ),
        (
            "stages.test.batch=0",
            vec!["batch must be at least 1", "command line:1:25"],
        ),
        ("epochs", vec!["expected `path.to.field=value`"]),
        ("a..b=1", vec!["expected `path.to.field=value`"]),
    ];
    for (set, expected) in table {
        let message = refusal(GOOD, &[set]);
        for part in expected {
            assert!(message.contains(part), "{set}: no {part:?} in\n{message}");
        }
    }
}

#[test]
fn fragments_are_put_in_place_and_keep_their_own_lines() {
    let folder = tempfile::tempdir().unwrap();
    let start = GOOD.find("        Pretrain(").unwrap();
    let end = GOOD.find("        Finetune(").unwrap();
    let main = GOOD
        .replace(&GOOD[start..end], "include(\"parts/stages.ron\"),\n")
        .replace(
            "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)",
            "include(\"parts/sam.ron\")",
        );
    let parts = folder.path().join("parts");
    fs::create_dir(&parts).unwrap();
    let sam = "// A small encoder.\nSam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4) // end";
    fs::write(parts.join("sam.ron"), sam).unwrap();
    let stages = format!("// First.\n[\n{}\n]\n", &GOOD[start..end]);
    fs::write(parts.join("stages.ron"), &stages).unwrap();
    let whole = load_text(GOOD, &[]).unwrap();
    assert_eq!(load_in(folder.path(), &main, &[]).unwrap(), whole);

    fs::write(parts.join("stages.ron"), stages.replace("level", "levle")).unwrap();
    let message = load_in(folder.path(), &main, &[]).unwrap_err().to_string();
    assert!(message.contains("parts/stages.ron:12:43"), "{message}");
    assert!(message.contains("did you mean `level`?"), "{message}");
}

#[test]
fn missing_and_cyclic_fragments_are_refused_with_the_way_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let sam = "Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4)";
    let main = GOOD.replace(sam, "include(\"one.ron\")");
    fs::write(folder.path().join("one.ron"), "include(\"two.ron\")").unwrap();
    let message = load_in(folder.path(), &main, &[]).unwrap_err().to_string();
    assert!(
        message.contains("cannot read the included file"),
        "{message}"
    );
    assert!(message.contains("one.ron:1:1"), "{message}");
    assert!(message.contains("small.ron → "), "{message}");
    assert!(message.contains("did you mean `one.ron`?"), "{message}");

    fs::write(folder.path().join("two.ron"), "include(\"one.ron\")").unwrap();
    let message = load_in(folder.path(), &main, &[]).unwrap_err().to_string();
    assert!(message.contains("leads back to itself"), "{message}");
    assert!(message.contains("two.ron:1:1"), "{message}");
}

#[test]
fn nesting_without_end_is_refused() {
    let message = refusal(&"(".repeat(100_000), &[]);
    assert!(message.contains("nested deeper"), "{message}");
}

/// The variant is one field, and what the others say of it follows.
#[test]
fn a_variant_brings_its_own_settings_along() {
    let variants = r#"variants: {
        "adapter=Lora": {"stages.finetune.epochs": 9, "stages.finetune.max_steps": 5},
        "adapter=Lora, decoder=Sam": {"stages.finetune.batch": 2},
        "adapter=Nothing": {"stages.finetune.epochs": 1},
    },
    stages: ["#;
    let text = GOOD.replacen("stages: [", variants, 1);
    let finetune = |sets: &[&str]| {
        let pipeline = load_text(&text, sets).unwrap();
        let found = pipeline.stages.iter().find_map(|stage| match stage {
            Stage::Finetune(stage) => Some((stage.epochs, stage.max_steps, stage.batch)),
            _ => None,
        });
        (found.unwrap(), pipeline.left_out.join(" "))
    };
    let (nothing, all) = (String::new(), "simclr image mae patch pixel".to_string());
    assert_eq!(finetune(&[]), ((3, None, 4), nothing));
    assert_eq!(finetune(&["adapter=Lora"]), ((9, Some(5), 2), all.clone()));
    let own = ["adapter=Lora(rank: 2)", "stages.finetune.epochs=7"];
    assert_eq!(finetune(&own), ((7, Some(5), 2), all.clone()));
    assert_eq!(finetune(&["adapter=Nothing"]), ((1, None, 4), all));

    for (from, to, parts) in [
        (
            "adapter=Lora\"",
            "adaptr=Lora\"",
            [
                "`adaptr` does not make a variant",
                "did you mean `adapter`?",
            ],
        ),
        (
            "adapter=Lora\"",
            "adapter=LoRA\"",
            ["there is no adapter `LoRA`", "did you mean `Lora`?"],
        ),
        (
            "\"stages.finetune.epochs\": 9",
            "\"stages.finetune.epoch\": 9",
            ["`stages.finetune` has no `epoch`", "small.ron:8:43"],
        ),
        (
            "epochs\": 9",
            "epochs\": nine",
            ["expected a whole number, found `nine`", "small.ron:8:52"],
        ),
    ] {
        let message = refusal(&text.replacen(from, to, 1), &["adapter=Lora"]);
        for part in parts {
            assert!(message.contains(part), "{to}: no {part:?} in\n{message}");
        }
    }
}

#[test]
fn what_a_variant_leaves_out_need_not_fit_it() {
    let larger = "encoder=Sam(image_size_px: 128, patch_size_px: 16, dim: 96, depth: 4, heads: 4)";
    let message = refusal(GOOD, &[larger]);
    assert!(
        message.contains("image_size_px: 96 differs from the encoder's 128"),
        "{message}"
    );
    let pipeline = load_text(GOOD, &[larger, "adapter=Lora"]).unwrap();
    let names: Vec<&str> = pipeline.stages.iter().map(Stage::name).collect();
    assert_eq!(names, ["finetune", "test"]);
    assert_eq!(
        pipeline.left_out,
        ["simclr", "image", "mae", "patch", "pixel"]
    );
}

#[test]
fn h_sam_needs_channels_that_it_can_divide() {
    for channels in [32, 48] {
        let set = format!(
            "encoder=Sam(image_size_px: 96, patch_size_px: 8, dim: 96, depth: 4, heads: 4, out_channels: {channels})"
        );
        let message = refusal(GOOD, &[&set, "decoder=HSam"]);
        let part = format!("H-SAM divides the encoder's {channels} channels by 16");
        assert!(message.contains(&part), "{message}");
    }
}

#[test]
fn stages_share_what_is_common_and_their_own_counts() {
    let common = "common: (batch: 4, epochs: 3, data: \"scans\"),\n    stages: [";
    let text = GOOD
        .replace("epochs: 3, batch: 4,", "")
        .replace(" data: \"scans\",", "")
        .replace(", batch: 4)", ")")
        .replacen("stages: [", common, 1);
    assert!(!text.contains("batch: 4)"), "{text}");
    assert_eq!(
        load_text(&text, &[]).unwrap(),
        load_text(GOOD, &[]).unwrap()
    );
    let batches = |sets: &[&str]| {
        let stages = load_text(&text, sets).unwrap().stages;
        stages.iter().map(Stage::batch).collect::<Vec<_>>()
    };
    assert_eq!(
        batches(&["common.batch=2", "stages.test.batch=8"]),
        [2, 2, 4, 4, 4, 2, 8]
    );
    let message = refusal(&text.replace("batch: 4, e", "bach: 4, e"), &[]);
    assert!(
        message.contains("did you mean `batch`?") && message.contains("small.ron:7:14"),
        "{message}"
    );
}

#[test]
fn a_file_can_be_changes_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    load_in(folder.path(), GOOD, &[]).unwrap();
    fs::write(
        path("encoder.ron"),
        "Sam(image_size_px: 96, patch_size_px: 8, dim: 48, depth: 1, heads: 4)",
    )
    .unwrap();
    let changes = r#"// One more.
Changes(
    of: "small.ron",
    name: "other",
    set: {"encoder": include("encoder.ron"), "stages.finetune.max_steps": 5, "adapter": Lora},
)"#;
    fs::write(path("other.ron"), changes).unwrap();
    let third =
        "Changes(of: \"other.ron\", name: \"third\", set: {\"stages.finetune.max_steps\": 6})";
    fs::write(path("third.ron"), third).unwrap();
    let of = |name: &str, sets: &[&str]| {
        let sets: Vec<Override> = sets.iter().map(|s| Override::parse(s).unwrap()).collect();
        let pipeline = load(&path(name), &sets)?;
        let Some(Stage::Finetune(finetune)) = pipeline.stages.first() else {
            panic!("{:?}", pipeline.stages);
        };
        let Encoder::Sam(encoder) = &pipeline.encoder else {
            panic!("{:?}", pipeline.encoder);
        };
        Ok::<_, Diagnostic>((pipeline.name.clone(), encoder.dim, finetune.max_steps))
    };
    assert_eq!(of("other.ron", &[]).unwrap(), ("other".into(), 48, Some(5)));
    assert_eq!(of("third.ron", &[]).unwrap(), ("third".into(), 48, Some(6)));
    let set = "stages.finetune.max_steps=7";
    assert_eq!(
        of("third.ron", &[set]).unwrap(),
        ("third".into(), 48, Some(7))
    );

    for (from, to, parts) in [
        (
            "small.ron",
            "smal.ron",
            ["cannot read", "did you mean `small.ron`?"],
        ),
        (
            "of: \"small.ron\"",
            "of: \"other.ron\"",
            ["leads back to itself", "other.ron:3:9"],
        ),
        (
            "max_steps",
            "max_step",
            ["`stages.finetune` has no `max_step`", "other.ron:5:63"],
        ),
        (
            "name:",
            "nam:",
            ["unknown field `nam` of `Changes`", "fields: of, name, set"],
        ),
        ("Lora", "Lore", ["unknown variant `Lore`", "other.ron:5:89"]),
    ] {
        fs::write(path("other.ron"), changes.replacen(from, to, 1)).unwrap();
        let message = of("other.ron", &[]).unwrap_err().to_string();
        for part in parts {
            assert!(message.contains(part), "{to}: no {part:?} in\n{message}");
        }
    }
}

/// What lies beside the file is meant, wherever the command is given.
#[test]
fn relative_paths_are_looked_for_beside_the_file_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("scans")).unwrap();
    let root = |text: &str| {
        let pipeline = load_in(folder.path(), text, &[]).unwrap();
        pipeline.data["scans"].root().to_path_buf()
    };
    assert_eq!(root(GOOD), folder.path().join("scans"));
    let elsewhere = GOOD.replace("root: \"scans\"", "root: \"not/there\"");
    assert_eq!(
        root(&elsewhere),
        std::env::current_dir().unwrap().join("not/there")
    );
}
