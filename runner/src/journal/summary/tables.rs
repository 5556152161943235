//! The tables that a report is printed as.

use std::fmt;

use super::Report;
use crate::journal::table::Table;
use crate::metrics::metric::Metric;
use crate::metrics::summary::Spreads;
use crate::metrics::volume::{CaseScores, Empty};

/// Columns of the notes under the tables.
pub(super) const WIDTH: usize = 110;

/// The tables: per case, per class, in voxels and published conventions, what is undefined, and warnings.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, classes) = (self.case_table(), self.class_table());
        let conventions = self.convention_table();
        write!(f, "{cases}\n{classes}\n{conventions}{}", self.notes())?;
        let mut warnings = self.warnings.iter();
        warnings.try_for_each(|warning| write!(f, "\nwarning: {warning}\n"))
    }
}

impl Report {
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
}

/// `part/whole`, or nothing for none.
fn share(part: usize, whole: usize) -> String {
    match part {
        0 => String::new(),
        _ => format!("{part}/{whole}"),
    }
}

/// The words of `text` on lines of bounded width, indented.
pub(super) fn wrapped(text: &str) -> String {
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
