//! CT-like abdominal phantoms with the eight Synapse organs, for trying pipelines without patient
//! data. Organs vary in place, size, shape and contrast between cases; muscle, vessels, bowel and
//! bone share their attenuations, so position, shape and texture are needed to tell them apart.

mod anatomy;
mod files;
mod noise;
mod render;
mod shape;

use crate::data::error::{DataError, Result};
use crate::data::volume::{Grid, Orientation, Volume};
use anatomy::Patient;
use rayon::prelude::*;
use samora_engine::random::Stream;
use std::path::{Path, PathBuf};

pub use files::Layout;

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Naming and labelling.
    pub layout: Layout,
    /// Number of cases.
    pub cases: usize,
    /// Seed; case i of a seed does not depend on the number of cases or their size.
    pub seed: u64,
    /// Voxels right, anterior and superior; more voxels are finer voxels of the same body.
    pub shape: [usize; 3],
}

impl Options {
    /// A shape that suits a processor without a GPU.
    pub const SMALL: [usize; 3] = [112, 88, 32];
}

/// Least field of view in millimetres, before each case's own variation. Pixels are square.
const FIELD_MM: [f32; 3] = [370.0, 290.0, 230.0];

/// Writes `options.cases` cases under `out` and returns the image files.
///
/// # Errors
/// A shape with fewer than 16 or more than 1024 voxels along an axis, or `out` cannot be written.
pub fn generate(options: &Options, out: &Path) -> Result<Vec<PathBuf>> {
    generate_counting(options, out, || ())
}

/// As [`generate`]; calls `written` after each case.
///
/// # Errors
/// As [`generate`].
pub fn generate_counting(
    options: &Options,
    out: &Path,
    written: impl Fn() + Sync,
) -> Result<Vec<PathBuf>> {
    if options.shape.iter().any(|n| !(16..=1024).contains(n)) {
        let problem = format!(
            "shape {:?} must be 16 to 1024 voxels each way",
            options.shape
        );
        return Err(DataError::dataset(out, problem));
    }
    files::create_folders(options.layout, out)?;
    (0..options.cases)
        .into_par_iter()
        .map(|case| {
            let (image, labels) = phantom(options, case)?;
            let path = files::write(options.layout, out, case, image, labels)?;
            written();
            Ok(path)
        })
        .collect()
}

/// Writes small phantoms in Synapse's layout in place of its folder, all or none, whoever else writes them at the same
/// time.
///
/// # Errors
/// As [`generate`].
pub fn stand_in(root: &Path, cases: usize) -> Result<()> {
    eprintln!("writing {cases} phantom volumes to {}", root.display());
    let options = Options {
        layout: Layout::Synapse,
        cases,
        seed: 1,
        shape: Options::SMALL,
    };
    let partial = root.with_extension(format!("{}.partial", std::process::id()));
    generate(&options, &partial)?;
    match std::fs::rename(&partial, root) {
        // Another run was faster.
        Err(_) if root.is_dir() => std::fs::remove_dir_all(&partial),
        renamed => renamed,
    }
    .map_err(|e| DataError::dataset(root, format!("cannot be created: {e}")))
}

/// Case `case` as an image in Hounsfield units and a label map with Synapse's original values.
fn phantom(options: &Options, case: usize) -> Result<(Volume<i16>, Volume<u8>)> {
    let mut stream = Stream::named(options.seed, "phantom").at(case as u64);
    let patient = Patient::draw(&mut stream);
    let zoom = stream.range(0.95, 1.05);
    let [width, depth, height] =
        [0, 1, 2].map(|axis| zoom * FIELD_MM[axis] / options.shape[axis] as f32);
    let spacing = [width.max(depth), width.max(depth), height];
    let directions = options.layout.directions();
    let grid = stored_grid(options.shape, spacing, directions, &mut stream).ok_or_else(|| {
        DataError::dataset(Path::new("phantom"), "the scan's affine is not invertible")
    })?;
    let scanned = render::render(&patient, options.shape, spacing, &mut stream);
    let image = Volume::new(grid.clone(), scanned.hounsfield, PathBuf::new())?;
    Ok((image, Volume::new(grid, scanned.labels, PathBuf::new())?))
}

/// Stored to the left or right, the back or the front, and the head, a little tilted and off-centre.
fn stored_grid(
    shape: [usize; 3],
    spacing: [f32; 3],
    directions: Orientation,
    stream: &mut Stream,
) -> Option<Grid> {
    let (sin, cos) = f64::from(stream.range(-0.03, 0.03)).sin_cos();
    let [sx, sy, sz] = spacing.map(f64::from);
    let offset = [150.0, 130.0, -300.0].map(|o| f64::from(stream.range(-20.0, 20.0) + o));
    let sign = |axis: usize| if directions.flipped[axis] { 1.0 } else { -1.0 };
    let (left, back) = (sign(0), sign(1));
    let affine = [
        [-left * sx * cos, back * sy * sin, 0.0, left * offset[0]],
        [-left * sx * sin, -back * sy * cos, 0.0, back * offset[1]],
        [0.0, 0.0, sz, offset[2]],
        [0.0, 0.0, 0.0, 1.0],
    ];
    Grid::from_stored(shape, affine)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
