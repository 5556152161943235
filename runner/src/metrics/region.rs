//! Where a class is in two label maps of one shape.

use rayon::prelude::*;

/// Labels are u8.
const LABELS: usize = 256;

/// How often a class occurs, and the smallest box that holds it in both maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    /// Voxels in the first map.
    pub(super) first: usize,
    /// Voxels in the second.
    pub(super) second: usize,
    /// Voxels in both at the same place.
    pub(super) overlap: usize,
    low: [usize; 3],
    high: [usize; 3],
}

const NOWHERE: Region = Region {
    first: 0,
    second: 0,
    overlap: 0,
    low: [usize::MAX; 3],
    high: [0; 3],
};

/// The regions of all labels, by label.
pub(super) fn regions(first: &[u8], second: &[u8], [nx, ny, _]: [usize; 3]) -> Vec<Region> {
    let rows = first.par_chunks(nx).zip(second.par_chunks(nx)).enumerate();
    let nowhere = || vec![NOWHERE; LABELS];
    rows.fold(nowhere, |mut regions, (row, (first, second))| {
        for (x, (&a, &b)) in first.iter().zip(second).enumerate() {
            if a == 0 && b == 0 {
                continue;
            }
            let at = [x, row % ny, row / ny];
            let region = &mut regions[usize::from(a)];
            region.first += 1;
            region.overlap += usize::from(a == b);
            region.include(at);
            let region = &mut regions[usize::from(b)];
            region.second += 1;
            region.include(at);
        }
        regions
    })
    .reduce(nowhere, |mut regions, others| {
        for (region, other) in regions.iter_mut().zip(others) {
            region.first += other.first;
            region.second += other.second;
            region.overlap += other.overlap;
            for axis in 0..3 {
                region.low[axis] = region.low[axis].min(other.low[axis]);
                region.high[axis] = region.high[axis].max(other.high[axis]);
            }
        }
        regions
    })
}

impl Region {
    fn include(&mut self, at: [usize; 3]) {
        for (axis, at) in at.into_iter().enumerate() {
            self.low[axis] = self.low[axis].min(at);
            self.high[axis] = self.high[axis].max(at + 1);
        }
    }

    /// Voxels of the box along each axis.
    pub(super) fn shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.high[axis].saturating_sub(self.low[axis]))
    }

    /// Where `labels`, a map of `shape`, is `label` in the box. Outside it both maps have other labels,
    /// which is what surfaces assume beyond a volume's border, so distances do not change.
    pub(super) fn cut(&self, labels: &[u8], [nx, ny, _]: [usize; 3], label: u8) -> Vec<bool> {
        let [width, height, depth] = self.shape();
        let mut mask = Vec::with_capacity(width * height * depth);
        for z in self.low[2]..self.high[2] {
            for y in self.low[1]..self.high[1] {
                let row = nx * (y + ny * z);
                let row = &labels[row + self.low[0]..row + self.high[0]];
                mask.extend(row.iter().map(|found| *found == label));
            }
        }
        mask
    }
}
