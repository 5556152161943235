//! Exact Euclidean distance transform in linear time, with anisotropic spacing: a two-way scan
//! along x, then lower envelopes of parabolas along y and z (Felzenszwalb and Huttenlocher,
//! "Distance transforms of sampled functions", 2012).

use rayon::prelude::*;

/// Distance of every voxel to the nearest voxel where `target` is true, in the unit of `spacing`;
/// infinite if there is none. Voxel (x, y, z) of `shape` [nx, ny, nz] is element
/// `z + nz·(x + nx·y)` of the result, and `x + nx·(y + ny·z)` of `target`.
pub fn distance_z_fastest(target: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    let [nx, ny, nz] = shape;
    if target.is_empty() || target.len() != nx * ny * nz {
        return Vec::new();
    }
    let mut squared = vec![0.0; target.len()];
    squared
        .par_chunks_mut(nx * ny)
        .zip(target.par_chunks(nx * ny))
        .for_each(|(plane, target)| {
            for (row, target) in plane.chunks_mut(nx).zip(target.chunks(nx)) {
                scan_row(row, target, spacing[0]);
            }
            let mut envelope = Envelope::default();
            let mut column = vec![0.0; ny];
            for x in 0..nx {
                for y in 0..ny {
                    column[y] = plane[x + nx * y];
                }
                envelope.transform(&mut column, spacing[1]);
                for y in 0..ny {
                    plane[x + nx * y] = column[y];
                }
            }
        });
    let mut distance = vec![0.0; target.len()];
    distance.par_chunks_mut(nz).enumerate().for_each_init(
        Envelope::default,
        |envelope, (xy, column)| {
            for (z, value) in column.iter_mut().enumerate() {
                *value = squared[xy + nx * ny * z];
            }
            envelope.transform(column, spacing[2]);
            for value in column.iter_mut() {
                *value = value.sqrt();
            }
        },
    );
    distance
}

/// Squared distance along one row to the nearest target in the row.
fn scan_row(row: &mut [f64], target: &[bool], spacing: f64) {
    let mut steps = f64::INFINITY;
    for (value, &is_target) in row.iter_mut().zip(target) {
        steps = if is_target { 0.0 } else { steps + 1.0 };
        *value = steps;
    }
    steps = f64::INFINITY;
    for (value, &is_target) in row.iter_mut().zip(target).rev() {
        steps = if is_target { 0.0 } else { steps + 1.0 };
        let distance = value.min(steps) * spacing;
        *value = distance * distance;
    }
}

/// Scratch of the parabola envelope of one line.
#[derive(Default)]
struct Envelope {
    heights: Vec<f64>,
    /// Position of each parabola of the envelope and where it starts to be the lowest.
    parabolas: Vec<(usize, f64)>,
}

impl Envelope {
    /// line[i] ← min over j of line[j] + (spacing·(i − j))².
    fn transform(&mut self, line: &mut [f64], spacing: f64) {
        self.heights.clear();
        self.heights.extend_from_slice(line);
        self.parabolas.clear();
        let square = |i: usize| (spacing * i as f64) * (spacing * i as f64);
        for (i, &height) in self.heights.iter().enumerate() {
            if !height.is_finite() {
                continue;
            }
            let mut start = f64::NEG_INFINITY;
            while let Some(&(j, j_start)) = self.parabolas.last() {
                let gap = 2.0 * spacing * (i - j) as f64;
                start = (height + square(i) - self.heights[j] - square(j)) / gap;
                if start > j_start {
                    break;
                }
                self.parabolas.pop();
                start = f64::NEG_INFINITY;
            }
            self.parabolas.push((i, start));
        }
        let mut current = 0;
        for (i, value) in line.iter_mut().enumerate() {
            let at = spacing * i as f64;
            while self.parabolas.get(current + 1).is_some_and(|p| p.1 <= at) {
                current += 1;
            }
            *value = self.parabolas.get(current).map_or(f64::INFINITY, |p| {
                let offset = at - spacing * p.0 as f64;
                self.heights[p.0] + offset * offset
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use samora_engine::random::Stream;

    #[test]
    fn equals_brute_force_with_anisotropic_spacing() {
        let mut stream = Stream::named(5, "targets");
        let spacing = [0.7, 1.3, 2.5];
        for shape in [[7, 5, 6], [1, 9, 2], [11, 1, 1], [4, 4, 1]] {
            let [nx, ny, nz] = shape;
            let target: Vec<bool> = (0..nx * ny * nz).map(|_| stream.below(9) == 0).collect();
            let at = |x: usize, y: usize, z: usize| target[x + nx * (y + ny * z)];
            let distance = distance_z_fastest(&target, shape, spacing);
            for (x, y, z) in voxels(shape) {
                let nearest = voxels(shape)
                    .filter(|&(u, v, w)| at(u, v, w))
                    .map(|(u, v, w)| {
                        let step = |a: usize, b: usize, s: f64| (a as f64 - b as f64) * s;
                        step(x, u, spacing[0])
                            .hypot(step(y, v, spacing[1]))
                            .hypot(step(z, w, spacing[2]))
                    })
                    .fold(f64::INFINITY, f64::min);
                let found = distance[z + nz * (x + nx * y)];
                assert!(
                    found == nearest || (found - nearest).abs() < 1e-9,
                    "{found} {nearest}"
                );
            }
        }
    }

    #[test]
    fn no_target_is_infinitely_far() {
        let distance = distance_z_fastest(&[false; 8], [2, 2, 2], [1.0; 3]);
        assert!(distance.iter().all(|d| *d == f64::INFINITY));
    }

    fn voxels([nx, ny, nz]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..nx * ny * nz).map(move |i| (i % nx, i / nx % ny, i / nx / ny))
    }
}
