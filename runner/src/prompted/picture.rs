//! The images SAM is asked about: pictures, and axial slices of volumes.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use image::ImageReader;

use super::Image;
use crate::data::error::DataError;
use crate::data::formats::{self, Arrays, Scan, numpy};
use crate::data::intensity::normalize;
use crate::data::slice::{Plane, depth, slice};
use crate::data::source::{Axis, Intensity};
use crate::error::{Error, Result};

/// A colour image.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Red, green and blue of equal size, in 0…255.
    pub channels: [Plane<f32>; 3],
}

impl Picture {
    /// A slice of intensities in 0…1.
    pub fn grey(mut plane: Plane<f32>) -> Self {
        plane.pixels.iter_mut().for_each(|x| *x *= 255.0);
        Self {
            channels: [plane.clone(), plane.clone(), plane],
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> (usize, usize) {
        (self.channels[0].height, self.channels[0].width)
    }
}

/// Where a picture is: `FILE`, or `VOLUME:SLICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFile {
    /// The file.
    pub path: PathBuf,
    /// Of a volume: the axial slice, from 0 at the feet.
    pub slice: Option<usize>,
}

impl FromStr for PictureFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = || Self {
            path: text.into(),
            slice: None,
        };
        let Some((path, slice)) = text.rsplit_once(':') else {
            return Ok(whole());
        };
        match slice.parse() {
            Ok(slice) => Ok(Self {
                path: path.into(),
                slice: Some(slice),
            }),
            Err(_) if formats::stem(path).is_some() => {
                Err(format!("`{slice}` is no slice, a whole number from 0"))
            }
            Err(_) => Ok(whole()),
        }
    }
}

/// A range of intensities, such as a CT window in HU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its middle.
    pub centre: f32,
    /// Its extent.
    pub width: f32,
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match super::prompts::numbers(text)? {
            [centre, width] if width > 0.0 => Ok(Self { centre, width }),
            [_, width] => Err(format!("the width must be above 0, not {width}")),
        }
    }
}

impl Window {
    /// As the scale of a data set.
    pub fn intensity(self) -> Intensity {
        Intensity::Window {
            low: self.centre - self.width / 2.0,
            high: self.centre + self.width / 2.0,
        }
    }
}

impl PictureFile {
    /// Reads the picture. Of a volume it is an axial slice, the middle one if none is chosen, seen with
    /// the front up and the patient's left on the left; its intensities are those of `window`, else
    /// from the slice's least to its greatest. Of several series in a folder, `series` is the number or UID of the
    /// volume.
    ///
    /// # Errors
    /// A file that cannot be read, a slice the volume does not have, a series of a file, or a window for a picture
    /// without intensities of its own.
    pub fn read(&self, window: Option<Window>, series: Option<&str>) -> Result<Picture> {
        let scan = formats::scan(&self.path, series)?;
        if formats::is_volume(&self.path) {
            return self.read_slice(&scan, window);
        }
        let path = self.path.display();
        if window.is_some() {
            let message = format!("{path}: --window is for volumes; leave it out");
            return Err(Error::Usage(message));
        }
        if let Some(slice) = self.slice {
            let message = format!("{path}: a picture has no slice {slice}; leave it out");
            return Err(Error::Usage(message));
        }
        Ok(read_colours(&self.path)?)
    }

    /// Whether it is a `.npy` file of four axes, as an encoder's input has them.
    pub fn is_prepared(&self) -> bool {
        self.is_npy() && numpy::axes(&self.path).is_ok_and(|axes| axes == 4)
    }

    /// Whether it is a `.npy` file.
    pub fn is_npy(&self) -> bool {
        let extension = self.path.extension();
        self.slice.is_none() && extension.is_some_and(|e| e.eq_ignore_ascii_case("npy"))
    }

    /// Reads the input of an encoder of images of `size_px`, a `.npy` file of `1×3×size_px×size_px`.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, or a window, which would change it.
    pub fn read_prepared(&self, window: Option<Window>, size_px: usize) -> Result<Image> {
        if window.is_some() {
            let path = self.path.display();
            let message = format!("{path}: --window is for volumes; leave it out");
            return Err(Error::Usage(message));
        }
        let tensor = numpy::read_tensor(&self.path, &[1, 3, size_px, size_px])?;
        Ok(Image::Prepared(tensor))
    }

    fn read_slice(&self, scan: &Scan, window: Option<Window>) -> Result<Picture> {
        let volume = scan.read_image(Arrays::default())?;
        let count = depth(volume.grid.shape, Axis::Axial);
        let index = self.slice.unwrap_or(count / 2);
        let path = self.path.display();
        let Some(plane) = slice(&volume, Axis::Axial, index) else {
            let message = format!("{path} has no slice {index}; choose one of 0…{}", count - 1);
            return Err(Error::Usage(message));
        };
        eprintln!("{path}: slice {index} of 0…{}", count - 1);
        let intensity = match window {
            Some(window) => window.intensity(),
            None => Intensity::Percentile {
                low: 0.0,
                high: 100.0,
            },
        };
        let mut plane = plane.neurological();
        normalize(&mut plane.pixels, intensity);
        Ok(Picture::grey(plane))
    }
}

fn read_colours(path: &Path) -> Result<Picture, DataError> {
    let io = |e| DataError::io(path, "read", e);
    let reader = ImageReader::open(path).map_err(io)?;
    let reader = reader.with_guessed_format().map_err(io)?;
    let decoded = reader.decode().map_err(|e| {
        let problem = format!(
            "cannot be read as PNG, JPEG, TIFF, BMP or a volume (.nii.gz, .nrrd, .mha, …): {e}"
        );
        DataError::content(path, problem)
    })?;
    let colours = decoded.into_rgb32f();
    let (width, height) = (colours.width() as usize, colours.height() as usize);
    let values = colours.as_raw();
    let channel = |c: usize| {
        Plane::from_fn(height, width, |row, column| {
            255.0 * values[3 * (row * width + column) + c]
        })
    };
    Ok(Picture {
        channels: [channel(0), channel(1), channel(2)],
    })
}
