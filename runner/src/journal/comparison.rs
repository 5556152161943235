//! The table that compares pipelines over seeds.

use std::fmt;

use super::summary::Report;
use super::table::Table;
use crate::metrics::metric::Metric;
use crate::metrics::statistics::{mean, sample_deviation};

const MIB: f64 = 1024.0 * 1024.0;

/// What a step of fine-tuning costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepCost {
    /// Its time, if the run logged any.
    pub seconds: Option<f64>,
    /// What it keeps on the device.
    pub bytes: u64,
}

/// Results of several pipelines, each with several seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    arms: Vec<Arm>,
}

#[derive(Clone, Debug, PartialEq)]
struct Arm {
    name: String,
    runs: usize,
    dice: Vec<f64>,
    hd95_mm: Vec<f64>,
    /// Milliseconds that a step of fine-tuning took.
    step_ms: Vec<f64>,
    /// Bytes on the device in such a step.
    step_bytes: u64,
    /// What is to be said of its runs.
    warnings: Vec<String>,
}

impl Comparison {
    /// No results yet of pipelines with these names.
    pub fn new(names: impl Iterator<Item = String>) -> Self {
        let arm = |name| Arm {
            name,
            runs: 0,
            dice: Vec::new(),
            hd95_mm: Vec::new(),
            step_ms: Vec::new(),
            step_bytes: 0,
            warnings: Vec::new(),
        };
        Self {
            arms: names.map(arm).collect(),
        }
    }

    /// Adds one run of pipeline `index`, and what fine-tuning cost there.
    pub fn add(&mut self, index: usize, report: &Report, cost: StepCost) {
        if let Some(arm) = self.arms.get_mut(index) {
            arm.runs += 1;
            arm.step_ms
                .extend(cost.seconds.map(|seconds| 1e3 * seconds));
            arm.step_bytes = cost.bytes;
            arm.dice.push(report.mean_dice);
            arm.hd95_mm.extend(report.summary.mean(Metric::Hd95Mm));
            let (name, run) = (&arm.name, arm.runs);
            let warnings = report.warnings.iter();
            let warnings = warnings.map(|warning| format!("{name}, run {run}: {warning}"));
            arm.warnings.extend(warnings);
        }
    }
}

/// One row for each pipeline: number of runs, mean ± sample standard deviation over the runs of mean
/// Dice, and of mean HD95 in millimetres, with the number of runs that have one if not all do; time and memory of a
/// step of fine-tuning. Warnings of the runs follow.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["pipeline", "runs", "Dice", "HD95 mm", "ms/step", "MiB"]);
        for arm in &self.arms {
            table.row([
                arm.name.clone(),
                arm.runs.to_string(),
                spread(&arm.dice, 4),
                arm.hd95(),
                spread(&arm.step_ms, 0),
                format!("{:.0}", arm.step_bytes as f64 / MIB),
            ]);
        }
        table.fmt(f)?;
        let mut warnings = self.arms.iter().flat_map(|arm| &arm.warnings);
        warnings.try_for_each(|warning| write!(f, "\nwarning: {warning}\n"))
    }
}

impl Arm {
    fn hd95(&self) -> String {
        let all = spread(&self.hd95_mm, 2);
        match self.hd95_mm.len() {
            some if some < self.runs => format!("{all} (runs: {some})"),
            _ => all,
        }
    }
}

/// `mean ± deviation`; a single value has no deviation.
fn spread(values: &[f64], digits: usize) -> String {
    let mean = mean(values.iter().copied()).map(|mean| format!("{mean:.digits$}"));
    match (mean, sample_deviation(values)) {
        (None, _) => "–".into(),
        (Some(mean), None) => mean,
        (Some(mean), Some(deviation)) => format!("{mean} ± {deviation:.digits$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_is_the_sample_deviation() {
        assert_eq!(spread(&[], 2), "–");
        assert_eq!(spread(&[0.5], 2), "0.50");
        assert_eq!(spread(&[1.0, 2.0, 3.0], 2), "2.00 ± 1.00");
    }

    #[test]
    fn runs_without_hd95_are_not_hidden() {
        let mut arm = Arm {
            name: "arm".into(),
            runs: 2,
            dice: vec![0.5, 0.0],
            hd95_mm: vec![3.0],
            step_ms: Vec::new(),
            step_bytes: 0,
            warnings: Vec::new(),
        };
        assert_eq!(arm.hd95(), "3.00 (runs: 1)");
        arm.hd95_mm.push(5.0);
        assert_eq!(arm.hd95(), "4.00 ± 1.41");
    }
}
