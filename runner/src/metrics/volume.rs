//! Dice and HD95 of whole volumes, per class and case, in two conventions.
//!
//! The plain convention counts a class absent from truth and prediction as Dice 1 (and says how
//! often), absent from one as Dice 0, and leaves HD95 undefined whenever either is empty. SAMed's
//! convention (test.py) gives (Dice, HD95) = (1, 0) for a prediction without truth and (0, 0) for
//! an empty prediction, and measures HD95 in voxels.

use super::dice::dice;
use super::hd95::hd95;
use crate::data::error::{DataError, Result};
use crate::data::volume::Volume;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Scores of one class in one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Dice in the plain convention.
    pub dice: f64,
    /// HD95 in millimetres; `None` where truth or prediction is empty.
    pub hd95_mm: Option<f64>,
    /// Dice in SAMed's convention.
    pub samed_dice: f64,
    /// HD95 in voxels in SAMed's convention.
    pub samed_hd95_voxels: f64,
    /// Voxels of the class in the truth.
    pub truth_voxels: usize,
    /// Voxels of the class in the prediction.
    pub predicted_voxels: usize,
}

impl ClassScore {
    /// Whether neither truth nor prediction has the class.
    pub fn both_empty(&self) -> bool {
        self.truth_voxels == 0 && self.predicted_voxels == 0
    }
}

/// Scores of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseScores {
    /// Name of the case.
    pub case: String,
    /// One entry for each foreground class 1, 2, ….
    pub classes: Vec<ClassScore>,
}

/// Means over cases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSummary {
    /// Name of the class.
    pub name: String,
    /// Mean Dice over all cases.
    pub dice: f64,
    /// Mean HD95 in millimetres over the cases where it is defined; `None` if there are none.
    pub hd95_mm: Option<f64>,
    /// Cases whose HD95 is undefined.
    pub hd95_undefined: usize,
    /// Cases where truth and prediction are both empty (Dice 1).
    pub both_empty: usize,
    /// Mean Dice in SAMed's convention.
    pub samed_dice: f64,
    /// Mean HD95 in voxels in SAMed's convention.
    pub samed_hd95_voxels: f64,
}

/// Means over cases, then over classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// One entry for each foreground class.
    pub classes: Vec<ClassSummary>,
    /// Mean of the classes' mean Dice.
    pub mean_dice: f64,
    /// Mean of the classes' mean HD95 in millimetres where defined.
    pub mean_hd95_mm: Option<f64>,
    /// `mean_dice` in SAMed's convention.
    pub samed_mean_dice: f64,
    /// Mean HD95 in voxels in SAMed's convention.
    pub samed_mean_hd95_voxels: f64,
}

/// Scores a predicted label map against the truth for classes 1…`classes`.
///
/// # Errors
/// The two grids have different shapes.
pub fn score_case(
    case: &str,
    prediction: &Volume<u8>,
    truth: &Volume<u8>,
    classes: usize,
) -> Result<CaseScores> {
    if prediction.grid.shape != truth.grid.shape {
        return Err(DataError::Pair {
            image: prediction.path.clone(),
            label: truth.path.clone(),
            problem: format!(
                "prediction {:?} and truth {:?} differ in shape",
                prediction.grid.shape, truth.grid.shape
            ),
        });
    }
    let classes = (1..=classes)
        .into_par_iter()
        .map(|class| score_class(prediction, truth, class))
        .collect();
    Ok(CaseScores {
        case: case.to_owned(),
        classes,
    })
}

/// Averages the scores of all cases; `names` are the foreground classes.
pub fn summarize(cases: &[CaseScores], names: &[String]) -> Summary {
    let classes: Vec<ClassSummary> = names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let scores: Vec<&ClassScore> =
                cases.iter().filter_map(|c| c.classes.get(class)).collect();
            let defined: Vec<f64> = scores.iter().filter_map(|s| s.hd95_mm).collect();
            ClassSummary {
                name: name.clone(),
                dice: mean(scores.iter().map(|s| s.dice)).unwrap_or(0.0),
                hd95_mm: mean(defined.iter().copied()),
                hd95_undefined: scores.len() - defined.len(),
                both_empty: scores.iter().filter(|s| s.both_empty()).count(),
                samed_dice: mean(scores.iter().map(|s| s.samed_dice)).unwrap_or(0.0),
                samed_hd95_voxels: mean(scores.iter().map(|s| s.samed_hd95_voxels)).unwrap_or(0.0),
            }
        })
        .collect();
    Summary {
        mean_dice: mean(classes.iter().map(|c| c.dice)).unwrap_or(0.0),
        mean_hd95_mm: mean(classes.iter().filter_map(|c| c.hd95_mm)),
        samed_mean_dice: mean(classes.iter().map(|c| c.samed_dice)).unwrap_or(0.0),
        samed_mean_hd95_voxels: mean(classes.iter().map(|c| c.samed_hd95_voxels)).unwrap_or(0.0),
        classes,
    }
}

fn score_class(prediction: &Volume<u8>, truth: &Volume<u8>, class: usize) -> ClassScore {
    let predicted: Vec<bool> = is_class(&prediction.voxels, class);
    let actual: Vec<bool> = is_class(&truth.voxels, class);
    let count = |mask: &[bool]| mask.iter().filter(|on| **on).count();
    let overlap = predicted
        .iter()
        .zip(&actual)
        .filter(|(p, t)| **p && **t)
        .count();
    let (predicted_voxels, truth_voxels) = (count(&predicted), count(&actual));
    let overlap_dice = dice(overlap, predicted_voxels, truth_voxels);
    let mut score = ClassScore {
        dice: overlap_dice,
        hd95_mm: None,
        samed_dice: 0.0,
        samed_hd95_voxels: 0.0,
        truth_voxels,
        predicted_voxels,
    };
    if predicted_voxels > 0 && truth_voxels > 0 {
        let (shape, first, second) = crop(&predicted, &actual, truth.grid.shape);
        score.hd95_mm = hd95(&first, &second, shape, truth.grid.spacing_mm);
        score.samed_dice = overlap_dice;
        score.samed_hd95_voxels = hd95(&first, &second, shape, [1.0; 3]).unwrap_or(0.0);
    } else if predicted_voxels > 0 {
        score.samed_dice = 1.0;
    }
    score
}

fn is_class(labels: &[u8], class: usize) -> Vec<bool> {
    labels.iter().map(|&l| usize::from(l) == class).collect()
}

/// Both masks cut to the smallest box that holds them. Outside it both are background, which is
/// what surfaces assume beyond a volume's border, so distances do not change.
fn crop(
    first: &[bool],
    second: &[bool],
    [nx, ny, nz]: [usize; 3],
) -> ([usize; 3], Vec<bool>, Vec<bool>) {
    let mut low = [nx, ny, nz];
    let mut high = [0; 3];
    for (i, _) in first
        .iter()
        .zip(second)
        .enumerate()
        .filter(|(_, (a, b))| **a || **b)
    {
        for (axis, at) in [i % nx, i / nx % ny, i / (nx * ny)].into_iter().enumerate() {
            low[axis] = low[axis].min(at);
            high[axis] = high[axis].max(at + 1);
        }
    }
    let cut = |mask: &[bool]| {
        let mut part = Vec::new();
        for z in low[2]..high[2] {
            for y in low[1]..high[1] {
                let row = nx * (y + ny * z);
                part.extend_from_slice(&mask[row + low[0]..row + high[0]]);
            }
        }
        part
    };
    let shape = [0, 1, 2].map(|axis| high[axis].saturating_sub(low[axis]));
    (shape, cut(first), cut(second))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(s, n), v| (s + v, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::volume::Grid;
    use std::path::PathBuf;

    fn volume(voxels: Vec<u8>) -> Volume<u8> {
        let grid = Grid::axis_aligned([4, 2, 1], [0.5, 1.0, 3.0]);
        Volume::new(grid, voxels, PathBuf::new()).unwrap()
    }

    /// Class 1 in both one voxel apart, class 2 missed, class 3 invented, class 4 in neither.
    #[test]
    fn both_conventions_treat_empty_classes_as_stated() {
        let truth = volume(vec![0, 1, 0, 0, 2, 0, 0, 0]);
        let prediction = volume(vec![0, 0, 1, 0, 0, 0, 0, 3]);
        let scores = score_case("a", &prediction, &truth, 4).unwrap();
        let plain: Vec<_> = scores.classes.iter().map(|c| (c.dice, c.hd95_mm)).collect();
        assert_eq!(
            plain,
            [(0.0, Some(0.5)), (0.0, None), (0.0, None), (1.0, None)]
        );
        let samed: Vec<_> = scores
            .classes
            .iter()
            .map(|c| (c.samed_dice, c.samed_hd95_voxels))
            .collect();
        assert_eq!(samed, [(0.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]);

        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let summary = summarize(&[scores.clone(), scores], &names);
        assert_eq!(summary.mean_dice, 0.25);
        assert_eq!(summary.mean_hd95_mm, Some(0.5));
        assert_eq!(summary.samed_mean_dice, 0.25);
        assert_eq!(summary.classes[3].both_empty, 2);
        assert_eq!(summary.classes[1].hd95_undefined, 2);
    }

    #[test]
    fn cropping_does_not_change_hd95() {
        let truth = volume(vec![0, 1, 1, 0, 0, 1, 1, 0]);
        let prediction = volume(vec![0, 0, 1, 1, 0, 0, 1, 1]);
        let scores = score_case("a", &prediction, &truth, 1).unwrap();
        let whole = hd95(
            &is_class(&prediction.voxels, 1),
            &is_class(&truth.voxels, 1),
            [4, 2, 1],
            [0.5, 1.0, 3.0],
        );
        assert_eq!(scores.classes[0].hd95_mm, whole);
    }

    #[test]
    fn shapes_must_agree() {
        let other = Grid::axis_aligned([2, 2, 2], [1.0; 3]);
        let other = Volume::new(other, vec![0; 8], PathBuf::new()).unwrap();
        assert!(score_case("a", &other, &volume(vec![0; 8]), 1).is_err());
    }
}
