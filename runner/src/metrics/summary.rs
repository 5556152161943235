//! Means of the scores over cases, per class and over all classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::statistics::{Bootstrap, Spread, mean};
use super::volume::{CaseScores, ClassScore, Empty};

/// Every metric over the cases where it is defined.
pub type Spreads = BTreeMap<Metric, Spread>;

/// Means of one class over cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSummary {
    /// Name of the class.
    pub name: String,
    /// Cases where only the truth has the class.
    pub prediction_empty: usize,
    /// Cases where only the prediction has the class.
    pub truth_empty: usize,
    /// Cases where neither has the class (Dice and IoU 1).
    pub both_empty: usize,
    /// Every metric over the cases where it is defined.
    pub metrics: Spreads,
}

/// Means over cases, then over classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// One entry for each foreground class.
    pub classes: Vec<ClassSummary>,
    /// Mean of the classes' means, where defined; deviation of the cases' means over their classes.
    pub overall: Spreads,
}

impl Summary {
    /// Averages the scores of all cases; `names` are the foreground classes.
    pub fn of(cases: &[CaseScores], names: &[String]) -> Self {
        let bootstrap = Bootstrap::of(cases.len());
        let scores = |class: usize| cases.iter().filter_map(move |c| c.classes.get(class));
        let values = |metric: Metric, class: usize| -> Vec<Option<f64>> {
            let of_case = |case: &CaseScores| metric.of(case.classes.get(class)?);
            cases.iter().map(of_case).collect()
        };
        let of_metrics = |classes: std::ops::Range<usize>| {
            let spread = |metric| {
                let values: Vec<_> = classes.clone().map(|c| values(metric, c)).collect();
                (metric, bootstrap.spread(&values))
            };
            Metric::ALL.into_iter().map(spread).collect()
        };
        let of_class = |(class, name): (usize, &String)| {
            let empty = |what: Empty| scores(class).filter(|s| s.empty() == Some(what)).count();
            ClassSummary {
                name: name.clone(),
                prediction_empty: empty(Empty::Prediction),
                truth_empty: empty(Empty::Truth),
                both_empty: empty(Empty::Both),
                metrics: of_metrics(class..class + 1),
            }
        };
        Self {
            classes: names.iter().enumerate().map(of_class).collect(),
            overall: of_metrics(0..names.len()),
        }
    }

    /// Mean of a metric over the classes' means; `None` where it is defined nowhere.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        self.overall.get(&metric).and_then(|spread| spread.mean)
    }
}

impl ClassSummary {
    /// Cases whose surface distances are undefined.
    pub fn undefined(&self) -> usize {
        self.prediction_empty + self.truth_empty + self.both_empty
    }
}

impl CaseScores {
    /// Mean of a metric over the classes where it is defined.
    pub fn mean(&self, metric: Metric) -> Option<f64> {
        mean(self.classes.iter().filter_map(|score| metric.of(score)))
    }

    /// Classes whose surface distances are undefined.
    pub fn undefined(&self) -> usize {
        let empty = |score: &&ClassScore| score.empty().is_some();
        self.classes.iter().filter(empty).count()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::volume::{Grid, Volume};
    use crate::metrics::volume::score_case;
    use std::path::PathBuf;

    #[test]
    fn means_leave_undefined_distances_out_and_count_them() {
        let volume = |voxels: [u8; 4]| {
            let grid = Grid::axis_aligned([4, 1, 1], [2.0; 3]);
            Volume::new(grid, voxels.to_vec(), PathBuf::new()).unwrap()
        };
        let case = |prediction, truth| {
            score_case("a", &volume(prediction), &volume(truth), 2, 1.0).unwrap()
        };
        let cases = [
            case([1, 1, 0, 0], [1, 0, 0, 0]),
            case([0, 0, 0, 0], [1, 0, 0, 0]),
            case([1, 0, 0, 2], [1, 0, 0, 0]),
        ];
        let summary = Summary::of(&cases, &["a".into(), "b".into()]);
        let counts = |c: &ClassSummary| (c.prediction_empty, c.truth_empty, c.both_empty);
        assert_eq!(counts(&summary.classes[0]), (1, 0, 0));
        assert_eq!(counts(&summary.classes[1]), (0, 1, 2));
        let hd95 = &summary.classes[0].metrics[&Metric::Hd95Mm];
        assert_eq!(hd95.cases, 2);
        assert!((hd95.mean.unwrap() - 0.9).abs() < 1e-12);
        assert_eq!(
            summary.classes[1].metrics[&Metric::Hd95Mm],
            Spread::default()
        );
        assert_eq!(summary.mean(Metric::Hd95Mm), hd95.mean);
        let dice = (2.0 / 3.0 + 1.0) / 3.0;
        let both = (dice + 2.0 / 3.0) / 2.0;
        assert!((summary.mean(Metric::Dice).unwrap() - both).abs() < 1e-12);
        assert!(summary.overall[&Metric::Dice].ci95.is_some());
        assert_eq!(
            (cases[1].mean(Metric::Dice), cases[1].undefined()),
            (Some(0.5), 2)
        );
    }
}
