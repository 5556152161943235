#![allow(clippy::unwrap_used)]

use super::tables::{WIDTH, wrapped};
use super::*;
use crate::metrics::volume::ClassScore;

fn score(dice: f64, hd95_mm: Option<f64>) -> ClassScore {
    ClassScore {
        dice,
        iou: dice / (2.0 - dice),
        hd95_mm,
        assd_mm: hd95_mm.map(|mm| mm / 4.0),
        nsd: hd95_mm.map(|mm| 1.0 / mm),
        hd95_voxels: hd95_mm.map(|mm| 2.0 * mm),
        assd_voxels: hd95_mm.map(|mm| mm / 2.0),
        samed_dice: dice,
        samed_hd95_voxels: 2.0,
        uamt_iou: dice,
        uamt_asd_voxels: 0.5,
        truth_voxels: 10,
        predicted_voxels: hd95_mm.map_or(0, |_| 12),
    }
}

fn report() -> Report {
    let case = |case: &str, liver, aorta| CaseScores {
        case: case.into(),
        classes: vec![liver, aorta],
    };
    let cases = vec![
        case("one", score(0.5, Some(3.0)), score(0.0, None)),
        case("two, late", score(1.0, Some(1.0)), score(0.0, None)),
        case("three", score(0.9, Some(2.0)), score(0.6, Some(5.0))),
    ];
    let classes = ["liver".to_string(), "aorta".to_string()];
    let subject = Subject::Stage {
        pipeline: "demo".into(),
        stage: "test".into(),
    };
    Report::new(subject, &classes, 2.0, cases)
}

#[test]
fn the_tables_are_as_printed() {
    let expected = "\
case         Dice    IoU  HD95 mm  ASSD mm  NSD 2 mm  undefined
───────────────────────────────────────────────────────────────
one        0.2500  0.167     3.00     0.75     0.333        1/2
two, late  0.5000  0.500     1.00     0.25     1.000        1/2
three      0.7500  0.623     3.50     0.88     0.350

class             Dice           95 % CI            IoU      HD95 mm      ASSD mm       NSD 2 mm  undefined
───────────────────────────────────────────────────────────────────────────────────────────────────────────
liver  0.8000 ± 0.2646  [0.5000, 1.0000]  0.717 ± 0.345  2.00 ± 1.00  0.50 ± 0.25  0.611 ± 0.347
aorta  0.2000 ± 0.3464  [0.0000, 0.6000]  0.143 ± 0.247         5.00         1.25          0.200        2/3
───────────────────────────────────────────────────────────────────────────────────────────────────────────
mean   0.5000 ± 0.2500  [0.2500, 0.7500]  0.430 ± 0.236  3.50 ± 1.32  0.88 ± 0.33  0.406 ± 0.380        2/6

in voxels         HD95         ASSD       SAMed Dice   SAMed HD95        UA-MT IoU    UA-MT ASD
───────────────────────────────────────────────────────────────────────────────────────────────
liver      4.00 ± 2.00  1.00 ± 0.50  0.8000 ± 0.2646  2.00 ± 0.00  0.8000 ± 0.2646  0.50 ± 0.00
aorta            10.00         2.50  0.2000 ± 0.3464  2.00 ± 0.00  0.2000 ± 0.3464  0.50 ± 0.00
───────────────────────────────────────────────────────────────────────────────────────────────
mean       7.00 ± 2.65  1.75 ± 0.66  0.5000 ± 0.2500  2.00 ± 0.00  0.5000 ± 0.2500  0.50 ± 0.00

No surface distances, left out of their means:
  aorta (not predicted): one, two, late
";
    assert_eq!(report().to_string(), expected);
}

#[test]
fn csv_quotes_and_leaves_undefined_empty() {
    let csv = report().csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 6 + 3 * 5);
    assert_eq!(lines[4], "case,\"two, late\",aorta,0,0,,,,,,0,2,0,0.5,10,0");
    assert!(
        lines[7].starts_with("mean,,liver,0.7999999999999999,"),
        "{}",
        lines[7]
    );
    assert!(
        lines[21].starts_with("cases,,,3,3,3,3,3,3,3,3,3,3,3,,"),
        "{}",
        lines[21]
    );
    let columns = |line: &str| line.replace("\"two, late\"", "").split(',').count();
    assert!(lines.iter().all(|line| columns(line) == 16));
}

#[test]
fn json_reads_back() {
    let text = serde_json::to_string(&report()).unwrap();
    let read: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (read.subject, read.cases),
        (report().subject, report().cases)
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["pipeline"], "demo");
    assert_eq!(value["mean_dice"], report().mean_dice);
    assert_eq!(
        value["summary"]["classes"][1]["metrics"]["hd95_mm"]["cases"],
        1
    );
}

#[test]
fn json_keeps_the_last_digits() {
    let mut report = report();
    // Quotients that have no short decimals.
    let quotients = (1..=500).map(f64::from);
    let scores = quotients.map(|n| score(n / 509.0, Some(5843.7 / n)));
    report.cases[0].classes = scores.collect();
    let text = serde_json::to_string(&report).unwrap();
    let read: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(read.cases, report.cases);
}

#[test]
fn reports_of_other_versions_are_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Report::read(folder.path(), SUMMARY).unwrap(), None);
    report().write(folder.path(), SUMMARY).unwrap();
    let read = Report::read(folder.path(), SUMMARY).unwrap().unwrap();
    assert_eq!(read.cases, report().cases);
    let path = folder.path().join("summary.json");
    std::fs::write(
        &path,
        r#"{"pipeline": "demo", "stage": "test", "mean_dice": 0.5}"#,
    )
    .unwrap();
    let message = Report::read(folder.path(), SUMMARY)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("summary.json") && message.contains("delete it"),
        "{message}"
    );
}

#[test]
fn predictions_of_nothing_are_said() {
    let missed = || score(0.0, None);
    let neither = || ClassScore {
        truth_voxels: 0,
        ..missed()
    };
    let found = || score(0.5, Some(3.0));
    let warnings = |cases: Vec<Vec<ClassScore>>| {
        let cases = cases
            .into_iter()
            .enumerate()
            .map(|(n, classes)| CaseScores {
                case: format!("case{n}"),
                classes,
            });
        let subject = report().subject;
        let classes = ["liver".to_string(), "aorta".to_string()];
        let report = Report::new(subject, &classes, 2.0, cases.collect());
        let printed = report.to_string();
        let json = serde_json::to_value(&report).unwrap();
        for (n, warning) in report.warnings.iter().enumerate() {
            assert!(
                printed.contains(&format!("warning: {warning}")),
                "{printed}"
            );
            assert_eq!(json["warnings"][n], *warning);
        }
        report.warnings
    };
    assert!(warnings(vec![vec![found(), found()], vec![found(), missed()]]).is_empty());
    let table = [
        (
            vec![vec![found(), missed()], vec![found(), missed()]],
            vec!["aorta was never predicted, though 2 of 2 cases have it"],
        ),
        (
            vec![vec![found(), missed()], vec![found(), neither()]],
            vec!["aorta was never predicted, though 1 of 2 cases have it"],
        ),
        (
            vec![vec![found(), neither()]],
            vec!["no case has aorta, and none was predicted: its Dice of 1 says nothing"],
        ),
        (
            vec![vec![missed(), missed()], vec![found(), found()]],
            vec!["nothing was predicted in case0: all is background"],
        ),
        (
            vec![vec![missed(), missed()], vec![missed(), neither()]],
            vec!["nothing was predicted in any of 2 cases: all is background"],
        ),
    ];
    for (cases, expected) in table {
        assert_eq!(warnings(cases), expected);
    }
}

#[test]
fn notes_wrap_between_words() {
    let names: Vec<String> = (0..40).map(|n| format!("case{n:04}")).collect();
    let text = wrapped(&names.join(", "));
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    assert_eq!(text.split_whitespace().count(), 40);
}
