//! What a reader of the means alone would miss.

use crate::metrics::summary::Summary;
use crate::metrics::volume::CaseScores;

/// Most names in a warning.
const NAMED: usize = 6;

/// Classes that are predicted in no case, or in none to be found, and cases in which nothing is predicted.
pub(super) fn warnings(cases: &[CaseScores], summary: &Summary) -> Vec<String> {
    let all = cases.len();
    let is_blank =
        |case: &&CaseScores| case.classes.iter().all(|score| score.predicted_voxels == 0);
    let blank: Vec<&str> = cases
        .iter()
        .filter(is_blank)
        .map(|case| case.case.as_str())
        .collect();
    if all > 0 && blank.len() == all {
        return vec![format!(
            "nothing was predicted in any of {all} cases: all is background"
        )];
    }
    let mut found = Vec::new();
    for class in &summary.classes {
        let (name, missed) = (&class.name, class.prediction_empty);
        if class.both_empty == all {
            found.push(format!(
                "no case has {name}, and none was predicted: its Dice of 1 says nothing"
            ));
        } else if missed + class.both_empty == all {
            found.push(format!(
                "{name} was never predicted, though {missed} of {all} cases have it"
            ));
        }
    }
    if !blank.is_empty() {
        let more = match blank.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = blank[..blank.len().min(NAMED)].join(", ");
        found.push(format!(
            "nothing was predicted in {names}{more}: all is background"
        ));
    }
    found
}
