//! Position tables at another grid size, as SAMed loads SAM's checkpoints.

use samora_shaders::reference::taps;

use crate::{Error, Result, Tensor};

/// A SAM position embedding `[1, h, w, c]` at another grid size `[1, height, width, c]`: bilinear,
/// half-pixel centres, no antialiasing (`torch.nn.functional.interpolate`, `align_corners=False`).
///
/// # Errors
/// A tensor of another rank.
pub fn resize_positions(table: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let &[1, h, w, c] = table.shape.as_slice() else {
        return Err(shape_error("position embedding", "[1, h, w, c]", table));
    };
    let at = |y: usize, x: usize, k: usize| table.at((y * w + x) * c + k);
    let mut out = Vec::with_capacity(height * width * c);
    for (y0, y1, fy) in (0..height).map(|y| taps(y, h, height)) {
        for (x0, x1, fx) in (0..width).map(|x| taps(x, w, width)) {
            for k in 0..c {
                let top = at(y0, x0, k) * (1.0 - fx) + at(y0, x1, k) * fx;
                let bottom = at(y1, x0, k) * (1.0 - fx) + at(y1, x1, k) * fx;
                out.push((top * (1.0 - fy) + bottom * fy) as f32);
            }
        }
    }
    Ok(Tensor::f32(&[1, height, width, c], out))
}

/// A relative position table `[n, c]` with another number of rows: linear along the rows,
/// half-pixel centres.
///
/// # Errors
/// A tensor of another rank.
pub fn resize_relative(table: &Tensor, rows: usize) -> Result<Tensor> {
    let &[n, c] = table.shape.as_slice() else {
        return Err(shape_error("relative position table", "[n, c]", table));
    };
    let mut out = Vec::with_capacity(rows * c);
    for (i0, i1, f) in (0..rows).map(|i| taps(i, n, rows)) {
        for k in 0..c {
            out.push((table.at(i0 * c + k) * (1.0 - f) + table.at(i1 * c + k) * f) as f32);
        }
    }
    Ok(Tensor::f32(&[rows, c], out))
}

fn shape_error(name: &str, expected: &str, tensor: &Tensor) -> Error {
    Error::Tensor {
        name: name.into(),
        message: format!("has shape {:?}, expected {expected}", tensor.shape),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn relative_table_reads_two_taps_at_half_pixel_centres() {
        let table = Tensor::f32(&[4, 1], vec![0.0, 1.0, 4.0, 9.0]);
        // Sample positions (i + ½)·4/2 − ½ = 0.5 and 2.5.
        let half = resize_relative(&table, 2).unwrap();
        assert_eq!(half.as_f32(), [0.5, 6.5]);
        // Positions −1/4 (clamped to 0), 1/4, 3/4, …, 3 + 1/4 (clamped to the last row).
        let double = resize_relative(&table, 8).unwrap();
        assert_eq!(
            double.as_f32(),
            [0.0, 0.25, 0.75, 1.75, 3.25, 5.25, 7.75, 9.0]
        );
        assert!(resize_relative(&Tensor::full(&[2], 0.0), 3).is_err());
    }

    #[test]
    fn positions_are_resized_along_both_axes() {
        let data = (0..4)
            .flat_map(|y| (0..2).map(move |x| (10 * y + x) as f32))
            .collect();
        let table = Tensor::f32(&[1, 4, 2, 1], data);
        let small = resize_positions(&table, 2, 1).unwrap();
        assert_eq!(small.as_f32(), [5.5, 25.5]);
        assert_eq!(resize_positions(&table, 4, 2).unwrap(), table);
    }
}
