//! The files of a case as the numbers that networks take: scaled intensities and classes.

use std::collections::BTreeMap;

use super::error::{DataError, Result};
use super::formats::{self, Arrays, Role, Scan};
use super::intensity::normalize;
use super::layout::{self, Case, Layout, SYNAPSE_SCALED};
use super::source::Source;
use super::volume::{Grid, Volume};

/// A scan that need not be among those of `source`, read and scaled as they are.
///
/// # Errors
/// Unknown format or an unusable file.
pub fn scan(scan: &Scan, source: &Source) -> Result<Volume<f32>> {
    let scan = match scan {
        Scan::File(path) => layout::scan(path, source),
        series => series.clone(),
    };
    let mut volume = scan.read_image(source.arrays())?;
    let intensity = match source {
        Source::Synapse { .. } if formats::is_array(scan.path()) => SYNAPSE_SCALED,
        _ => source.intensity(),
    };
    normalize(&mut volume.voxels, intensity);
    Ok(volume)
}

/// Where the voxels of the case's image lie.
pub(super) fn grid(case: &Case, layout: &Layout) -> Result<Grid> {
    match by_label(case, layout)? {
        Some((_, grid)) => Ok(grid),
        None => case.image.read_grid(layout.arrays),
    }
}

/// How the arrays of an image lie that has a label with geometry, and that geometry.
pub(super) fn by_label(case: &Case, layout: &Layout) -> Result<Option<(Arrays, Grid)>> {
    let label = case.label.as_ref().filter(|label| !label.lacks_geometry());
    let Some(label) = label.filter(|_| case.image.lacks_geometry()) else {
        return Ok(None);
    };
    let grid = label.read_grid(layout.arrays)?;
    let arrays = case
        .image
        .arrays_beside(Role::Image, &grid, layout.arrays)?;
    Ok(arrays.map(|arrays| (arrays, grid)))
}

/// What is assumed of arrays, which say nothing of where they lie.
pub(super) fn assumption(layout: &Layout) -> Option<String> {
    let declared = layout.arrays;
    let is_array = |case: &&Case| formats::is_array(case.image.path());
    layout.cases.iter().filter(is_array).find_map(|case| {
        let path = case.image.path().display();
        match by_label(case, layout).ok()? {
            None => Some(format!(
                "arrays such as {path} have no geometry; they are taken as {declared}"
            )),
            // The same arrays would be read otherwise where they are without labels.
            Some((arrays, _)) => (!arrays.lie_as(declared)).then(|| {
                let declaration = arrays.declaration();
                format!(
                    "arrays such as {path} lie as their labels say; `predict` has none: say `{declaration}`"
                )
            }),
        }
    })
}

/// The image as it is stored.
pub(super) fn stored_image(case: &Case, layout: &Layout) -> Result<Volume<f32>> {
    let Some((arrays, grid)) = by_label(case, layout)? else {
        return case.image.read_image(layout.arrays);
    };
    let image = case.image.read_image(arrays)?;
    Ok(Volume { grid, ..image })
}

/// The image, with intensities scaled as the layout says.
pub(super) fn image(case: &Case, layout: &Layout) -> Result<Volume<f32>> {
    let mut volume = stored_image(case, layout)?;
    normalize(&mut volume.voxels, layout.intensity);
    Ok(volume)
}

/// The label map `scan`, as classes 0 (background), 1, 2, …, of the case's image, whose voxels lie in `grid`.
/// A label map without geometry has that of the image.
pub(super) fn label(
    case: &Case,
    (scan, grid): (&Scan, &Grid),
    layout: &Layout,
    classes: &[String],
) -> Result<Volume<u8>> {
    let mut volume = match scan.lacks_geometry() && !case.image.lacks_geometry() {
        true => read_beside(scan, grid, layout.arrays)?,
        false => scan.read_labels(layout.arrays)?,
    };
    if let Err(problem) = expect_same_place(grid, &volume.grid) {
        return Err(DataError::Pair {
            image: case.image.path().to_owned(),
            label: scan.path().to_owned(),
            problem,
        });
    }
    map_classes(&mut volume, layout, classes)?;
    Ok(volume)
}

/// A label map without geometry of the voxels that lie in `grid`: it has their grid, if it has their shape.
/// `declared` decides where its axes could be in either order.
///
/// # Errors
/// An unusable file.
pub fn read_beside(scan: &Scan, grid: &Grid, declared: Arrays) -> Result<Volume<u8>> {
    let Some(arrays) = scan.arrays_beside(Role::Label, grid, declared)? else {
        return scan.read_labels(declared);
    };
    let labels = scan.read_labels(arrays)?;
    Ok(Volume {
        grid: grid.clone(),
        ..labels
    })
}

/// An image and a label map that lie elsewhere, mirrored or turned, must not be put together voxel by voxel.
fn expect_same_place(image: &Grid, label: &Grid) -> Result<(), String> {
    if label.shape != image.shape {
        return Err(format!(
            "shapes differ: {:?} and {:?} (right, anterior, superior)",
            image.shape, label.shape
        ));
    }
    let apart = image.largest_shift_mm(label);
    let codes = [image, label].map(|grid| grid.orientation.codes());
    let is_stored_alike = image.is_stored_like(label);
    let tolerance = match is_stored_alike {
        true => image.spacing_mm.into_iter().fold(0.0, f64::max),
        // Along an axis of two voxels, one that is mirrored is off by no more than a voxel.
        false => image.spacings_mm().fold(f64::INFINITY, f64::min) / 2.0,
    };
    if apart <= tolerance {
        return Ok(());
    }
    let lost = match is_stored_alike {
        true => "place the same voxel".to_owned(),
        false => format!(
            "say that one is stored as {}, the other as {}, and place the same voxel",
            codes[0], codes[1]
        ),
    };
    Err(format!(
        "their affines {lost} {apart:.1} mm apart; write the label map again with the affine of its image, as \
         in nibabel's Nifti1Image(labels, image.affine) or SimpleITK's labels.CopyInformation(image)"
    ))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(found: &[u8], classes: u8) -> String {
        let known = (0..=classes).map(|value| (value, value)).collect();
        label_map(found, &known, usize::from(classes))
    }

    #[test]
    fn the_label_map_to_write_is_shown() {
        for (found, classes, map) in [
            (&[0, 255][..], 1, "label_map: {255: 1}"),
            (&[0, 85, 170, 255], 3, "label_map: {85: 1, 170: 2, 255: 3}"),
            (&[0, 52, 255], 1, "label_map: {52: 1, 255: 1}"),
            // What is not to be counted, beside values that are classes.
            (&[0, 1, 2, 255], 2, "label_map: {1: 1, 2: 2, 255: 0}"),
            (
                &[0, 100, 150, 200],
                2,
                "label_map: {100: 1, 150: 2, 200: 0}",
            ),
        ] {
            let hint = hint(found, classes);
            assert!(hint.contains(&format!("`{map}`")), "{found:?}: {hint}");
        }
    }
}
