//! The series that lie in one folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::slice::Slice;
use crate::data::error::{DataError, Result};

/// Most series that a message lists.
const LISTED: usize = 20;

/// The slices of the only series, or of the one whose UID or number is `choice`; at least one.
pub(super) fn choose(path: &Path, slices: Vec<Slice>, choice: Option<&str>) -> Result<Vec<Slice>> {
    let mut by_uid: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
    for slice in slices {
        by_uid
            .entry(slice.series.uid.clone())
            .or_default()
            .push(slice);
    }
    let all: Vec<Vec<Slice>> = by_uid.into_values().collect();
    if all.is_empty() {
        let problem = "holds no DICOM image with a place in the patient (ImagePositionPatient)";
        return Err(DataError::content(path, problem));
    }
    let list = list(&all);
    let count = all.len();
    let mut chosen: Vec<Vec<Slice>> = match choice {
        None => all,
        Some(choice) => all
            .into_iter()
            .filter(|slices| is_chosen(slices, choice))
            .collect(),
    };
    let problem = match (chosen.pop(), chosen.len(), choice) {
        (Some(only), 0, _) => return Ok(only),
        (_, _, None) => format!(
            "holds {count} series; choose one by its number or UID (--series), or put each into a folder of its own"
        ),
        (None, _, Some(choice)) => format!("holds no series with the number or UID `{choice}`"),
        (Some(_), _, Some(choice)) => {
            format!("holds several series with the number {choice}; choose one by its UID")
        }
    };
    Err(DataError::content(path, format!("{problem}:{list}")))
}

fn is_chosen(slices: &[Slice], choice: &str) -> bool {
    let series = &slices[0].series;
    let number = choice.parse::<i64>().ok();
    series.uid == choice || (number.is_some() && series.number == number)
}

/// A line for each series.
fn list(all: &[Vec<Slice>]) -> String {
    let lines = all.iter().take(LISTED).map(|slices| {
        let series = &slices[0].series;
        let number = match series.number {
            Some(number) => format!("number {number}"),
            None => "without a number".into(),
        };
        format!(
            "\n  {number}, `{}`, {} slices, UID {}",
            series.description,
            slices.len(),
            series.uid
        )
    });
    let more = match all.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    lines.chain([more]).collect()
}
