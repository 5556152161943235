//! The files of a case as the numbers that networks take: scaled intensities and classes.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{DataError, Result};
use super::formats::{self, Scan};
use super::intensity::normalize;
use super::layout::{Case, Layout, SYNAPSE_SCALED};
use super::source::Source;
use super::volume::Volume;

/// A scan that need not be among those of `source`, read and scaled as they are.
///
/// # Errors
/// Unknown format or an unusable file.
pub fn scan(path: &Path, source: &Source) -> Result<Volume<f32>> {
    let mut volume = formats::read_image(path, source.arrays())?;
    let intensity = match source {
        Source::Synapse { .. } if formats::is_array(path) => SYNAPSE_SCALED,
        _ => source.intensity(),
    };
    normalize(&mut volume.voxels, intensity);
    Ok(volume)
}

/// The image, with intensities scaled as the layout says.
pub(super) fn image(case: &Case, layout: &Layout) -> Result<Volume<f32>> {
    let mut volume = case.image.read_image(layout.arrays)?;
    normalize(&mut volume.voxels, layout.intensity);
    Ok(volume)
}

/// The label map `scan`, which must have the `shape` of the case's image, as classes 0 (background), 1, 2, ….
pub(super) fn label(
    case: &Case,
    (scan, shape): (&Scan, [usize; 3]),
    layout: &Layout,
    classes: &[String],
) -> Result<Volume<u8>> {
    let mut volume = scan.read_labels(layout.arrays)?;
    if volume.grid.shape != shape {
        return Err(DataError::Pair {
            image: case.image.path().to_owned(),
            label: scan.path().to_owned(),
            problem: format!(
                "shapes differ: {shape:?} and {:?} (right, anterior, superior)",
                volume.grid.shape
            ),
        });
    }
    map_classes(&mut volume, layout, classes)?;
    Ok(volume)
}

/// Turns stored label values into classes.
fn map_classes(volume: &mut Volume<u8>, layout: &Layout, names: &[String]) -> Result<()> {
    let mut seen = [false; 256];
    for voxel in &volume.voxels {
        seen[usize::from(*voxel)] = true;
    }
    let found: Vec<u8> = (0..=255)
        .filter(|value| seen[usize::from(*value)])
        .collect();
    let mut values = found.iter();
    if let Some(value) = values.find(|value| !layout.values.contains_key(value)) {
        let problem = format!(
            "label value {value} stands for no class; known are {}, the classes {}; {}",
            ranges(layout.values.keys().copied()),
            names.join(", "),
            label_map(&found, &layout.values, names.len())
        );
        return Err(DataError::content(&volume.path, problem));
    }
    if layout.values.iter().any(|(value, class)| value != class) {
        let mut classes = [0; 256];
        for (value, class) in &layout.values {
            classes[usize::from(*value)] = *class;
        }
        for voxel in &mut volume.voxels {
            *voxel = classes[usize::from(*voxel)];
        }
    }
    Ok(())
}

/// What to write so that all values `found` stand for a class.
fn label_map(found: &[u8], known: &BTreeMap<u8, u8>, classes: usize) -> String {
    let labels: Vec<u8> = found.iter().copied().filter(|value| *value != 0).collect();
    // Values among classes, such as 255 for what is not to be counted, are something else than values
    // that all stand for classes.
    let among = labels.iter().any(|value| known.contains_key(value));
    let class = |(at, value): (usize, &u8)| match (among, classes) {
        (true, _) => known.get(value).map_or(0, |class| usize::from(*class)),
        (false, 1) => 1,
        (false, _) if at < classes => at + 1,
        (false, _) => 0,
    };
    let pairs = labels.iter().enumerate();
    let pairs = pairs.map(|(at, value)| format!("{value}: {}", class((at, value))));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    format!(
        "say in the data set's `Folder(…)` what the values are, such as `label_map: {{{pairs}}}`"
    )
}

/// Ascending numbers as in `0…3, 7`.
fn ranges(numbers: impl Iterator<Item = u8>) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let text = |(first, last): &(u8, u8)| match first == last {
        true => first.to_string(),
        false => format!("{first}…{last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}
