//! A report as comma-separated values.

use super::Report;
use crate::metrics::metric::Metric;
use crate::metrics::statistics::Spread;

impl Report {
    /// A row for each case and class, then rows of each class's and the overall mean, deviation and
    /// confidence interval.
    pub(super) fn csv(&self) -> String {
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

/// A CSV field (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}
