use super::*;
use crate::data::golden::{checksum, scene};

const SQUARES: [f32; 6] = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0];

fn row(pixels: &[f32]) -> Plane<f32> {
    Plane::from_fn(1, pixels.len(), |_, c| pixels[c])
}

fn rotate_nearest<T: Copy + Default>(plane: &Plane<T>, degrees: f64) -> Plane<T> {
    NearestRotation::new(plane.height, plane.width, degrees).of(plane)
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!(
            (f64::from(*f) - e).abs() < 2e-6 * e.abs().max(1.0),
            "{found:?} {expected:?}"
        );
    }
}

/// Expected values were computed with scipy 1.17.
#[test]
fn cubic_matches_scipy() {
    let up = zoom(&row(&SQUARES), 1, 9, Interpolation::Cubic);
    let expected = [
        0.0,
        0.397_633_822,
        1.546_800_239,
        3.496_654_456,
        6.363_636_364,
        9.660_305_772,
        13.652_063_397,
        20.412_025_269,
        25.0,
    ];
    assert_close(&up.pixels, &expected);
    let down = zoom(&row(&SQUARES), 1, 4, Interpolation::Cubic);
    assert_close(&down.pixels, &[0.0, 2.745_879_851, 10.806_308_701, 25.0]);
    // Rows and columns are treated alike.
    let column = zoom(&row(&SQUARES).rot90(3), 9, 1, Interpolation::Cubic);
    assert_close(&column.pixels, &expected);
}

#[test]
fn nearest_matches_scipy() {
    let zoomed = |width| zoom_nearest(&row(&SQUARES), 1, width).pixels;
    assert_eq!(zoomed(9), [0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0, 16.0, 25.0]);
    assert_eq!(zoomed(4), [0.0, 4.0, 9.0, 25.0]);
}

#[test]
fn rotation_matches_scipy() {
    let plane = Plane::from_fn(5, 5, |r, c| 5 * r + c);
    let turned = [
        [0, 0, 3, 4, 0],
        [0, 6, 7, 8, 0],
        [5, 11, 12, 13, 19],
        [0, 16, 17, 18, 24],
        [0, 20, 21, 0, 0],
    ];
    assert_eq!(rotate_nearest(&plane, 20.0).pixels, turned.concat());
    let turned = [
        [0, 1, 1, 0, 0],
        [0, 6, 7, 8, 9],
        [15, 11, 12, 13, 9],
        [15, 16, 17, 18, 0],
        [0, 0, 23, 23, 0],
    ];
    assert_eq!(rotate_nearest(&plane, -15.0).pixels, turned.concat());
}

/// A linear ramp is reproduced exactly wherever the source lies inside.
#[test]
fn linear_interpolation_keeps_a_ramp() {
    let plane = Plane::from_fn(9, 9, |r, c| 2.0 * r as f32 - c as f32);
    let half = zoom(&plane, 17, 5, Interpolation::Linear);
    assert!((half.at(3, 1) - (2.0 * 1.5 - 2.0)).abs() < 1e-6);
    let (sin, cos) = 20_f64.to_radians().sin_cos();
    let (row, column) = (cos + 2.0 * sin + 4.0, 2.0 * cos - sin + 4.0);
    let found = f64::from(rotate_linear(&plane, 20.0).at(5, 6));
    assert!((found - (2.0 * row - column)).abs() < 1e-5, "{found}");
}

#[test]
fn the_last_row_survives_512_to_224() {
    let plane = Plane::from_fn(512, 512, |_, _| 1.0);
    let small = zoom(&plane, 224, 224, Interpolation::Cubic);
    assert!(small.pixels.iter().all(|p| (p - 1.0).abs() < 1e-6));
    assert!(
        zoom_nearest(&plane, 224, 224)
            .pixels
            .iter()
            .all(|p| *p == 1.0)
    );
}

#[test]
fn single_pixels_and_lines_resize() {
    let one = zoom(&row(&[3.0]), 4, 2, Interpolation::Cubic);
    assert!(one.pixels.iter().all(|p| (p - 3.0).abs() < 1e-6), "{one:?}");
    assert_eq!(
        zoom(&row(&SQUARES), 1, 1, Interpolation::Linear).pixels,
        [0.0]
    );
}

/// Expected values: `tests/reference/preprocessing.py`, scipy 1.17.1.
#[test]
fn zoom_matches_scipy_to_the_last_row() {
    #[rustfmt::skip]
    let table = [
        ((512, 512), (224, 224), [0.244454494, 0.245807831, 0.2451911222]),
        ((256, 256), (224, 224), [0.2488700089, 0.2492832712, 0.2494921164]),
        ((183, 140), (56, 56), [0.246337863, 0.2477338584, 0.2480396576]),
        ((224, 224), (512, 512), [0.2481955336, 0.2487246809, 0.2487435942]),
        ((512, 512), (128, 128), [0.2492532976, 0.2497661094, 0.249620825]),
        ((115, 58), (224, 48), [0.2387152974, 0.2386640335, 0.2393668929]),
        ((7, 1), (20, 5), [0.1650450561, 0.1651744907, 0.1652277306]),
        ((1, 7), (1, 20), [0.3100563826, 0.3088053372, 0.3087270739]),
        ((1, 1), (4, 3), [0.2593886368, 0.2593886368, 0.2593886368]),
        ((2, 3), (1, 1), [0.3099468505, 0.3099468505, 0.3099468505]),
    ];
    for ((height, width), (rows, columns), expected) in table {
        let image = scene(height, width);
        let zoomed = [
            zoom_nearest(&image, rows, columns),
            zoom(&image, rows, columns, Interpolation::Linear),
            zoom(&image, rows, columns, Interpolation::Cubic),
        ];
        for (mut zoomed, expected) in zoomed.into_iter().zip(expected) {
            blank_overshoot(&mut zoomed, height, width);
            let found = checksum(&zoomed.pixels);
            assert!(
                (found - expected).abs() < 2e-9,
                "{height}×{width} to {rows}×{columns}: {found}, not {expected}"
            );
        }
    }
}

/// All lines of 1 to 599 pixels whose last pixel scipy 1.17.1 blanks (`preprocessing.py`).
#[test]
fn lines_overshoot_as_in_scipy() {
    let (mut count, mut sum) = (0, 0);
    for to in [48, 56, 64, 96, 112, 128, 192, 224, 256, 384, 512, 1024] {
        for from in 1..600 {
            let mut line = Plane::from_fn(1, to, |_, _| 1);
            blank_overshoot(&mut line, 1, from);
            if line.pixels[to - 1] == 0 {
                (count, sum) = (count + 1, sum + from * to);
            }
        }
    }
    assert_eq!((count, sum), (233, 12_630_488));
}

/// Checksums over all angles from −20 to 20: `tests/reference/preprocessing.py`, scipy 1.17.1.
#[test]
fn rotations_match_scipy_at_every_angle() {
    #[rustfmt::skip]
    let table = [
        ((1, 1), [0.2461930143, 0.2461930143]),
        ((2, 2), [0.006146629, 0.006146629]),
        ((8, 8), [0.199491619, 0.2005781113]),
        ((17, 24), [0.2180571909, 0.2180041628]),
        ((63, 63), [0.2255422182, 0.2255556154]),
        ((64, 64), [0.2262340441, 0.2261798966]),
        ((183, 140), [0.2284801754, 0.228418058]),
        ((224, 224), [0.2300050153, 0.2300697033]),
    ];
    for ((height, width), expected) in table {
        let image = scene(height, width);
        let (mut nearest, mut linear) = (Vec::new(), Vec::new());
        for degrees in -20..=20 {
            nearest.extend(rotate_nearest(&image, f64::from(degrees)).pixels);
            linear.extend(rotate_linear(&image, f64::from(degrees)).pixels);
        }
        for (found, expected) in [nearest, linear].map(|p| checksum(&p)).iter().zip(expected) {
            assert!(
                (found - expected).abs() < 2e-9,
                "{height}×{width}: {found}, not {expected}"
            );
        }
    }
}
