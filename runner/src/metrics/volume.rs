//! Scores of whole volumes, per class and case, in three conventions.
//!
//! The plain convention counts a class absent from truth and prediction as Dice and IoU 1, absent from
//! one as 0, and leaves surface distances undefined whenever either is empty. SAMed's convention (test.py)
//! gives (Dice, HD95) = (1, 0) for a prediction without truth and (0, 0) for an empty prediction, and
//! measures in voxels. UA-MT's (test_util.py) gives 0 for an empty prediction and also measures in voxels;
//! it fails on a prediction without truth, which is 0 here.

use super::overlap::{dice, iou};
use super::region::{Region, regions};
use super::surface::Surfaces;
use crate::data::error::{DataError, Result};
use crate::data::volume::Volume;
use serde::{Deserialize, Serialize};

/// Tolerance of the NSD in millimetres unless another is asked for.
pub const NSD_MM: f64 = 2.0;

/// Scores of one class in one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScore {
    /// Dice in the plain convention.
    pub dice: f64,
    /// Intersection over union in the plain convention.
    pub iou: f64,
    /// HD95 in millimetres; `None` where truth or prediction is empty.
    pub hd95_mm: Option<f64>,
    /// Average symmetric surface distance in millimetres; `None` where truth or prediction is empty.
    pub assd_mm: Option<f64>,
    /// Normalised surface distance: share of the surface voxels of truth and prediction that are within
    /// the tolerance of the other surface. 0 where one is empty, `None` where both are.
    pub nsd: Option<f64>,
    /// HD95 in voxels; `None` where truth or prediction is empty.
    pub hd95_voxels: Option<f64>,
    /// Average symmetric surface distance in voxels; `None` where truth or prediction is empty.
    pub assd_voxels: Option<f64>,
    /// Dice in SAMed's convention.
    pub samed_dice: f64,
    /// HD95 in voxels in SAMed's convention.
    pub samed_hd95_voxels: f64,
    /// Intersection over union in UA-MT's convention.
    pub uamt_iou: f64,
    /// Mean distance of the prediction's surface to the truth's, in voxels and in UA-MT's convention.
    pub uamt_asd_voxels: f64,
    /// Voxels of the class in the truth.
    pub truth_voxels: usize,
    /// Voxels of the class in the prediction.
    pub predicted_voxels: usize,
}

/// Why the surface distances of a class are undefined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Truth without prediction.
    Prediction,
    /// Prediction without truth.
    Truth,
    /// Neither.
    Both,
}

impl ClassScore {
    /// What is empty, if anything is.
    pub fn empty(&self) -> Option<Empty> {
        match (self.truth_voxels, self.predicted_voxels) {
            (0, 0) => Some(Empty::Both),
            (0, _) => Some(Empty::Truth),
            (_, 0) => Some(Empty::Prediction),
            _ => None,
        }
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

/// Scores a predicted label map against the truth for classes 1…`classes`, with an NSD at `nsd_mm`
/// millimetres. The truth's spacing counts.
///
/// # Errors
/// The two grids have different shapes.
pub fn score_case(
    case: &str,
    prediction: &Volume<u8>,
    truth: &Volume<u8>,
    classes: usize,
    nsd_mm: f64,
) -> Result<CaseScores> {
    if prediction.grid.shape != truth.grid.shape {
        let problem = format!(
            "has {:?} voxels, but the truth {} has {:?}; resample it to that grid",
            prediction.grid.shape,
            truth.path.display(),
            truth.grid.shape
        );
        return Err(DataError::content(&prediction.path, problem));
    }
    let regions = regions(&prediction.voxels, &truth.voxels, truth.grid.shape);
    let labels = (1..=u8::MAX).zip(regions.iter().skip(1)).take(classes);
    Ok(CaseScores {
        case: case.to_owned(),
        classes: labels
            .map(|(label, region)| score_class(prediction, truth, label, region, nsd_mm))
            .collect(),
    })
}

fn score_class(
    prediction: &Volume<u8>,
    truth: &Volume<u8>,
    label: u8,
    region: &Region,
    nsd_mm: f64,
) -> ClassScore {
    let (predicted, actual) = (region.first, region.second);
    let mut score = ClassScore {
        dice: dice(region.overlap, predicted, actual),
        iou: iou(region.overlap, predicted, actual),
        hd95_mm: None,
        assd_mm: None,
        nsd: (predicted + actual > 0).then_some(0.0),
        hd95_voxels: None,
        assd_voxels: None,
        samed_dice: 0.0,
        samed_hd95_voxels: 0.0,
        uamt_iou: 0.0,
        uamt_asd_voxels: 0.0,
        truth_voxels: actual,
        predicted_voxels: predicted,
    };
    if predicted > 0 && actual == 0 {
        score.samed_dice = 1.0;
    }
    if predicted == 0 || actual == 0 {
        return score;
    }
    let whole = truth.grid.shape;
    let mask = |volume: &Volume<u8>| region.cut(&volume.voxels, whole, label);
    let (part, masks) = (region.shape(), (mask(prediction), mask(truth)));
    if let Some(surfaces) = Surfaces::of_part(&masks.0, &masks.1, part, whole) {
        let distances = surfaces.distances(truth.grid.spacing_mm);
        score.hd95_mm = Some(distances.hd95());
        score.assd_mm = Some(distances.assd());
        score.nsd = Some(distances.nsd(nsd_mm));
        let distances = surfaces.distances([1.0; 3]);
        score.hd95_voxels = Some(distances.hd95());
        score.assd_voxels = Some(distances.assd());
        score.samed_dice = score.dice;
        score.samed_hd95_voxels = distances.hd95();
        score.uamt_iou = score.iou;
        score.uamt_asd_voxels = distances.asd();
    }
    score
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::volume::Grid;
    use samora_engine::random::Stream;
    use std::path::PathBuf;

    fn volume(shape: [usize; 3], voxels: Vec<u8>) -> Volume<u8> {
        let grid = Grid::axis_aligned(shape, [0.5, 1.0, 3.0]);
        Volume::new(grid, voxels, PathBuf::new()).unwrap()
    }

    /// Class 1 in both one voxel apart, class 2 missed, class 3 invented, class 4 in neither.
    #[test]
    fn all_conventions_treat_empty_classes_as_stated() {
        let truth = volume([4, 2, 1], vec![0, 1, 0, 0, 2, 0, 0, 0]);
        let prediction = volume([4, 2, 1], vec![0, 0, 1, 0, 0, 0, 0, 3]);
        let scores = score_case("a", &prediction, &truth, 4, 0.5)
            .unwrap()
            .classes;
        let empty: Vec<_> = scores.iter().map(ClassScore::empty).collect();
        let (missed, invented) = (Some(Empty::Prediction), Some(Empty::Truth));
        assert_eq!(empty, [None, missed, invented, Some(Empty::Both)]);
        let overlap: Vec<_> = scores.iter().map(|c| (c.dice, c.iou)).collect();
        assert_eq!(overlap, [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0)]);
        let nsd: Vec<_> = scores.iter().map(|c| c.nsd).collect();
        assert_eq!(nsd, [Some(1.0), Some(0.0), Some(0.0), None]);
        let distances = |c: &ClassScore| (c.hd95_mm, c.assd_mm, c.hd95_voxels, c.assd_voxels);
        let (half, one) = (Some(0.5), Some(1.0));
        assert_eq!(distances(&scores[0]), (half, half, one, one));
        for score in &scores[1..] {
            assert_eq!(distances(score), (None, None, None, None));
        }
        let samed: Vec<_> = scores
            .iter()
            .map(|c| (c.samed_dice, c.samed_hd95_voxels))
            .collect();
        assert_eq!(samed, [(0.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 0.0)]);
        let uamt: Vec<_> = scores
            .iter()
            .map(|c| (c.uamt_iou, c.uamt_asd_voxels))
            .collect();
        assert_eq!(uamt, [(0.0, 1.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)]);
    }

    #[test]
    fn the_box_around_a_class_changes_no_score() {
        let shape = [9, 8, 7];
        let mut stream = Stream::named(4, "labels");
        let mut labels = |size: usize| -> Vec<u8> {
            let inside = |i: usize| i % 9 >= 2 && i / 9 % 8 < 6 && i / 72 >= 1 && i / 72 < 6;
            (0..504)
                .map(|i| u8::from(inside(i) && stream.below(size) > 0))
                .collect()
        };
        let (prediction, truth) = (volume(shape, labels(3)), volume(shape, labels(8)));
        let score = &score_case("a", &prediction, &truth, 1, 1.0)
            .unwrap()
            .classes[0];
        let mask = |volume: &Volume<u8>| volume.voxels.iter().map(|v| *v == 1).collect::<Vec<_>>();
        let surfaces = Surfaces::of(&mask(&prediction), &mask(&truth), shape).unwrap();
        let whole = surfaces.distances(truth.grid.spacing_mm);
        let found = (score.hd95_mm, score.assd_mm, score.nsd);
        let expected = (whole.hd95(), whole.assd(), whole.nsd(1.0));
        assert_eq!(
            found,
            (Some(expected.0), Some(expected.1), Some(expected.2))
        );
    }

    /// In a volume a class that is one voxel thick is all surface, in a slice only its outline is.
    #[test]
    fn slices_are_scored_by_outlines() {
        let square = |depth: usize, left: usize| {
            let inside = |i: usize| (left..left + 7).contains(&(i % 12)) && i / 12 < 7;
            let voxels = (0..108 * depth).map(|i| u8::from(i < 108 && inside(i)));
            volume([12, 9, depth], voxels.collect())
        };
        let assd = |depth: usize| {
            let (prediction, truth) = (square(depth, 2), square(depth, 4));
            let scores = score_case("a", &prediction, &truth, 1, 1.0).unwrap();
            scores.classes[0].assd_voxels.unwrap()
        };
        assert_eq!(assd(1), 1.0);
        assert!((assd(2) - 3.0 / 7.0).abs() < 1e-12, "{}", assd(2));
    }

    #[test]
    fn shapes_must_agree() {
        let (one, other) = (volume([4, 2, 1], vec![0; 8]), volume([2, 2, 2], vec![0; 8]));
        assert!(score_case("a", &other, &one, 1, 1.0).is_err());
    }
}
