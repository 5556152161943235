//! Exact Euclidean distance transform in linear time, with anisotropic spacing: a two-way scan along x,
//! then lower envelopes of parabolas along y and z (Felzenszwalb and Huttenlocher, "Distance transforms
//! of sampled functions", 2012; their test of three neighbours as Maurer et al., 2003, have it, without
//! a division).

use rayon::prelude::*;

/// Columns taken through an envelope together: a cache line of f64.
const COLUMNS: usize = 8;

/// Distance of every voxel to the nearest voxel where `target` is true, in the unit of `spacing`;
/// infinite if there is none. Both are of `shape` [nx, ny, nz], x fastest; nothing comes back if
/// `target` is not.
pub fn distance_transform(target: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    transform(target, shape, spacing, f64::sqrt)
}

/// As [`distance_transform`], before the root: whole numbers without rounding where the spacing is 1.
pub fn squared_distance_transform(
    target: &[bool],
    shape: [usize; 3],
    spacing: [f64; 3],
) -> Vec<f64> {
    transform(target, shape, spacing, |squared| squared)
}

/// `finish` of the squared distances.
fn transform(
    target: &[bool],
    [nx, ny, nz]: [usize; 3],
    spacing: [f64; 3],
    finish: impl Fn(f64) -> f64 + Sync,
) -> Vec<f64> {
    if target.is_empty() || target.len() != nx * ny * nz {
        return Vec::new();
    }
    let mut distance = vec![0.0; target.len()];
    distance
        .par_chunks_mut(nx * ny)
        .zip(target.par_chunks(nx * ny))
        .for_each_init(Envelope::default, |envelope, (plane, target)| {
            if !target.contains(&true) {
                plane.fill(f64::INFINITY);
                return;
            }
            let mut rows: Vec<&mut [f64]> = plane.chunks_mut(nx).collect();
            for (row, target) in rows.iter_mut().zip(target.chunks(nx)) {
                scan(row, target, spacing[0]);
            }
            envelope.transform_columns(&mut rows, spacing[1], |squared| squared);
        });
    let mut slabs: Vec<Vec<&mut [f64]>> = (0..ny).map(|_| Vec::with_capacity(nz)).collect();
    for (index, row) in distance.chunks_mut(nx).enumerate() {
        slabs[index % ny].push(row);
    }
    slabs
        .par_iter_mut()
        .for_each_init(Envelope::default, |envelope, rows| {
            envelope.transform_columns(rows, spacing[2], &finish);
        });
    distance
}

/// Squared distance along one row to the nearest target in the row.
fn scan(row: &mut [f64], target: &[bool], spacing: f64) {
    if !target.contains(&true) {
        row.fill(f64::INFINITY);
        return;
    }
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

/// Scratch of the lower envelopes of parabolas.
#[derive(Default)]
struct Envelope {
    /// Some columns, one after the other.
    columns: Vec<f64>,
    /// Positions and heights of the vertices of the parabolas in the envelope.
    vertices: Vec<[f64; 2]>,
}

impl Envelope {
    /// rows[i][x] ← finish(min over j of rows[j][x] + (spacing·(i − j))²).
    fn transform_columns(
        &mut self,
        rows: &mut [&mut [f64]],
        spacing: f64,
        finish: impl Fn(f64) -> f64,
    ) {
        let height = rows.len();
        let width = rows.first().map_or(0, |row| row.len());
        self.columns.resize(COLUMNS * height, 0.0);
        for left in (0..width).step_by(COLUMNS) {
            let taken = left..width.min(left + COLUMNS);
            for (y, row) in rows.iter().enumerate() {
                for (column, value) in row[taken.clone()].iter().enumerate() {
                    self.columns[column * height + y] = *value;
                }
            }
            for column in self.columns.chunks_mut(height).take(taken.len()) {
                lower_envelope(column, spacing * spacing, &mut self.vertices);
            }
            for (y, row) in rows.iter_mut().enumerate() {
                for (column, value) in row[taken.clone()].iter_mut().enumerate() {
                    *value = finish(self.columns[column * height + y]);
                }
            }
        }
    }
}

/// line[i] ← min over j of line[j] + scale·(i − j)².
fn lower_envelope(line: &mut [f64], scale: f64, vertices: &mut Vec<[f64; 2]>) {
    vertices.clear();
    for (i, &height) in line.iter().enumerate() {
        if height == f64::INFINITY {
            continue;
        }
        let vertex = [i as f64, height];
        while let [.., before, last] = vertices[..] {
            if !is_hidden(before, last, vertex, scale) {
                break;
            }
            vertices.pop();
        }
        vertices.push(vertex);
    }
    let Some((&(mut lowest), mut rest)) = vertices.split_first() else {
        return;
    };
    for (i, value) in line.iter_mut().enumerate() {
        let at = |[position, height]: [f64; 2]| {
            let offset = i as f64 - position;
            height + scale * (offset * offset)
        };
        *value = at(lowest);
        while let Some((&next, after)) = rest.split_first() {
            let candidate = at(next);
            if candidate > *value {
                break;
            }
            (lowest, rest, *value) = (next, after, candidate);
        }
    }
}

/// Whether the parabola of `middle` is nowhere below those of its neighbours.
fn is_hidden(left: [f64; 2], middle: [f64; 2], right: [f64; 2], scale: f64) -> bool {
    let before = middle[0] - left[0];
    let after = right[0] - middle[0];
    let span = right[0] - left[0];
    span * middle[1] - after * left[1] - before * right[1] >= scale * before * after * span
}

#[cfg(test)]
mod tests {
    use super::*;
    use samora_engine::random::Stream;

    #[test]
    fn equals_brute_force_with_anisotropic_spacing() {
        let mut stream = Stream::named(5, "targets");
        let spacing = [0.7, 1.3, 2.5];
        for shape in [[7, 5, 6], [1, 9, 2], [11, 1, 1], [4, 4, 1], [19, 8, 3]] {
            let target = sparse(&mut stream, shape);
            let found = distance_transform(&target, shape, spacing);
            for (at, found) in voxels(shape).zip(found) {
                let nearest = nearest(&target, shape, at, spacing).sqrt();
                let equal = found == nearest || (found - nearest).abs() < 1e-12;
                assert!(equal, "{found} {nearest}");
            }
        }
    }

    #[test]
    fn squares_are_whole_with_a_spacing_of_one() {
        let mut stream = Stream::named(6, "targets");
        for shape in [[17, 23, 5], [3, 40, 2]] {
            let target = sparse(&mut stream, shape);
            let found = squared_distance_transform(&target, shape, [1.0; 3]);
            for (at, found) in voxels(shape).zip(found) {
                assert_eq!(found, nearest(&target, shape, at, [1.0; 3]));
            }
        }
    }

    #[test]
    fn no_target_is_infinitely_far() {
        let distance = distance_transform(&[false; 8], [2, 2, 2], [1.0; 3]);
        assert!(distance.iter().all(|d| *d == f64::INFINITY));
    }

    fn sparse(stream: &mut Stream, shape: [usize; 3]) -> Vec<bool> {
        voxels(shape).map(|_| stream.below(25) == 0).collect()
    }

    /// Squared distance to the nearest target.
    fn nearest(target: &[bool], shape: [usize; 3], at: [usize; 3], spacing: [f64; 3]) -> f64 {
        let targets = voxels(shape).zip(target).filter(|(_, on)| **on);
        let squares = targets.map(|(voxel, _)| {
            let offset = |axis: usize| (at[axis] as f64 - voxel[axis] as f64) * spacing[axis];
            [0, 1, 2].map(|axis| offset(axis).powi(2)).iter().sum()
        });
        squares.fold(f64::INFINITY, f64::min)
    }

    fn voxels([nx, ny, nz]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
        (0..nx * ny * nz).map(move |i| [i % nx, i / nx % ny, i / nx / ny])
    }
}
