//! A dataset opened from its declaration: cases, parts, slices and decoded volumes.

use super::cache::Cache;
use super::decode;
use super::error::{DataError, Result};
use super::formats::{Arrays, Scan};
use super::intensity::normalize;
use super::layout::{self, Case, Layout};
use super::plane_cache::PlaneCache;
use super::slice::{Plane, depth, slice};
use super::source::{Intensity, Source};
use super::split::{Division, SliceId, divide, labelled_slices};
use super::volume::{Grid, Volume};
use crate::phantom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A dataset whose files were found and whose headers were read.
pub struct Dataset {
    source: Source,
    classes: Vec<String>,
    layout: Layout,
    grids: Vec<Grid>,
    unreadable: BTreeMap<usize, DataError>,
    division: Division,
    labelled: Vec<SliceId>,
    unlabelled: Vec<SliceId>,
    memory: usize,
    images: Cache<Volume<f32>>,
    labels: Cache<Volume<u8>>,
    disk: Option<Disk>,
}

/// Slices of data that does not fit into memory.
struct Disk {
    images: PlaneCache,
    labels: PlaneCache,
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
    /// Finds the files of `source`, reads their headers and divides them. At most `memory` bytes
    /// of decoded volumes are kept in memory. Cases whose header cannot be used have no slices; see
    /// [`Dataset::unreadable`].
    ///
    /// # Errors
    /// Anything wrong with folders, pairs, lists or fractions; see [`DataError`].
    pub fn open(source: &Source, memory: usize) -> Result<Self> {
        let root = source.root();
        if let Source::Synapse {
            phantoms: Some(cases),
            ..
        } = source
            && !root.exists()
        {
            phantom::stand_in(root, *cases)?;
        }
        let mut layout = layout::find(source)?;
        layout.warnings.extend(decode::assumption(&layout));
        let cases = &layout.cases;
        let names: Vec<String> = cases.iter().map(|c| c.name.clone()).collect();
        let mut division = divide(root, &names, source.split())?;
        let mut unreadable = BTreeMap::new();
        let grids: Vec<Grid> = (cases.iter().enumerate())
            .map(|(index, case)| {
                let grid = decode::grid(case, &layout);
                grid.unwrap_or_else(|error| {
                    unreadable.insert(index, error);
                    Grid::axis_aligned([0; 3], [1.0; 3])
                })
            })
            .collect();
        let axis = source.slice_axis();
        let depths: Vec<usize> = grids.iter().map(|g| depth(g.shape, axis)).collect();
        let has_labels = cases.iter().any(|c| c.label.is_some());
        let mut labelled = Vec::new();
        if has_labels {
            let train = &division.train;
            match labelled_slices(root, &names, &depths, train, source.labelled()) {
                Ok((slices, missing)) => {
                    labelled = slices;
                    division.missing.extend(missing);
                }
                // Its slices are missing because of the headers, which are to be reported.
                Err(_) if train.iter().any(|case| unreadable.contains_key(case)) => (),
                Err(error) => return Err(error),
            }
            need_labels(source, cases, &labelled, &division.test)?;
        }
        let unlabelled = division
            .train
            .iter()
            .flat_map(|&case| (0..depths[case]).map(move |index| SliceId { case, index }))
            .filter(|slice| labelled.binary_search(slice).is_err())
            .collect();
        Ok(Self {
            memory,
            images: Cache::new(cases.len(), of_images(memory)),
            labels: Cache::new(cases.len(), of_labels(memory)),
            disk: None,
            source: source.clone(),
            classes: source.classes(),
            layout,
            grids,
            unreadable,
            division,
            labelled,
            unlabelled,
        })
    }

    /// Lets slices come from files in `folder`, if the training volumes do not fit into memory. Each volume
    /// is then decoded once, and of its file the slice that is asked for is read. The folder may serve other
    /// data sets and runs at the same time; what is missing from it is made.
    pub fn with_disk_cache(mut self, folder: &Path) -> Self {
        if self.decoded_bytes() <= self.memory {
            return self;
        }
        let axis = self.source.slice_axis();
        let Layout {
            arrays,
            intensity,
            values,
            ..
        } = &self.layout;
        let cache = |facts, budget| PlaneCache::new(folder, axis, facts, self.grids.len(), budget);
        self.disk = Some(Disk {
            images: cache(
                format!("image {arrays:?} {intensity:?}"),
                of_images(self.memory),
            ),
            labels: cache(
                format!("label {arrays:?} {values:?}"),
                of_labels(self.memory),
            ),
        });
        self
    }

    /// The folder of [`Dataset::with_disk_cache`]; `None` if everything fits into memory.
    pub fn disk_cache(&self) -> Option<&Path> {
        self.disk.as_ref().map(|disk| disk.images.folder())
    }

    /// Bytes of the decoded training volumes, images and label maps.
    pub fn decoded_bytes(&self) -> usize {
        let train = self.division.train.iter();
        let voxels: usize = train.map(|case| self.grids[*case].len()).sum();
        voxels * (size_of::<f32>() + size_of::<u8>())
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

    /// The class that each stored label value stands for.
    pub fn label_values(&self) -> &BTreeMap<u8, u8> {
        &self.layout.values
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

    /// Why a case's header cannot be used; `None` if it can.
    pub fn unreadable(&self, case: usize) -> Option<&DataError> {
        self.unreadable.get(&case)
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

    /// A case's image with the intensities that its file has.
    ///
    /// # Errors
    /// As [`Dataset::image`].
    pub fn stored_image(&self, case: usize) -> Result<Volume<f32>> {
        decode::stored_image(self.case(case)?, &self.layout)
    }

    /// A case's image with intensities scaled as the data set says.
    ///
    /// # Errors
    /// No such case, or an unusable file.
    pub fn image(&self, case: usize) -> Result<Arc<Volume<f32>>> {
        let found = self.case(case)?;
        self.images.get(case, || {
            let volume = decode::image(found, &self.layout)?;
            let bytes = size_of_val(volume.voxels.as_slice());
            Ok((volume, bytes))
        })
    }

    /// A case's label map as classes 0 (background), 1, 2, ….
    ///
    /// # Errors
    /// No such case, no label, an unusable file, a shape or a place other than the image's, or a
    /// value without a class.
    pub fn label(&self, case: usize) -> Result<Arc<Volume<u8>>> {
        let (found, scan) = self.labelled_case(case)?;
        self.labels.get(case, || {
            let volume = self.decode_label(case, (found, scan))?;
            let bytes = volume.voxels.len();
            Ok((volume, bytes))
        })
    }

    /// Scales a case's image, just read for another purpose, and keeps it, as far as memory or the disk cache
    /// allow, so that it need not be decoded again.
    pub(super) fn keep_image(&self, case: usize, mut volume: Volume<f32>) {
        let Some(found) = self.layout.cases.get(case) else {
            return;
        };
        if self.memory == 0 {
            return;
        }
        normalize(&mut volume.voxels, self.layout.intensity);
        match &self.disk {
            Some(disk) if self.division.train.binary_search(&case).is_ok() => {
                let (id, scan) = (SliceId { case, index: 0 }, &found.image);
                // What cannot be written is an error when the slice is asked for.
                let _ = disk
                    .images
                    .slice(id, (scan, &self.grids[case]), || Ok(volume));
            }
            Some(_) => (),
            None => {
                let bytes = size_of_val(volume.voxels.as_slice());
                let _ = self.images.get(case, || Ok((volume, bytes)));
            }
        }
    }

    /// One slice of a case's image, intensities as in [`Dataset::image`].
    ///
    /// # Errors
    /// As [`Dataset::image`], and no such slice.
    pub fn image_slice(&self, id: SliceId) -> Result<Plane<f32>> {
        let found = self.case(id.case)?;
        let plane = match &self.disk {
            Some(disk) => {
                let scan = (&found.image, &self.grids[id.case]);
                let decode = || decode::image(found, &self.layout);
                disk.images.slice(id, scan, decode)?
            }
            None => slice(&*self.image(id.case)?, self.source.slice_axis(), id.index),
        };
        plane.ok_or_else(|| self.no_slice(id))
    }

    /// One slice of a case's label map, classes.
    ///
    /// # Errors
    /// As [`Dataset::label`], and no such slice.
    pub fn label_slice(&self, id: SliceId) -> Result<Plane<u8>> {
        let (found, scan) = self.labelled_case(id.case)?;
        let plane = match &self.disk {
            Some(disk) => {
                let decode = || self.decode_label(id.case, (found, scan));
                disk.labels
                    .slice(id, (scan, &self.grids[id.case]), decode)?
            }
            None => slice(&*self.label(id.case)?, self.source.slice_axis(), id.index),
        };
        plane.ok_or_else(|| self.no_slice(id))
    }

    fn case(&self, case: usize) -> Result<&Case> {
        self.layout.cases.get(case).ok_or_else(|| {
            let problem = format!("case number {case} of {}", self.layout.cases.len());
            DataError::dataset(self.source.root(), problem)
        })
    }

    /// A case and its label.
    fn labelled_case(&self, case: usize) -> Result<(&Case, &Scan)> {
        let found = self.case(case)?;
        let Some(label) = &found.label else {
            let problem = format!("case {} has no label", found.name);
            return Err(DataError::dataset(self.source.root(), problem));
        };
        Ok((found, label))
    }

    fn decode_label(&self, case: usize, (found, scan): (&Case, &Scan)) -> Result<Volume<u8>> {
        let grid = &self.grids[case];
        decode::label(found, (scan, grid), &self.layout, &self.classes)
    }

    fn no_slice(&self, id: SliceId) -> DataError {
        let problem = format!("case number {} has no slice {}", id.case, id.index);
        DataError::dataset(self.source.root(), problem)
    }
}

/// The share of memory for images: four bytes of a voxel's five.
fn of_images(memory: usize) -> usize {
    memory / 5 * 4
}

/// The share of memory for label maps.
fn of_labels(memory: usize) -> usize {
    memory / 5
}

/// Every labelled training case and every test case must have a label.
fn need_labels(
    source: &Source,
    cases: &[Case],
    labelled: &[SliceId],
    test: &[usize],
) -> Result<()> {
    let needed = labelled.iter().map(|s| s.case).chain(test.iter().copied());
    let needed: BTreeSet<usize> = needed.collect();
    let lacking: Vec<&Case> = (needed.into_iter())
        .filter_map(|c| cases.get(c))
        .filter(|c| c.label.is_none())
        .collect();
    let Some(first) = lacking.first() else {
        return Ok(());
    };
    let others = match lacking.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let problem = format!(
        "image {}{others} has no label of the same name; add it, or leave the case out of `labelled` and \
         the test cases",
        first.image.path().display()
    );
    Err(DataError::dataset(source.root(), problem))
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "dataset_disk_tests.rs"]
mod disk_tests;
