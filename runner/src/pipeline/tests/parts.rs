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
    let Stage::Finetune(finetune) = &pipeline.stages[2] else {
        panic!("{:?}", pipeline.stages[2]);
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
