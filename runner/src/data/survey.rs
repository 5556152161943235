//! What a dataset holds, read in full before any training: shapes, spacings, intensities, label
//! values, and everything that looks wrong.

use super::dataset::Dataset;
use super::error::Result;
use super::source::Intensity;
use super::volume::Volume;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;

/// One case as found on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSurvey {
    /// Name of the case.
    pub name: String,
    /// Training with labels, training without, test, or unused.
    pub role: &'static str,
    /// Voxels right, anterior and superior.
    pub shape: [usize; 3],
    /// Millimetres right, anterior and superior.
    pub spacing_mm: [f64; 3],
    /// Orientation of the file, such as `LPS`.
    pub orientation: String,
    /// Least and greatest stored intensity.
    pub intensity: (f32, f32),
    /// Voxels of each class 0, 1, …; empty without a label.
    pub class_voxels: Vec<usize>,
    /// SHA-256 over shape and intensities; `None` if the image is unusable.
    pub fingerprint: Option<[u8; 32]>,
    /// What makes the case unusable or looks wrong.
    pub problems: Vec<String>,
}

/// A dataset as found on disk. Displays as a table followed by the warnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// Names of the foreground classes.
    pub classes: Vec<String>,
    /// All cases by name.
    pub cases: Vec<CaseSurvey>,
    /// What looks wrong with the dataset as a whole.
    pub warnings: Vec<String>,
}

impl Survey {
    /// Whether some case cannot be used.
    pub fn has_problems(&self) -> bool {
        self.cases.iter().any(|c| !c.problems.is_empty())
    }
}

/// Reads every image and label of `dataset`.
pub fn survey(dataset: &Dataset) -> Survey {
    let mut cases: Vec<CaseSurvey> = (0..dataset.cases().len())
        .into_par_iter()
        .map(|case| survey_case(dataset, case))
        .collect();
    let mut warnings = dataset.warnings().to_vec();
    find_copies(&mut cases, &mut warnings);
    find_odd_spacings(&cases, &mut warnings);
    let missing = &dataset.division().missing;
    if let Some(first) = missing.first() {
        warnings.push(format!(
            "{} entries of the published lists are not on disk, such as {first}",
            missing.len()
        ));
    }
    let unused = cases.iter().filter(|c| c.role == "unused").count();
    if unused > 0 {
        warnings.push(format!("{unused} cases are in neither training nor test"));
    }
    for (class, name) in dataset.classes().iter().enumerate() {
        let labelled = cases.iter().filter(|c| !c.class_voxels.is_empty());
        let present = labelled
            .clone()
            .filter(|c| c.class_voxels.get(class + 1) > Some(&0));
        if labelled.count() > 0 && present.count() == 0 {
            warnings.push(format!("class {} ({name}) is in no label", class + 1));
        }
    }
    Survey {
        classes: dataset.classes().to_vec(),
        cases,
        warnings,
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .cases
            .iter()
            .map(|c| c.name.len())
            .max()
            .unwrap_or(4)
            .max(4);
        writeln!(
            f,
            "{:width$}  {:10}  {:>15}  {:>18}  {:4}  {:>17}  classes",
            "case", "role", "shape", "spacing mm", "axes", "intensity"
        )?;
        for case in &self.cases {
            let [x, y, z] = case.shape;
            let [sx, sy, sz] = case.spacing_mm;
            let present: Vec<String> = (case.class_voxels.iter().enumerate().skip(1))
                .filter(|(_, voxels)| **voxels > 0)
                .map(|(class, _)| class.to_string())
                .collect();
            writeln!(
                f,
                "{:width$}  {:10}  {:>15}  {:>18}  {:4}  {:>17}  {}",
                case.name,
                case.role,
                format!("{x}×{y}×{z}"),
                format!("{sx:.2}×{sy:.2}×{sz:.2}"),
                case.orientation,
                format!("{:.1}…{:.1}", case.intensity.0, case.intensity.1),
                present.join(" "),
            )?;
        }
        for case in &self.cases {
            for problem in &case.problems {
                writeln!(f, "problem: case {}: {problem}", case.name)?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

fn survey_case(dataset: &Dataset, case: usize) -> CaseSurvey {
    let mut survey = CaseSurvey {
        name: dataset.cases()[case].name.clone(),
        role: role(dataset, case),
        shape: [0; 3],
        spacing_mm: [0.0; 3],
        orientation: String::new(),
        intensity: (0.0, 0.0),
        class_voxels: Vec::new(),
        fingerprint: None,
        problems: Vec::new(),
    };
    match stored_image(dataset, case) {
        Ok(image) => describe_image(dataset, &image, &mut survey),
        Err(error) => survey.problems.push(error.to_string()),
    }
    if dataset.cases()[case].label.is_some() {
        match dataset.label(case) {
            Ok(label) => {
                survey.class_voxels = vec![0; dataset.classes().len() + 1];
                for class in &label.voxels {
                    survey.class_voxels[usize::from(*class)] += 1;
                }
                check_geometry(dataset, case, &label, &mut survey.problems);
            }
            Err(error) => survey.problems.push(error.to_string()),
        }
    }
    survey
}

fn role(dataset: &Dataset, case: usize) -> &'static str {
    let division = dataset.division();
    if division.test.contains(&case) {
        "test"
    } else if !division.train.contains(&case) {
        "unused"
    } else if dataset.is_labelled(case) {
        "labelled"
    } else {
        "unlabelled"
    }
}

fn stored_image(dataset: &Dataset, case: usize) -> Result<Volume<f32>> {
    dataset.cases()[case].image.read_image(dataset.arrays())
}

fn describe_image(dataset: &Dataset, image: &Volume<f32>, survey: &mut CaseSurvey) {
    survey.shape = image.grid.shape;
    survey.spacing_mm = image.grid.spacing_mm;
    survey.orientation = image.grid.orientation.codes();
    let low = image.voxels.iter().copied().fold(f32::INFINITY, f32::min);
    let high = image
        .voxels
        .iter()
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    survey.intensity = (low, high);
    let shape = image.grid.shape.map(|n| n as u64);
    let hash = Sha256::new_with_prefix(bytemuck::bytes_of(&shape));
    let hash = hash.chain_update(bytemuck::cast_slice(&image.voxels));
    survey.fingerprint = Some(hash.finalize().into());
    let problems = &mut survey.problems;
    if low >= high {
        problems.push(format!("every voxel is {low}"));
    }
    if let Intensity::Window {
        low: from,
        high: to,
    } = dataset.intensity()
        && (high <= from || low >= to)
    {
        problems.push(format!(
            "intensities {low}…{high} lie outside the window {from}…{to}"
        ));
    }
    let spacing = image.grid.spacing_mm;
    if spacing.iter().any(|s| !(0.05..=20.0).contains(s)) {
        problems.push(format!(
            "a spacing of {spacing:?} mm is implausible; check the header"
        ));
    }
}

/// The same image under two names: between training and test a problem, since the test then measures
/// memory; elsewhere a warning.
fn find_copies(cases: &mut [CaseSurvey], warnings: &mut Vec<String>) {
    let mut first = BTreeMap::new();
    for index in 0..cases.len() {
        let Some(fingerprint) = cases[index].fingerprint else {
            continue;
        };
        let earlier = *first.entry(fingerprint).or_insert(index);
        if earlier == index {
            continue;
        }
        let (one, two) = (&cases[earlier], &cases[index]);
        let same = format!(
            "{} case {} and {} case {} hold the same image",
            one.role, one.name, two.role, two.name
        );
        let trains = |role| matches!(role, "labelled" | "unlabelled");
        let leaks =
            (trains(one.role) && two.role == "test") || (one.role == "test" && trains(two.role));
        match leaks {
            true => cases[index]
                .problems
                .push(format!("{same}: the test would measure memory; remove one")),
            false => warnings.push(format!("{same}; is one of them meant to be another?")),
        }
    }
}

/// Warns of spacings far from those of the other cases: often a wrong header, or a scan of another kind.
fn find_odd_spacings(cases: &[CaseSurvey], warnings: &mut Vec<String>) {
    const FAR: f64 = 3.0;
    let usable = || cases.iter().filter(|c| c.fingerprint.is_some());
    let usual = [0, 1, 2].map(|axis| {
        let mut all: Vec<f64> = usable().map(|c| c.spacing_mm[axis]).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(1.0)
    });
    for case in usable() {
        let ratio = |axis: usize| case.spacing_mm[axis] / usual[axis];
        if (0..3).any(|axis| !(1.0 / FAR..=FAR).contains(&ratio(axis))) {
            let text = |mm: [f64; 3]| mm.map(|mm| format!("{mm:.2}")).join("×");
            warnings.push(format!(
                "case {}: a spacing of {} mm, where {} is usual; check the header",
                case.name,
                text(case.spacing_mm),
                text(usual)
            ));
        }
    }
}

/// Warns when image and label place the same voxel more than a voxel apart.
fn check_geometry(dataset: &Dataset, case: usize, label: &Volume<u8>, problems: &mut Vec<String>) {
    let Some(image) = dataset.grid(case) else {
        return;
    };
    let corner = |affine: &[[f64; 4]; 4], last: bool| {
        let at = image.shape.map(|n| if last { n as f64 - 1.0 } else { 0.0 });
        [0, 1, 2].map(|r| affine[r][3] + (0..3).map(|c| affine[r][c] * at[c]).sum::<f64>())
    };
    let apart = [false, true]
        .map(|last| {
            let (a, b) = (
                corner(&image.affine, last),
                corner(&label.grid.affine, last),
            );
            (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
        })
        .into_iter()
        .fold(0.0, f64::max);
    if apart > image.spacing_mm.iter().copied().fold(0.0, f64::max) {
        problems.push(format!(
            "image and label affines place the same voxel {apart:.1} mm apart"
        ));
    }
}
