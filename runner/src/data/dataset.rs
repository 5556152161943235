//! A dataset opened from its declaration: cases, parts, slices and decoded volumes.

use super::cache::Cache;
use super::error::{DataError, Result};
use super::formats::Arrays;
use super::intensity::normalize;
use super::layout::{self, Case, Layout};
use super::slice::{Plane, depth, slice};
use super::source::{Intensity, Source};
use super::split::{Division, SliceId, divide, labelled_slices};
use super::volume::{Grid, Volume};
use crate::phantom;
use std::path::Path;
use std::sync::Arc;

/// A dataset whose files were found and whose headers were read.
pub struct Dataset {
    source: Source,
    classes: Vec<String>,
    layout: Layout,
    grids: Vec<Grid>,
    division: Division,
    labelled: Vec<SliceId>,
    unlabelled: Vec<SliceId>,
    images: Cache<Volume<f32>>,
    labels: Cache<Volume<u8>>,
}

/// A part of the training slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Slices whose labels may be used.
    Labelled,
    /// The other training slices.
    Unlabelled,
    /// Both.
    Train,
}

impl Dataset {
    /// Finds the files of `source`, reads their headers and divides them. At most `cache_bytes` of
    /// decoded volumes are kept in memory.
    ///
    /// # Errors
    /// Anything wrong with folders, headers, pairs, lists or fractions; see [`DataError`].
    pub fn open(source: &Source, cache_bytes: usize) -> Result<Self> {
        let root = source.root();
        if let Source::Synapse {
            phantoms: Some(cases),
            ..
        } = source
            && !root.exists()
        {
            write_phantoms(root, *cases)?;
        }
        let layout = layout::find(source)?;
        let cases = &layout.cases;
        let names: Vec<String> = cases.iter().map(|c| c.name.clone()).collect();
        let mut division = divide(root, &names, source.split())?;
        let grids = cases
            .iter()
            .map(|case| case.image.read_grid(layout.arrays))
            .collect::<Result<Vec<_>>>()?;
        let axis = source.slice_axis();
        let depths: Vec<usize> = grids.iter().map(|g| depth(g.shape, axis)).collect();
        let has_labels = cases.iter().any(|c| c.label.is_some());
        let mut labelled = Vec::new();
        if has_labels {
            let (slices, missing) =
                labelled_slices(root, &names, &depths, &division.train, source.labelled())?;
            labelled = slices;
            division.missing.extend(missing);
            need_labels(source, cases, &labelled, &division.test)?;
        }
        let unlabelled = division
            .train
            .iter()
            .flat_map(|&case| (0..depths[case]).map(move |index| SliceId { case, index }))
            .filter(|slice| labelled.binary_search(slice).is_err())
            .collect();
        Ok(Self {
            images: Cache::new(cases.len(), cache_bytes / 5 * 4),
            labels: Cache::new(cases.len(), cache_bytes / 5),
            source: source.clone(),
            classes: source.classes(),
            layout,
            grids,
            division,
            labelled,
            unlabelled,
        })
    }

    /// The declaration it was opened from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Names of the foreground classes 1, 2, ….
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What became 0 and 1.
    pub fn intensity(&self) -> Intensity {
        self.layout.intensity
    }

    /// How arrays of files without geometry lie.
    pub fn arrays(&self) -> Arrays {
        self.layout.arrays
    }

    /// What the user should know of the files.
    pub fn warnings(&self) -> &[String] {
        &self.layout.warnings
    }

    /// All cases, sorted by name.
    pub fn cases(&self) -> &[Case] {
        &self.layout.cases
    }

    /// The canonical grid of a case's image; `None` if there is no such case.
    pub fn grid(&self, case: usize) -> Option<&Grid> {
        self.grids.get(case)
    }

    /// Training and test cases as indices into [`Dataset::cases`], and what published lists name
    /// but the disk lacks.
    pub fn division(&self) -> &Division {
        &self.division
    }

    /// The slices of a part of the training cases, in ascending order.
    pub fn slices(&self, part: Part) -> Vec<SliceId> {
        match part {
            Part::Labelled => self.labelled.clone(),
            Part::Unlabelled => self.unlabelled.clone(),
            Part::Train => {
                let mut all = [self.labelled.as_slice(), &self.unlabelled].concat();
                all.sort_unstable();
                all
            }
        }
    }

    /// Whether some slice of a case is in [`Part::Labelled`].
    pub fn is_labelled(&self, case: usize) -> bool {
        self.labelled.iter().any(|slice| slice.case == case)
    }

    /// A case's image with intensities scaled as the data set says.
    ///
    /// # Errors
    /// No such case, or an unusable file.
    pub fn image(&self, case: usize) -> Result<Arc<Volume<f32>>> {
        let found = self.case(case)?;
        self.images.get(case, || {
            let mut volume = found.image.read_image(self.layout.arrays)?;
            normalize(&mut volume.voxels, self.layout.intensity);
            let bytes = volume.voxels.len() * size_of::<f32>();
            Ok((volume, bytes))
        })
    }

    /// A case's label map as classes 0 (background), 1, 2, ….
    ///
    /// # Errors
    /// No such case, no label, an unusable file, a shape other than the image's, or a value
    /// without a class.
    pub fn label(&self, case: usize) -> Result<Arc<Volume<u8>>> {
        let found = self.case(case)?;
        let Some(scan) = &found.label else {
            let problem = format!("case {} has no label", found.name);
            return Err(DataError::dataset(self.source.root(), problem));
        };
        self.labels.get(case, || {
            let mut volume = scan.read_labels(self.layout.arrays)?;
            let image = &self.grids[case];
            if volume.grid.shape != image.shape {
                return Err(DataError::Pair {
                    image: found.image.path().to_owned(),
                    label: scan.path().to_owned(),
                    problem: format!(
                        "shapes differ: {:?} and {:?} (right, anterior, superior)",
                        image.shape, volume.grid.shape
                    ),
                });
            }
            self.map_classes(&mut volume)?;
            let bytes = volume.voxels.len();
            Ok((volume, bytes))
        })
    }

    /// One slice of a case's image, intensities as in [`Dataset::image`].
    ///
    /// # Errors
    /// As [`Dataset::image`], and no such slice.
    pub fn image_slice(&self, id: SliceId) -> Result<Plane<f32>> {
        let plane = slice(&*self.image(id.case)?, self.source.slice_axis(), id.index);
        plane.ok_or_else(|| self.no_slice(id))
    }

    /// One slice of a case's label map, classes.
    ///
    /// # Errors
    /// As [`Dataset::label`], and no such slice.
    pub fn label_slice(&self, id: SliceId) -> Result<Plane<u8>> {
        let plane = slice(&*self.label(id.case)?, self.source.slice_axis(), id.index);
        plane.ok_or_else(|| self.no_slice(id))
    }

    fn case(&self, case: usize) -> Result<&Case> {
        self.layout.cases.get(case).ok_or_else(|| {
            let problem = format!("case number {case} of {}", self.layout.cases.len());
            DataError::dataset(self.source.root(), problem)
        })
    }

    fn no_slice(&self, id: SliceId) -> DataError {
        let problem = format!("case number {} has no slice {}", id.case, id.index);
        DataError::dataset(self.source.root(), problem)
    }

    /// Turns stored label values into classes.
    fn map_classes(&self, volume: &mut Volume<u8>) -> Result<()> {
        let mut classes = [None; 256];
        for (value, class) in &self.layout.values {
            classes[usize::from(*value)] = Some(*class);
        }
        for voxel in &mut volume.voxels {
            let Some(class) = classes[usize::from(*voxel)] else {
                let problem = format!(
                    "label value {voxel} stands for no class; known are {}, the classes {}",
                    ranges(self.layout.values.keys().copied()),
                    self.classes.join(", ")
                );
                return Err(DataError::content(&volume.path, problem));
            };
            *voxel = class;
        }
        Ok(())
    }
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

/// Writes small phantoms in Synapse's layout, all or none.
fn write_phantoms(root: &Path, cases: usize) -> Result<()> {
    eprintln!("writing {cases} phantom volumes to {}", root.display());
    let options = phantom::Options {
        layout: phantom::Layout::Synapse,
        cases,
        seed: 1,
        shape: phantom::Options::SMALL,
    };
    let partial = root.with_extension("partial");
    phantom::generate(&options, &partial)?;
    std::fs::rename(&partial, root)
        .map_err(|e| DataError::dataset(root, format!("cannot be created: {e}")))
}

/// Every labelled training case and every test case must have a label.
fn need_labels(
    source: &Source,
    cases: &[Case],
    labelled: &[SliceId],
    test: &[usize],
) -> Result<()> {
    let needed = labelled.iter().map(|s| s.case).chain(test.iter().copied());
    match needed
        .filter_map(|c| cases.get(c))
        .find(|c| c.label.is_none())
    {
        Some(case) => {
            let problem = format!(
                "image {} has no label of the same name; add it, or leave the case out of `labelled` and the test cases",
                case.image.path().display()
            );
            Err(DataError::dataset(source.root(), problem))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
