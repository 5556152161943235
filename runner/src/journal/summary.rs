//! `summary.json`, `summary.csv` and the table printed at the end.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::error::{Error, Result};
use crate::metrics::volume::{CaseScores, Summary, summarize};
use crate::run_dir::RunDir;

/// The result of an `Evaluate` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Name of the stage.
    pub stage: String,
    /// Mean of the classes' mean Dice over all cases.
    pub mean_dice: f64,
    /// Means over cases, per class and overall, in both conventions.
    pub summary: Summary,
    /// Scores of each case.
    pub cases: Vec<CaseScores>,
}

impl Report {
    /// Averages the scores of all cases; `classes` are the foreground classes.
    pub fn new(pipeline: &str, stage: &str, classes: &[String], cases: Vec<CaseScores>) -> Self {
        let summary = summarize(&cases, classes);
        Self {
            pipeline: pipeline.into(),
            stage: stage.into(),
            mean_dice: summary.mean_dice,
            summary,
            cases,
        }
    }

    /// The report that a run has written; `None` before.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn read(run: &RunDir) -> Result<Option<Self>> {
        let path = run.path("summary.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Error::file(&path, "read", e))?;
        let report = serde_json::from_str(&text);
        report
            .map(Some)
            .map_err(|e| Error::file(&path, "read", e.into()))
    }

    /// Writes `summary.json` and `summary.csv`. Equal reports give equal bytes.
    ///
    /// # Errors
    /// A full disk or a directory that cannot be written.
    pub fn write(&self, run: &RunDir) -> Result<()> {
        let path = run.path("summary.json");
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::file(&path, "write", e.into()))?;
        run.write("summary.json", (json + "\n").as_bytes())?;
        run.write("summary.csv", self.csv().as_bytes())
    }

    /// The printed table: per class and mean, volumes in millimetres beside SAMed's convention.
    pub fn table(&self) -> Table {
        let header = [
            "class",
            "Dice",
            "HD95 mm",
            "SAMed Dice",
            "SAMed HD95 voxels",
        ];
        let mut table = Table::new(&header);
        let row = |name: &str, dice: f64, mm: Option<f64>, samed: (f64, f64)| {
            [
                name.to_string(),
                format!("{dice:.4}"),
                mm.map_or("–".into(), |mm| format!("{mm:.2}")),
                format!("{:.4}", samed.0),
                format!("{:.2}", samed.1),
            ]
        };
        for class in &self.summary.classes {
            let samed = (class.samed_dice, class.samed_hd95_voxels);
            table.row(row(&class.name, class.dice, class.hd95_mm, samed));
        }
        table.rule();
        let all = &self.summary;
        let samed = (all.samed_mean_dice, all.samed_mean_hd95_voxels);
        table.row(row("mean", all.mean_dice, all.mean_hd95_mm, samed));
        table
    }

    /// One line for each case and class.
    fn csv(&self) -> String {
        let mut text = String::from(
            "case,class,dice,hd95_mm,samed_dice,samed_hd95_voxels,truth_voxels,predicted_voxels\n",
        );
        for case in &self.cases {
            for (score, class) in case.classes.iter().zip(&self.summary.classes) {
                let hd95 = score.hd95_mm.map(|mm| mm.to_string()).unwrap_or_default();
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "{},{},{},{hd95},{},{},{},{}",
                    quoted(&case.case),
                    quoted(&class.name),
                    score.dice,
                    score.samed_dice,
                    score.samed_hd95_voxels,
                    score.truth_voxels,
                    score.predicted_voxels,
                );
            }
        }
        text
    }
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::volume::ClassScore;

    fn score(dice: f64, hd95_mm: Option<f64>) -> ClassScore {
        ClassScore {
            dice,
            hd95_mm,
            samed_dice: dice,
            samed_hd95_voxels: 2.0,
            truth_voxels: 10,
            predicted_voxels: 12,
        }
    }

    fn report() -> Report {
        let cases = vec![
            CaseScores {
                case: "one".into(),
                classes: vec![score(0.5, Some(3.0)), score(1.0, None)],
            },
            CaseScores {
                case: "two, late".into(),
                classes: vec![score(1.0, Some(1.0)), score(1.0, None)],
            },
        ];
        let classes = ["liver".to_string(), "aorta".to_string()];
        Report::new("demo", "test", &classes, cases)
    }

    #[test]
    fn the_table_gives_both_conventions_and_the_mean() {
        let expected = "\
class    Dice  HD95 mm  SAMed Dice  SAMed HD95 voxels
─────────────────────────────────────────────────────
liver  0.7500     2.00      0.7500               2.00
aorta  1.0000        –      1.0000               2.00
─────────────────────────────────────────────────────
mean   0.8750     2.00      0.8750               2.00
";
        assert_eq!(report().table().to_string(), expected);
    }

    #[test]
    fn csv_quotes_and_leaves_undefined_empty() {
        let csv = report().csv();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[1], "one,liver,0.5,3,0.5,2,10,12");
        assert_eq!(lines[4], "\"two, late\",aorta,1,,1,2,10,12");
    }

    #[test]
    fn json_reads_back() {
        let text = serde_json::to_string(&report()).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["mean_dice"], 0.875);
    }
}
