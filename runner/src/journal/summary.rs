//! `summary.json`, `summary.csv` and the tables printed at the end.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::error::{Error, Result};
use crate::metrics::metric::Metric;
use crate::metrics::statistics::Spread;
use crate::metrics::summary::{Spreads, Summary};
use crate::metrics::volume::{CaseScores, Empty};
use crate::run_dir::write_file;

/// Columns of the notes under the tables.
const WIDTH: usize = 110;

/// Scores of a set of volumes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was scored.
    #[serde(flatten)]
    pub subject: Subject,
    /// Mean of the classes' mean Dice over all cases.
    pub mean_dice: f64,
    /// Tolerance of the NSD in millimetres.
    pub nsd_mm: f64,
    /// Means over cases, per class and overall.
    pub summary: Summary,
    /// Scores of each case.
    pub cases: Vec<CaseScores>,
}

/// Where predictions and truth come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// An `Evaluate` stage.
    Stage {
        /// Name of the pipeline.
        pipeline: String,
        /// Name of the stage.
        stage: String,
    },
    /// Label files.
    Files {
        /// The predictions: a file or folder.
        prediction: PathBuf,
        /// The truth: a file or folder.
        reference: PathBuf,
    },
}

impl Report {
    /// Averages the scores of all cases, whose NSD is at `nsd_mm` millimetres; `classes` are the
    /// foreground classes.
    pub fn new(subject: Subject, classes: &[String], nsd_mm: f64, cases: Vec<CaseScores>) -> Self {
        let summary = Summary::of(&cases, classes);
        Self {
            subject,
            mean_dice: summary.mean(Metric::Dice).unwrap_or(0.0),
            nsd_mm,
            summary,
            cases,
        }
    }

    /// The report in this folder; `None` if there is none.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or was written by a version with fewer metrics.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("summary.json");
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Error::file(&path, "read", e))?;
        let report = serde_json::from_str(&text);
        report.map(Some).map_err(|e| Error::RunDirectory {
            path,
            problem: format!(
                "is damaged or of another version of the runner ({e}); delete it, and the same command \
                 evaluates again without training"
            ),
        })
    }

    /// Writes `summary.json` and `summary.csv` into a folder. Equal reports give equal bytes.
    ///
    /// # Errors
    /// A full disk or a folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join("summary.json");
        let json = serde_json::to_string_pretty(self)
            .map_err(|e| Error::file(&path, "write", e.into()))?;
        write_file(&path, (json + "\n").as_bytes())?;
        write_file(&folder.join("summary.csv"), self.csv().as_bytes())
    }

    /// Scores of each case as means over its classes.
    fn case_table(&self) -> Table {
        let nsd = self.nsd_name();
        let mut table = Table::new(&[
            "case",
            "Dice",
            "IoU",
            "HD95 mm",
            "ASSD mm",
            &nsd,
            "undefined",
        ]);
        for case in &self.cases {
            let value = |metric, decimals: usize| {
                let mean = case.mean(metric);
                mean.map_or("–".into(), |mean| format!("{mean:.decimals$}"))
            };
            table.row([
                case.case.clone(),
                value(Metric::Dice, 4),
                value(Metric::Iou, 3),
                value(Metric::Hd95Mm, 2),
                value(Metric::AssdMm, 2),
                value(Metric::Nsd, 3),
                share(case.undefined(), case.classes.len()),
            ]);
        }
        table
    }

    /// Scores of each class over the cases, and the mean over classes.
    fn class_table(&self) -> Table {
        let nsd = self.nsd_name();
        let mut table = Table::new(&[
            "class",
            "Dice",
            "95 % CI",
            "IoU",
            "HD95 mm",
            "ASSD mm",
            &nsd,
            "undefined",
        ]);
        let row = |name: &str, spreads: &Spreads, (undefined, cases)| {
            let of = |metric| spreads.get(&metric).cloned().unwrap_or_default();
            [
                name.to_string(),
                of(Metric::Dice).text(4),
                of(Metric::Dice).interval(4),
                of(Metric::Iou).text(3),
                of(Metric::Hd95Mm).text(2),
                of(Metric::AssdMm).text(2),
                of(Metric::Nsd).text(3),
                share(undefined, cases),
            ]
        };
        let classes = &self.summary.classes;
        let cases = self.cases.len();
        for class in classes {
            table.row(row(&class.name, &class.metrics, (class.undefined(), cases)));
        }
        table.rule();
        let undefined = classes.iter().map(|class| class.undefined()).sum();
        let all = (undefined, cases * classes.len());
        table.row(row("mean", &self.summary.overall, all));
        table
    }

    /// The same in voxels and in the conventions of published code.
    fn convention_table(&self) -> Table {
        let mut table = Table::new(&[
            "in voxels",
            "HD95",
            "ASSD",
            "SAMed Dice",
            "SAMed HD95",
            "UA-MT IoU",
            "UA-MT ASD",
        ]);
        let row = |name: &str, spreads: &Spreads| {
            let text = |metric, decimals| {
                let spread = spreads.get(&metric).cloned().unwrap_or_default();
                spread.text(decimals)
            };
            [
                name.to_string(),
                text(Metric::Hd95Voxels, 2),
                text(Metric::AssdVoxels, 2),
                text(Metric::SamedDice, 4),
                text(Metric::SamedHd95Voxels, 2),
                text(Metric::UamtIou, 4),
                text(Metric::UamtAsdVoxels, 2),
            ]
        };
        for class in &self.summary.classes {
            table.row(row(&class.name, &class.metrics));
        }
        table.rule();
        table.row(row("mean", &self.summary.overall));
        table
    }

    fn nsd_name(&self) -> String {
        format!("NSD {} mm", self.nsd_mm)
    }

    /// One line for each class and cause that lists the cases with undefined distances.
    fn notes(&self) -> String {
        let causes = [
            (Empty::Prediction, "not predicted"),
            (Empty::Truth, "predicted without truth"),
            (Empty::Both, "in neither, Dice and IoU 1"),
        ];
        let mut notes = String::new();
        for (index, class) in self.summary.classes.iter().enumerate() {
            for (empty, cause) in causes {
                let is_so = |case: &&CaseScores| {
                    case.classes.get(index).and_then(|s| s.empty()) == Some(empty)
                };
                let cases = self
                    .cases
                    .iter()
                    .filter(is_so)
                    .map(|case| case.case.as_str());
                let cases: Vec<&str> = cases.collect();
                if !cases.is_empty() {
                    let line = format!("{} ({cause}): {}", class.name, cases.join(", "));
                    notes += &wrapped(&line);
                }
            }
        }
        match notes.is_empty() {
            true => notes,
            false => format!("\nNo surface distances, left out of their means:\n{notes}"),
        }
    }

    /// A row for each case and class, then rows of each class's and the overall mean, deviation and
    /// confidence interval.
    fn csv(&self) -> String {
        let keys = Metric::ALL.map(Metric::key).join(",");
        let mut text = format!("row,case,class,{keys},truth_voxels,predicted_voxels\n");
        let field = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        for case in &self.cases {
            for (score, class) in case.classes.iter().zip(&self.summary.classes) {
                let values = Metric::ALL.map(|metric| field(metric.of(score))).join(",");
                let (case, class) = (quoted(&case.case), quoted(&class.name));
                let voxels = (score.truth_voxels, score.predicted_voxels);
                text += &format!("case,{case},{class},{values},{},{}\n", voxels.0, voxels.1);
            }
        }
        let classes = self.summary.classes.iter();
        let classes = classes.map(|class| (quoted(&class.name), &class.metrics));
        for (class, metrics) in classes.chain([(String::new(), &self.summary.overall)]) {
            let rows: [(&str, Part); 5] = [
                ("mean", |spread| spread.mean),
                ("sd", |spread| spread.sd),
                ("ci95_low", |spread| Some(spread.ci95?[0])),
                ("ci95_high", |spread| Some(spread.ci95?[1])),
                ("cases", |spread| Some(spread.cases as f64)),
            ];
            for (row, of) in rows {
                let value = |metric| field(metrics.get(&metric).and_then(of));
                let values = Metric::ALL.map(value).join(",");
                text += &format!("{row},,{class},{values},,\n");
            }
        }
        text
    }
}

/// A number of a spread.
type Part = fn(&Spread) -> Option<f64>;

/// The tables: per case, per class, in voxels and published conventions, and what is undefined.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, classes) = (self.case_table(), self.class_table());
        let conventions = self.convention_table();
        write!(f, "{cases}\n{classes}\n{conventions}{}", self.notes())
    }
}

/// `part/whole`, or nothing for none.
fn share(part: usize, whole: usize) -> String {
    match part {
        0 => String::new(),
        _ => format!("{part}/{whole}"),
    }
}

/// The words of `text` on lines of bounded width, indented.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from(" ");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.trim() != "" {
            lines += &(line + "\n");
            line = String::from("   ");
        }
        line += &format!(" {word}");
    }
    lines + &line + "\n"
}

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
