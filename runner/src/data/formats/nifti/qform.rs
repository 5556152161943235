//! The qform: an affine without shear, as a unit quaternion. Formulas as in `nifti1_io.c`.

/// Directions of the axes as NIfTI's fields have them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Qform {
    /// −1 if the third axis runs against the rotation's, else 1 (`pixdim[0]`).
    pub(super) handedness: f64,
    /// The last three components of the rotation's unit quaternion.
    pub(super) quatern: [f64; 3],
}

/// The affine of a qform, spacings and the place of the first voxel; `None` if the quaternion is longer than 1.
pub(super) fn affine_of(
    qform: &Qform,
    spacing: [f64; 3],
    origin: [f64; 3],
) -> Option<[[f64; 4]; 4]> {
    let rotation = rotation(qform.quatern)?;
    let sizes = [spacing[0], spacing[1], spacing[2] * qform.handedness];
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    for row in 0..3 {
        for column in 0..3 {
            affine[row][column] = rotation[row][column] * sizes[column];
        }
        affine[row][3] = origin[row];
    }
    Some(affine)
}

/// The qform nearest to an invertible affine: without its shear.
pub(super) fn nearest(affine: &[[f64; 4]; 4]) -> Qform {
    let mut directions = [0, 1, 2].map(|row| [0, 1, 2].map(|column| affine[row][column]));
    let lengths = [0, 1, 2].map(|column| {
        let squares = directions.iter().map(|row| row[column] * row[column]);
        squares.sum::<f64>().sqrt()
    });
    let handedness = determinant(&directions).signum();
    for row in &mut directions {
        for (value, length) in row.iter_mut().zip(lengths) {
            *value /= length;
        }
        row[2] *= handedness;
    }
    Qform {
        handedness,
        quatern: quaternion(orthogonal(directions)),
    }
}

/// Rotation matrix of the unit quaternion whose last three components are given.
fn rotation([b, c, d]: [f64; 3]) -> Option<[[f64; 3]; 3]> {
    let rest = 1.0 - (b * b + c * c + d * d);
    // Stored as f32: near a half turn the rest is only rounding, either way.
    if !rest.is_finite() || rest < -1e-5 {
        return None;
    }
    let rounding = 3.0 * f64::from(f32::EPSILON);
    let a = if rest < rounding { 0.0 } else { rest.sqrt() };
    let n = 2.0 / (a * a + b * b + c * c + d * d);
    Some([
        [
            1.0 - n * (c * c + d * d),
            n * (b * c - a * d),
            n * (b * d + a * c),
        ],
        [
            n * (b * c + a * d),
            1.0 - n * (b * b + d * d),
            n * (c * d - a * b),
        ],
        [
            n * (b * d - a * c),
            n * (c * d + a * b),
            1.0 - n * (b * b + c * c),
        ],
    ])
}

/// The last three components of a rotation's unit quaternion, the first of which is not negative. What is large
/// is computed first, and the others by dividing by it.
fn quaternion(r: [[f64; 3]; 3]) -> [f64; 3] {
    let trace = r[0][0] + r[1][1] + r[2][2];
    let turn = [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]];
    if trace > -0.5 {
        let first = 0.5 * (1.0 + trace).sqrt();
        return turn.map(|difference| 0.25 * difference / first);
    }
    let largest = match [r[0][0], r[1][1], r[2][2]] {
        [x, y, z] if x >= y && x >= z => 0,
        [_, y, z] if y >= z => 1,
        _ => 2,
    };
    let main = 0.5 * (1.0 + 2.0 * r[largest][largest] - trace).sqrt();
    let sign = if turn[largest] < 0.0 { -1.0 } else { 1.0 };
    [0, 1, 2].map(|axis| match axis == largest {
        true => sign * main,
        false => sign * 0.25 * (r[axis][largest] + r[largest][axis]) / main,
    })
}

/// The orthogonal matrix nearest to `m`, by Newton's iteration for its polar decomposition (Higham, "Computing the
/// polar decomposition", 1986).
fn orthogonal(mut m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    // It doubles the digits with every step.
    for _ in 0..32 {
        let inverse = inverse_transposed(&m);
        for row in 0..3 {
            for column in 0..3 {
                m[row][column] = 0.5 * (m[row][column] + inverse[row][column]);
            }
        }
    }
    m
}

fn inverse_transposed(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let determinant = determinant(m);
    [0, 1, 2].map(|row| {
        let (next, last) = ((row + 1) % 3, (row + 2) % 3);
        cross(m[next], m[last]).map(|cofactor| cofactor / determinant)
    })
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    let normal = cross(m[1], m[2]);
    m[0].iter().zip(normal).map(|(a, b)| a * b).sum()
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|axis| {
        let (next, last) = ((axis + 1) % 3, (axis + 2) % 3);
        a[next] * b[last] - a[last] * b[next]
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use samora_engine::random::Stream;

    #[test]
    fn every_rotation_returns() {
        let mut stream = Stream::named(1, "rotations");
        let mut number = || f64::from(stream.uniform()) * 2.0 - 1.0;
        for _ in 0..1000 {
            let parts = [number(), number(), number(), number()];
            let length = parts.iter().map(|n| n * n).sum::<f64>().sqrt();
            let sign = parts[0].signum();
            let quatern = [1, 2, 3].map(|i| sign * parts[i] / length);
            let handedness = number().signum();
            let qform = Qform {
                handedness,
                quatern,
            };
            let affine = affine_of(&qform, [0.5, 1.25, 3.0], [1.0, 2.0, 3.0]).unwrap();
            let found = nearest(&affine);
            assert_eq!(found.handedness, handedness);
            let off = found
                .quatern
                .iter()
                .zip(quatern)
                .map(|(a, b)| (a - b).abs());
            assert!(off.fold(0.0, f64::max) < 1e-5, "{qform:?} {found:?}");
        }
    }

    /// As nibabel's `set_qform` finds it.
    #[test]
    fn shear_is_shared_between_the_axes() {
        let tilted = [
            [-0.8, 0.0, 0.0, 20.0],
            [0.0, -0.9, -0.8, 30.0],
            [0.0, 0.0, 3.0, 10.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let found = affine_of(&nearest(&tilted), [0.8, 0.9, 3.104_834_939], [0.0; 3]).unwrap();
        println!("{found:?}");
        let (half, size) = ((0.8_f64 / 3.0).atan() / 2.0, 0.9);
        assert!((found[1][1] + size * half.cos()).abs() < 1e-6, "{found:?}");
        assert!(
            (found[2][1].abs() - size * half.sin()).abs() < 1e-6,
            "{found:?}"
        );
    }
}
