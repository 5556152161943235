//! What looks wrong with the cases of a data set together.

use std::collections::BTreeMap;

use super::facts::{CT_OFFSET, Shares};
use super::{CaseRole, CaseSurvey};
use crate::data::dataset::{Dataset, Part};
use crate::data::source::Intensity;

/// Names of cases that a message lists.
const LISTED: usize = 5;
/// Least share of the voxels that a fitting window holds, and of the window that the values cover.
const FITS: f64 = 0.05;
/// Most values of a label map.
const LABELS: usize = 32;

/// The same image under two names: between training and test a problem, since the test then measures
/// memory; elsewhere a warning.
pub(super) fn find_copies(cases: &mut [CaseSurvey], warnings: &mut Vec<String>) {
    let mut first = BTreeMap::new();
    for index in 0..cases.len() {
        let Some(content) = cases[index].facts.content else {
            continue;
        };
        let earlier = *first.entry(content).or_insert(index);
        if earlier == index {
            continue;
        }
        let (one, two) = (&cases[earlier], &cases[index]);
        let same = format!(
            "{} case {} and {} case {} hold the same image",
            one.role, one.name, two.role, two.name
        );
        let leaks = (one.role.trains() && two.role == CaseRole::Test)
            || (one.role == CaseRole::Test && two.role.trains());
        match leaks {
            true => cases[index]
                .problems
                .push(format!("{same}: the test would measure memory; remove one")),
            false => warnings.push(format!("{same}; is one of them meant to be another?")),
        }
    }
}

/// Warns of spacings far from those of the other cases: often a wrong header, or a scan of another kind.
pub(super) fn find_odd_spacings(cases: &[CaseSurvey], warnings: &mut Vec<String>) {
    const FAR: f64 = 3.0;
    let usable = || cases.iter().filter(|c| c.facts.content.is_some());
    let has_axis = |case: &CaseSurvey, axis: usize| case.facts.shape[axis] > 1;
    let usual = [0, 1, 2].map(|axis| {
        let several = usable().filter(|c| has_axis(c, axis));
        let mut all: Vec<f64> = several.map(|c| c.facts.spacing_mm[axis]).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(1.0)
    });
    for case in usable() {
        let ratio = |axis: usize| case.facts.spacing_mm[axis] / usual[axis];
        let is_odd = |axis: usize| !(1.0 / FAR..=FAR).contains(&ratio(axis));
        if (0..3).any(|axis| has_axis(case, axis) && is_odd(axis)) {
            let text = |mm: [f64; 3]| mm.map(|mm| format!("{mm:.2}")).join("×");
            warnings.push(format!(
                "case {}: a spacing of {} mm, where {} is usual; check the header",
                case.name,
                text(case.facts.spacing_mm),
                text(usual)
            ));
        }
    }
}

/// Warns of classes that no label shows, or only labels that training does not use.
pub(super) fn find_missing_classes(
    data: &Dataset,
    cases: &[CaseSurvey],
    warnings: &mut Vec<String>,
) {
    let labelled = data.slices(Part::Labelled);
    if !cases.iter().any(|c| !c.facts.class_voxels.is_empty()) {
        return;
    }
    for (index, name) in data.classes().iter().enumerate() {
        let class = index + 1;
        let shows = |c: &&CaseSurvey| c.facts.class_voxels.get(class) > Some(&0);
        if !cases.iter().any(|c| shows(&c)) {
            warnings.push(format!("class {class} ({name}) is in no label"));
            continue;
        }
        let trained = labelled.iter().any(|slice| {
            let slices = cases[slice.case].facts.class_slices.get(class);
            slices.is_some_and(|slices| slices.binary_search(&slice.index).is_ok())
        });
        if trained || labelled.is_empty() {
            continue;
        }
        let tested = |c: &CaseSurvey| c.role == CaseRole::Test && shows(&c);
        let why = match cases.iter().any(tested) {
            true => "it cannot be learnt, and its Dice of 0 pulls the mean of the test down",
            false => "it cannot be learnt",
        };
        warnings.push(format!(
            "class {class} ({name}) is in no training label: {why}"
        ));
    }
}

/// Warns of a window that leaves hardly anything of the images.
pub(super) fn find_misfits(intensity: Intensity, cases: &[CaseSurvey], warnings: &mut Vec<String>) {
    let Intensity::Window { low, high } = intensity else {
        return;
    };
    // Where all lies outside, the case has a problem already.
    let usable = cases.iter().filter(|c| c.problems.is_empty());
    let windows = usable.filter_map(|c| Some((c, c.facts.window?)));
    let (outside, inside): (Vec<_>, Vec<_>) = windows.partition(|(_, w)| w.inside < FITS);
    let narrow = inside.into_iter().filter(|(_, w)| w.covered < FITS);
    let narrow: Vec<&str> = narrow.map(|(c, _)| c.name.as_str()).collect();
    if !narrow.is_empty() {
        warnings.push(format!(
            "{}: all values lie in less than {:.0} % of the window {low}…{high}, so that the images are \
             nearly flat; are they scaled already, as to 0…1?",
            count_and_name(&narrow),
            100.0 * FITS
        ));
    }
    type Holds = fn(&Shares) -> bool;
    let causes: [(Holds, String); 3] = [
        (
            |w| w.inside_without_offset > (4.0 * w.inside).max(FITS),
            format!(
                "the others lie above it; the values seem to be Hounsfield units + {CT_OFFSET}, as files \
                 without a rescale intercept hold: move the window by {CT_OFFSET}, or mend the files"
            ),
        ),
        (
            |w| w.above > w.below,
            "most others lie above it; is the window, or the files' slope and intercept, wrong?"
                .into(),
        ),
        (
            |_| true,
            "most others lie below it; is the window, or the files' slope and intercept, wrong?"
                .into(),
        ),
    ];
    let mut rest = outside;
    for (holds, cause) in causes {
        let (these, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(_, w)| holds(w));
        rest = others;
        let most = these.iter().map(|(_, w)| w.inside).fold(0.0, f64::max);
        let names: Vec<&str> = these.iter().map(|(c, _)| c.name.as_str()).collect();
        if !names.is_empty() {
            warnings.push(format!(
                "{}: at most {:.1} % of the voxels lie in the window {low}…{high}, {cause}",
                count_and_name(&names),
                100.0 * most
            ));
        }
    }
}

/// Warns of unlabelled images that look like label maps.
pub(super) fn find_label_maps(cases: &[CaseSurvey], warnings: &mut Vec<String>) {
    let unlabelled = || cases.iter().filter(|c| c.role == CaseRole::Unlabelled);
    let few = |c: &&CaseSurvey| c.facts.small_numbers.is_some_and(|values| values <= LABELS);
    let names: Vec<&str> = unlabelled().filter(few).map(|c| c.name.as_str()).collect();
    if !names.is_empty() {
        warnings.push(format!(
            "{} of {} unlabelled images hold a few small whole numbers and nothing else, as label maps do: \
             {}; if they are, `exclude` leaves them out",
            names.len(),
            unlabelled().count(),
            listed(&names)
        ));
    }
}

/// Such as `3 cases (a, b, c)`.
fn count_and_name(names: &[&str]) -> String {
    match names {
        [one] => format!("case {one}"),
        names => format!("{} cases ({})", names.len(), listed(names)),
    }
}

fn listed(names: &[&str]) -> String {
    let first = names.iter().take(LISTED).copied().collect::<Vec<_>>();
    match names.len() > LISTED {
        true => format!("{}, …", first.join(", ")),
        false => first.join(", "),
    }
}
