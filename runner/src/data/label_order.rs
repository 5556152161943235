//! Preprocessed Synapse files come with two orders of the same eight organs: SAMed's and TransUNet's.

use std::fmt;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{DataError, Result};
use super::formats::{Arrays, Scan};
use super::volume::Volume;

/// Which organ each label value of preprocessed Synapse files stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelOrder {
    /// Spleen, right kidney, left kidney, gallbladder, liver, stomach, aorta, pancreas.
    Samed,
    /// Aorta, gallbladder, left kidney, right kidney, liver, pancreas, spleen, stomach.
    TransUnet,
}

impl LabelOrder {
    /// The class, in SAMed's order, of each label value.
    pub(super) fn classes(self) -> [u8; 9] {
        match self {
            Self::Samed => [0, 1, 2, 3, 4, 5, 6, 7, 8],
            Self::TransUnet => [0, 7, 4, 3, 2, 5, 8, 1, 6],
        }
    }

    /// The order of one label map: the aorta, 1 or 7, is far more slender than the spleen, 7 or 1.
    /// `None` if one is missing or the two are alike.
    fn of(labels: &Volume<u8>) -> Option<Self> {
        let ratio = slenderness(labels, 7)? / slenderness(labels, 1)?;
        match ratio {
            r if r > 2.0 => Some(Self::Samed),
            r if r < 0.5 => Some(Self::TransUnet),
            _ => None,
        }
    }
}

impl fmt::Display for LabelOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Samed => "SAMed",
            Self::TransUnet => "TransUNet",
        })
    }
}

/// What a label map tells.
struct Told<'a> {
    path: &'a Path,
    order: Option<LabelOrder>,
    centres: Centres,
}

/// The order of a dataset's label maps, found by looking at some of them, and a warning where organs lie as
/// if mirrored.
///
/// # Errors
/// An unreadable file, label maps that do not tell or disagree, or an order other than the declared one.
pub(super) fn check<'a>(
    root: &Path,
    labels: impl Iterator<Item = &'a Scan>,
    arrays: Arrays,
    declared: Option<LabelOrder>,
) -> Result<(LabelOrder, Option<String>)> {
    const LOOKED_AT: usize = 6;
    let labels: Vec<&Scan> = labels.collect();
    let step = labels.len().div_ceil(LOOKED_AT).max(1);
    let some: Vec<&Scan> = labels.into_iter().step_by(step).collect();
    let told = some.par_iter().map(|scan| {
        let labels = scan.read_labels(arrays)?;
        Ok(Told {
            path: scan.path(),
            order: LabelOrder::of(&labels),
            centres: centres(&labels),
        })
    });
    let told: Vec<Told<'_>> = told.collect::<Result<_>>()?;
    let order = common_order(root, &told, declared)?;
    let centres: Vec<&Centres> = told.iter().map(|told| &told.centres).collect();
    Ok((order, mirrored(&centres, order, arrays)))
}

fn common_order(
    root: &Path,
    told: &[Told<'_>],
    declared: Option<LabelOrder>,
) -> Result<LabelOrder> {
    let mut told = told
        .iter()
        .filter_map(|told| Some((told.path, told.order?)));
    let Some((path, order)) = told.next() else {
        return declared.ok_or_else(|| {
            let problem = "no label map tells SAMed's order of organs from TransUNet's; \
                           say which it is, as in `label_order: Some(Samed)` or `Some(TransUnet)`";
            DataError::dataset(root, problem)
        });
    };
    if let Some((other, another)) = told.find(|(_, o)| *o != order) {
        let problem = format!(
            "{} is in {order}'s order of organs, {} in {another}'s; take the files from one source",
            path.display(),
            other.display()
        );
        return Err(DataError::dataset(root, problem));
    }
    match declared {
        Some(declared) if declared != order => {
            let problem = format!(
                "`label_order` says {declared}, but {} is in {order}'s order of organs",
                path.display()
            );
            Err(DataError::dataset(root, problem))
        }
        _ => Ok(order),
    }
}

/// The mean place of each label value.
type Centres = [Option<[f64; 3]>; 9];

fn centres(labels: &Volume<u8>) -> Centres {
    let [nx, ny, _] = labels.grid.shape;
    let mut sums = [([0.0; 3], 0.0); 9];
    for (index, value) in labels.voxels.iter().enumerate() {
        if let Some((sum, count)) = sums.get_mut(usize::from(*value)).filter(|_| *value > 0) {
            let at = [index % nx, index / nx % ny, index / nx / ny];
            (0..3).for_each(|axis| sum[axis] += at[axis] as f64);
            *count += 1.0;
        }
    }
    sums.map(|(sum, count)| (count > 0.0).then(|| sum.map(|s| s / count)))
}

/// A warning if in all label maps that tell the right kidney lies left of the left one, the stomach behind
/// the kidneys, or the liver below them: the arrays then run another way than is declared.
fn mirrored(maps: &[&Centres], order: LabelOrder, arrays: Arrays) -> Option<String> {
    const RIGHT_KIDNEY: u8 = 2;
    const LEFT_KIDNEY: u8 = 3;
    const LIVER: u8 = 5;
    const STOMACH: u8 = 6;
    let classes = order.classes();
    let is_told = |axis: usize, high: u8, low: u8| {
        let of = |centres: &Centres, class: u8| {
            let value = classes.iter().position(|c| *c == class)?;
            Some(centres[value]?[axis])
        };
        let told = maps
            .iter()
            .filter_map(|map| Some(of(map, high)? < of(map, low)?));
        let told: Vec<bool> = told.collect();
        !told.is_empty() && told.iter().all(|wrong| *wrong)
    };
    let wrong = [
        is_told(0, RIGHT_KIDNEY, LEFT_KIDNEY),
        is_told(1, STOMACH, LEFT_KIDNEY),
        is_told(2, LIVER, RIGHT_KIDNEY),
    ];
    if wrong == [false; 3] {
        return None;
    }
    let mut directions = arrays.directions;
    (0..3).for_each(|axis| directions.flipped[axis] ^= wrong[axis]);
    Some(format!(
        "the organs lie as if the arrays ran {}, not {}: say `arrays: (directions: \"{0}\")` if that is so, \
         or scans from elsewhere are segmented mirrored",
        directions.codes(),
        arrays.directions.codes()
    ))
}

/// Slices that a label value is in, relative to the edge of a square of its mean area there in pixels.
fn slenderness(labels: &Volume<u8>, value: u8) -> Option<f64> {
    let [nx, ny, _] = labels.grid.shape;
    let areas = labels.voxels.chunks(nx * ny);
    let areas = areas.map(|slice| slice.iter().filter(|v| **v == value).count());
    let areas: Vec<usize> = areas.filter(|area| *area > 0).collect();
    let slices = areas.len() as f64;
    let mean = areas.iter().sum::<usize>() as f64 / slices;
    (slices > 0.0).then(|| slices / mean.sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::data::formats::nifti;
    use crate::data::volume::Grid;

    /// A column of value `aorta` and a block of value `spleen`.
    fn label_map(aorta: u8, spleen: u8) -> Volume<u8> {
        let grid = Grid::axis_aligned([16, 16, 12], [1.0; 3]);
        let voxels = (0..grid.len()).map(|i| {
            let (x, y, z) = (i % 16, i / 16 % 16, i / 256);
            match (x, y) {
                (8..10, 8..10) => aorta,
                (0..6, 0..6) if z < 4 => spleen,
                _ => 0,
            }
        });
        Volume::new(grid.clone(), voxels.collect(), PathBuf::new()).unwrap()
    }

    #[test]
    fn the_aorta_tells_the_orders_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, volume: &Volume<u8>| {
            let path = folder.path().join(name);
            nifti::write(&path, volume).unwrap();
            Scan::File(path)
        };
        let samed = write("samed.nii", &label_map(7, 1));
        let transunet = write("transunet.nii", &label_map(1, 7));
        let neither = write("neither.nii", &label_map(7, 2));
        let check = |labels: &[&Scan], declared| {
            let labels = labels.iter().copied();
            let found = check(folder.path(), labels, Arrays::default(), declared);
            found.map(|(order, _)| order).map_err(|e| e.to_string())
        };
        assert_eq!(check(&[&neither, &samed], None), Ok(LabelOrder::Samed));
        assert_eq!(check(&[&transunet], None), Ok(LabelOrder::TransUnet));
        let declared = Some(LabelOrder::TransUnet);
        assert_eq!(check(&[&neither], declared), Ok(LabelOrder::TransUnet));
        assert!(
            check(&[&neither], None)
                .unwrap_err()
                .contains("label_order")
        );
        assert!(
            check(&[&samed], declared)
                .unwrap_err()
                .contains("says TransUNet")
        );
        let mixed = check(&[&samed, &transunet], None).unwrap_err();
        assert!(mixed.contains("one source"), "{mixed}");
    }

    #[test]
    fn both_orders_name_the_same_organs() {
        const TRANSUNET: [&str; 8] = [
            "aorta",
            "gallbladder",
            "left kidney",
            "right kidney",
            "liver",
            "pancreas",
            "spleen",
            "stomach",
        ];
        let classes = LabelOrder::TransUnet.classes();
        for (value, name) in TRANSUNET.iter().enumerate() {
            let class = usize::from(classes[value + 1]);
            assert_eq!(crate::data::layout::SYNAPSE_CLASSES[class - 1], *name);
        }
    }
}
