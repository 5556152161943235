//! What a dataset holds, read in full before any training: shapes, spacings, intensities, label
//! values, and everything that looks wrong.

mod facts;
mod whole;

use std::fmt;

use rayon::prelude::*;

use super::dataset::Dataset;
use super::memory;

pub use facts::{Facts, Shares};

/// What a case is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseRole {
    /// Training, with labels.
    Labelled,
    /// Training, without labels.
    Unlabelled,
    /// Test.
    Test,
    /// Neither.
    Unused,
}

impl CaseRole {
    /// What case number `case` is used for.
    pub fn of(data: &Dataset, case: usize) -> Self {
        let division = data.division();
        if division.test.contains(&case) {
            Self::Test
        } else if !division.train.contains(&case) {
            Self::Unused
        } else if data.is_labelled(case) {
            Self::Labelled
        } else {
            Self::Unlabelled
        }
    }

    /// Whether training sees its image.
    pub fn trains(self) -> bool {
        matches!(self, Self::Labelled | Self::Unlabelled)
    }
}

impl fmt::Display for CaseRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Labelled => "labelled",
            Self::Unlabelled => "unlabelled",
            Self::Test => "test",
            Self::Unused => "unused",
        })
    }
}

/// One case as found on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSurvey {
    /// Name of the case.
    pub name: String,
    /// What it is used for.
    pub role: CaseRole,
    /// What its files hold.
    pub facts: Facts,
    /// What makes the case unusable or looks wrong.
    pub problems: Vec<String>,
}

/// A dataset as found on disk. Displays as a table followed by problems and warnings.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// Names of the foreground classes.
    pub classes: Vec<String>,
    /// All cases by name.
    pub cases: Vec<CaseSurvey>,
    /// What looks wrong with the dataset as a whole.
    pub warnings: Vec<String>,
}

/// Reads every image and label of `data`, of which the decoded ones stay with it as far as its memory reaches.
pub fn survey(data: &Dataset) -> Survey {
    survey_by(data, |case| read(data, case))
}

/// What the files of a case hold.
pub fn read(data: &Dataset, case: usize) -> Facts {
    Facts::read(data, case)
}

/// As [`survey`], with what `facts` knows of every case. It is called from several threads.
pub fn survey_by(data: &Dataset, facts: impl Fn(usize) -> Facts + Sync) -> Survey {
    let look = |case: usize| {
        let facts = facts(case);
        CaseSurvey {
            name: data.cases()[case].name.clone(),
            role: CaseRole::of(data, case),
            problems: facts.problems.clone(),
            facts,
        }
    };
    let all = || (0..data.cases().len()).into_par_iter().map(look).collect();
    let threads = rayon::ThreadPoolBuilder::new().num_threads(threads(data));
    // Without threads of its own it takes the process's.
    let mut cases: Vec<CaseSurvey> = threads
        .build()
        .map_or_else(|_| all(), |own| own.install(all));
    let mut warnings = data.warnings().to_vec();
    for case in cases.iter_mut().filter(|c| c.role == CaseRole::Unused) {
        let problems = std::mem::take(&mut case.problems).into_iter();
        warnings.extend(problems.map(|problem| format!("unused case {}: {problem}", case.name)));
    }
    whole::find_copies(&mut cases, &mut warnings);
    whole::find_odd_spacings(&cases, &mut warnings);
    whole::find_misfits(data.intensity(), &cases, &mut warnings);
    whole::find_label_maps(&cases, &mut warnings);
    let missing = &data.division().missing;
    if let Some(first) = missing.first() {
        warnings.push(format!(
            "{} entries of the published lists are not on disk, such as {first}",
            missing.len()
        ));
    }
    let unused = cases.iter().filter(|c| c.role == CaseRole::Unused).count();
    if unused > 0 {
        warnings.push(format!("{unused} cases are in neither training nor test"));
    }
    whole::find_missing_classes(data, &cases, &mut warnings);
    Survey {
        classes: data.classes().to_vec(),
        cases,
        warnings,
    }
}

impl Survey {
    /// Whether some case cannot be used.
    pub fn has_problems(&self) -> bool {
        self.problems().next().is_some()
    }

    /// Every problem with the name of its case.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let of = |case: &CaseSurvey| {
            let name = case.name.clone();
            let problems = case.problems.clone().into_iter();
            problems.map(move |problem| format!("case {name}: {problem}"))
        };
        self.cases.iter().flat_map(of)
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.cases.iter().map(|c| c.name.chars().count());
        let width = widths.max().unwrap_or(4).max(4);
        writeln!(
            f,
            "{:width$}  {:10}  {:>15}  {:>18}  {:4}  {:>17}  classes",
            "case", "role", "shape", "spacing mm", "axes", "intensity"
        )?;
        for case in &self.cases {
            let [x, y, z] = case.facts.shape;
            let [sx, sy, sz] = case.facts.spacing_mm;
            let present: Vec<String> = (case.facts.class_voxels.iter().enumerate().skip(1))
                .filter(|(_, voxels)| **voxels > 0)
                .map(|(class, _)| class.to_string())
                .collect();
            let (low, high) = case.facts.intensity;
            let [shape, spacing, intensity] = match case.facts.content {
                Some(_) => [
                    format!("{x}×{y}×{z}"),
                    format!("{sx:.2}×{sy:.2}×{sz:.2}"),
                    format!("{low:.1}…{high:.1}"),
                ],
                None => ["unusable".into(), String::new(), String::new()],
            };
            writeln!(
                f,
                "{:width$}  {:10}  {:>15}  {:>18}  {:4}  {:>17}  {}",
                case.name,
                case.role,
                shape,
                spacing,
                case.facts.orientation,
                intensity,
                present.join(" "),
            )?;
        }
        for problem in self.problems() {
            writeln!(f, "problem: {problem}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

/// As many as the memory for volumes allows.
fn threads(data: &Dataset) -> usize {
    // Stored values of up to 8 bytes, the decoded ones twice, and a label.
    const BYTES: usize = 8 + 2 * size_of::<f32>() + 1;
    let voxels = |case| data.grid(case).map_or(0, |grid| grid.len());
    let largest = (0..data.cases().len()).map(voxels).max().unwrap_or(0);
    let fitting = memory::for_volumes() / (largest * BYTES).max(1);
    fitting.clamp(1, rayon::current_num_threads())
}
