//! Distances between the surfaces of two masks, and the metrics made of them, as medpy defines them.

use super::distance::squared_distance_transform;
use super::statistics::{mean, percentile};
use rayon::prelude::*;

/// How much further than the tolerance still counts as within it, as a share: NIfTI headers hold a
/// spacing in single precision, so that five steps of 0.4 mm are a little more than 2 mm.
const SINGLE_PRECISION: f64 = 1e-6;

/// The surfaces of two masks of one shape that both have voxels.
///
/// The surface of a mask is the mask without its erosion by the face neighbours, with background outside
/// the volume. Where a volume is one voxel thick it has no axis: a slice's surface is its outline.
#[derive(Clone, Debug)]
pub struct Surfaces {
    shape: [usize; 3],
    first: Vec<bool>,
    second: Vec<bool>,
}

impl Surfaces {
    /// The surfaces of two masks of `shape` [nx, ny, nz], x fastest; `None` if either has no voxels or
    /// another shape.
    pub fn of(first: &[bool], second: &[bool], shape: [usize; 3]) -> Option<Self> {
        Self::of_part(first, second, shape, shape)
    }

    /// As [`Surfaces::of`], of masks of a part of a volume of shape `whole` beside which they are empty.
    pub fn of_part(
        first: &[bool],
        second: &[bool],
        shape: [usize; 3],
        whole: [usize; 3],
    ) -> Option<Self> {
        let len: usize = shape.iter().product();
        let usable = |mask: &[bool]| mask.len() == len && mask.contains(&true);
        let axes = whole.map(|voxels| voxels > 1);
        (usable(first) && usable(second)).then(|| Self {
            shape,
            first: surface(first, shape, axes),
            second: surface(second, shape, axes),
        })
    }

    /// The distances between them in the unit of `spacing`.
    pub fn distances(&self, spacing: [f64; 3]) -> SurfaceDistances {
        let between = |from: &[bool], to: &[bool]| -> Vec<f64> {
            let squared = squared_distance_transform(to, self.shape, spacing);
            let voxels = from.par_iter().zip(squared);
            voxels
                .filter_map(|(on, squared)| on.then(|| squared.sqrt()))
                .collect()
        };
        SurfaceDistances {
            from_first: between(&self.first, &self.second),
            from_second: between(&self.second, &self.first),
        }
    }
}

/// Distances of each surface's voxels to the nearest voxel of the other surface.
#[derive(Clone, Debug)]
pub struct SurfaceDistances {
    from_first: Vec<f64>,
    from_second: Vec<f64>,
}

impl SurfaceDistances {
    /// 95th percentile of the distances in both directions together (medpy `hd95`).
    pub fn hd95(&self) -> f64 {
        percentile(&mut self.both(), 95.0)
    }

    /// Mean of the distances in both directions together (`assd` of medpy 0.5 and MONAI; up to 0.4 medpy
    /// took the mean of the two directions' means).
    pub fn assd(&self) -> f64 {
        mean(self.both()).unwrap_or(f64::NAN)
    }

    /// Mean distance from the first surface to the second (medpy `asd`).
    pub fn asd(&self) -> f64 {
        mean(self.from_first.iter().copied()).unwrap_or(f64::NAN)
    }

    /// Share of both surfaces' voxels whose distance is at most `tolerance`: normalised surface distance
    /// as MONAI's `compute_surface_dice` counts it. DeepMind's surface-distance weighs the voxels by
    /// their area instead.
    pub fn nsd(&self, tolerance: f64) -> f64 {
        let all = self.both();
        let limit = tolerance * (1.0 + SINGLE_PRECISION);
        let within = all.iter().filter(|distance| **distance <= limit).count();
        within as f64 / all.len() as f64
    }

    fn both(&self) -> Vec<f64> {
        [self.from_first.as_slice(), &self.from_second].concat()
    }
}

/// The voxels of a mask that have a face neighbour outside it along one of `axes`.
fn surface(mask: &[bool], [nx, ny, nz]: [usize; 3], axes: [bool; 3]) -> Vec<bool> {
    if axes == [false; 3] {
        // A single voxel has no inside.
        return mask.to_vec();
    }
    let mut surface = vec![false; mask.len()];
    // Where there is no axis a row is its own neighbour.
    let [across, along, above] = axes;
    let (next_y, next_z) = (usize::from(along), ny * usize::from(above));
    surface
        .par_chunks_mut(nx)
        .enumerate()
        .for_each(|(row, surface)| {
            let (y, z) = (row % ny, row / ny);
            let line = |row: usize| &mask[row * nx..(row + 1) * nx];
            let own = line(row);
            let ends = |at: usize, n: usize| at == 0 || at + 1 == n;
            if (along && ends(y, ny)) || (above && ends(z, nz)) {
                surface.copy_from_slice(own);
                return;
            }
            let around = [row - next_y, row + next_y, row - next_z, row + next_z].map(line);
            for (x, surface) in surface.iter_mut().enumerate() {
                let between = !across || (!ends(x, nx) && own[x - 1] && own[x + 1]);
                let inside = between && around.iter().all(|line| line[x]);
                *surface = own[x] && !inside;
            }
        });
    surface
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [12, 12, 6];

    fn block(x: [usize; 2], y: [usize; 2], z: [usize; 2]) -> Vec<bool> {
        let inside = |at: usize, [low, high]: [usize; 2]| (low..high).contains(&at);
        (0..SHAPE.iter().product::<usize>())
            .map(|i| inside(i % 12, x) && inside(i / 12 % 12, y) && inside(i / 144, z))
            .collect()
    }

    /// Expected values come from medpy.
    #[test]
    fn two_blocks_are_as_far_apart_as_in_medpy() {
        let truth = block([3, 10], [2, 9], [1, 5]);
        let prediction = block([2, 8], [4, 11], [0, 4]);
        let count = |mask: &[bool]| mask.iter().filter(|on| **on).count();
        assert_eq!(count(&surface(&truth, SHAPE, [true; 3])), 146);
        assert_eq!(count(&surface(&prediction, SHAPE, [true; 3])), 128);
        let surfaces = Surfaces::of(&prediction, &truth, SHAPE).unwrap();
        let found = surfaces.distances([1.0; 3]);
        assert!((found.hd95() - 2.236_067_977_5).abs() < 1e-9);
        let doubled = surfaces.distances([2.0; 3]);
        assert!((doubled.hd95() - 2.0 * found.hd95()).abs() < 1e-9);
        assert!((doubled.assd() - 2.0 * found.assd()).abs() < 1e-9);
        assert_eq!(doubled.nsd(2.0), found.nsd(1.0));
    }

    /// Two 30×30 squares 8 pixels apart; expected values come from medpy on 2-D arrays.
    #[test]
    fn slices_have_outlines() {
        let square = |left: usize| -> Vec<bool> {
            let inside = |i: usize| (left..left + 30).contains(&(i % 60));
            (0..3600)
                .map(|i| inside(i) && (10..40).contains(&(i / 60)))
                .collect()
        };
        let (first, second) = (square(5), square(13));
        let expected = (8.0, 4.0, 12.0 / 29.0);
        // The squares are wide along the first and high along the second of these axes.
        for (shape, spacing) in [
            ([60, 60, 1], [1.0, 1.0, 5.0]),
            ([60, 1, 60], [1.0, 5.0, 1.0]),
            ([1, 60, 60], [5.0, 1.0, 1.0]),
        ] {
            let surfaces = Surfaces::of(&first, &second, shape).unwrap();
            let found = surfaces.distances(spacing);
            let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(close(found.hd95(), expected.0), "{}", found.hd95());
            assert!(close(found.assd(), expected.1), "{}", found.assd());
            assert!(close(found.nsd(1.0), expected.2), "{}", found.nsd(1.0));
        }
        // A plate in a volume is all surface.
        let shape = [60, 60, 1];
        let plates = Surfaces::of_part(&first, &second, shape, [60, 60, 3]).unwrap();
        assert!(plates.distances([1.0; 3]).assd() < 2.0);
    }

    #[test]
    fn rows_have_two_ends_and_single_voxels_are_their_own_surface() {
        let row = [false, true, true, true, true, false];
        for shape in [[6, 1, 1], [1, 6, 1], [1, 1, 6]] {
            let surfaces = Surfaces::of(&row, &[true; 6], shape).unwrap();
            let found = surfaces.distances([2.0; 3]);
            assert_eq!((found.hd95(), found.assd()), (2.0, 2.0), "{shape:?}");
        }
        let voxel = Surfaces::of(&[true], &[true], [1; 3]).unwrap();
        let found = voxel.distances([1.0; 3]);
        assert_eq!(
            (found.hd95(), found.assd(), found.nsd(0.0)),
            (0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn an_empty_mask_has_no_surface() {
        let truth = block([3, 10], [2, 9], [1, 5]);
        assert!(Surfaces::of(&[false; 864], &truth, SHAPE).is_none());
        assert!(Surfaces::of(&truth, &[false; 864], SHAPE).is_none());
    }

    #[test]
    fn equal_masks_are_at_distance_zero() {
        let mask = block([0, 12], [0, 12], [0, 6]);
        let found = Surfaces::of(&mask, &mask, SHAPE)
            .unwrap()
            .distances([0.4; 3]);
        let metrics = [found.hd95(), found.assd(), found.asd(), found.nsd(0.0)];
        assert_eq!(metrics, [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn five_steps_of_single_precision_are_within_the_tolerance() {
        let (first, second) = (block([0, 1], [0, 1], [0, 1]), block([5, 6], [0, 1], [0, 1]));
        let surfaces = Surfaces::of(&first, &second, SHAPE).unwrap();
        let found = surfaces.distances([f64::from(0.4_f32), 1.0, 1.0]);
        assert!(found.hd95() > 2.0);
        assert_eq!(found.nsd(2.0), 1.0);
        assert_eq!(found.nsd(1.99), 0.0);
    }
}
