//! Elastic deformation as H-SAM applies it (datasets/dataset_synapse.py, `random_elastic`, after Simard
//! et al. 2003): a random affine map, then a smooth random displacement of every pixel.

use super::gaussian::{Border, blur};
use super::sampling::{linear, moved, moved_mirrored, nearest};
use super::slice::Plane;
use samora_engine::random::Stream;

/// x ↦ `[0][0]`·x + `[0][1]`·y + `[0][2]`, y likewise by `[1]`; x along columns, y along rows.
type Affine = [[f64; 3]; 2];

/// A deformation of planes of one size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Elastic {
    /// From a deformed pixel to its source.
    affine: Affine,
    /// Displacement of the source along columns, in pixels; applied after the affine map.
    dx: Plane<f32>,
    /// Displacement of the source along rows, in pixels.
    dy: Plane<f32>,
}

impl Elastic {
    /// Draws a deformation for images of width W: three points move by up to 0.08·W in x and y, and
    /// displacements are noise in −1…1, Gaussian-filtered with σ = 0.08·W, times 2·W.
    pub(super) fn draw(height: usize, width: usize, stream: &mut Stream) -> Self {
        let spread = 0.08 * width as f32;
        let side = (height.min(width) / 3) as f32;
        let (x, y) = ((width / 2) as f32, (height / 2) as f32);
        let from = [
            [x + side, y + side],
            [x + side, y - side],
            [x - side, y - side],
        ];
        let to = from.map(|point| point.map(|at| at + stream.range(-spread, spread)));
        let mut displacement = || {
            let noise = Plane::from_fn(height, width, |_, _| stream.range(-1.0, 1.0));
            let mut smooth = blur(
                &noise,
                (4.0 * spread + 0.5) as usize,
                spread,
                Border::Reflect,
            );
            smooth
                .pixels
                .iter_mut()
                .for_each(|d| *d *= 2.0 * width as f32);
            smooth
        };
        Self {
            // Tiny or very oblong images may have their points on a line.
            affine: affine(to, from).unwrap_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
            dx: displacement(),
            dy: displacement(),
        }
    }

    /// Deforms intensities by bilinear interpolation.
    pub(super) fn image(&self, image: &Plane<f32>) -> Plane<f32> {
        self.apply(image, linear)
    }

    /// Deforms classes by nearest neighbour.
    pub(super) fn label(&self, label: &Plane<u8>) -> Plane<u8> {
        self.apply(label, nearest)
    }

    /// Deforms classes as if they were intensities and cuts fractions off, as H-SAM does: between two
    /// classes lie those with values between theirs.
    pub(super) fn interpolated_label(&self, label: &Plane<u8>) -> Plane<u8> {
        let values = label.map(f32::from);
        self.image(&values).map(|value| value as u8)
    }

    /// The affine map mirrors what comes in from outside; the displacement brings in 0.
    fn apply<T: Copy + Default>(
        &self,
        plane: &Plane<T>,
        sample: impl Fn(&Plane<T>, f64, f64) -> T,
    ) -> Plane<T> {
        let [mx, my] = self.affine;
        let along = |m: [f64; 3], r: usize, c: usize| m[0] * c as f64 + m[1] * r as f64 + m[2];
        let mapped = moved_mirrored(plane, |r, c| (along(my, r, c), along(mx, r, c)), &sample);
        let displaced = |r: usize, c: usize| {
            let (dy, dx) = (self.dy.at(r, c), self.dx.at(r, c));
            (r as f64 + f64::from(dy), c as f64 + f64::from(dx))
        };
        moved(&mapped, displaced, sample)
    }
}

/// The affine map that takes three points (x, y) to three others; `None` if the first lie on a line.
fn affine(from: [[f32; 2]; 3], to: [[f32; 2]; 3]) -> Option<Affine> {
    let [from, to] = [from, to].map(|points| points.map(|p| p.map(f64::from)));
    let edge = |i: usize| [from[i][0] - from[0][0], from[i][1] - from[0][1]];
    let (a, b) = (edge(1), edge(2));
    let area = a[0] * b[1] - a[1] * b[0];
    let along = |k: usize| {
        let (d, e) = (to[1][k] - to[0][k], to[2][k] - to[0][k]);
        let x = (d * b[1] - e * a[1]) / area;
        let y = (e * a[0] - d * b[0]) / area;
        [x, y, to[0][k] - x * from[0][0] - y * from[0][1]]
    };
    (area != 0.0).then(|| [along(0), along(1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::golden::{checksum, scene};

    const START: [[f32; 2]; 3] = [[34.0, 30.0], [34.0, 6.0], [10.0, 6.0]];
    const END: [[f32; 2]; 3] = [[35.5, 27.75], [34.5, 9.0], [7.25, 6.125]];

    /// Expected values: `tests/reference/preprocessing.py`, OpenCV 5.0.
    #[test]
    fn three_points_give_opencvs_affine_map() {
        let found = affine(END, START).unwrap_or_default();
        let expected = [
            [0.8857178, -0.04723828, 3.86788043],
            [-0.13581006, 1.2872432, -0.89974167],
        ];
        for (f, e) in found.as_flattened().iter().zip(expected.as_flattened()) {
            assert!((f - e).abs() < 1e-7, "{found:?}");
        }
        assert_eq!(affine([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], START), None);
    }

    /// Expected values: `tests/reference/preprocessing.py`, scipy 1.17.1 (`map_coordinates`).
    #[test]
    fn deformations_match_scipy() {
        for ((height, width), expected) in [
            ((40, 46), [0.2196505717, 1.7499019643, 1.5318353376]),
            ((36, 36), [0.2268852426, 1.8356395016, 1.6032972715]),
        ] {
            let image = scene(height, width);
            let label = image.map(|value| (value * 9.0) as u8);
            let turned = scene(width, height);
            let elastic = Elastic {
                affine: affine(END, START).unwrap_or_default(),
                dx: image.map(|value| 8.0 * (value - 0.5)),
                dy: Plane::from_fn(height, width, |r, c| 8.0 * (turned.at(c, r) - 0.5)),
            };
            let found = [
                elastic.image(&image),
                elastic.label(&label).map(f32::from),
                elastic.interpolated_label(&label).map(f32::from),
            ];
            for (plane, expected) in found.iter().zip(expected) {
                let found = checksum(&plane.pixels);
                assert!((found - expected).abs() < 1e-8, "{found}, not {expected}");
            }
        }
    }

    #[test]
    fn deformations_of_every_size_are_safe_and_follow_their_key() {
        for (height, width) in [(1, 1), (2, 2), (1, 90), (90, 3), (48, 48)] {
            let draw = |index| {
                let mut stream = Stream::named(5, "elastic").at(index);
                Elastic::draw(height, width, &mut stream)
            };
            assert_eq!(draw(0), draw(0));
            assert_ne!(draw(0), draw(1));
            let deformed = draw(0).image(&scene(height, width));
            assert!(deformed.pixels.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
