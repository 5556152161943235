//! Zoom and rotation against `scipy.ndimage` (`resampling.py`).

use samora_engine::Tensor;
use samora_runner::data::slice::Plane;
use samora_runner::data::zoom::{
    Interpolation, NearestRotation, rotate_linear, zoom, zoom_nearest,
};

use super::{assert_close, fixture};

const TOLERANCE: f64 = 1e-6;

fn plane(tensor: &Tensor) -> Plane<f32> {
    let [height, width] = tensor.shape[..].try_into().unwrap();
    Plane::from_fn(height, width, |r, c| tensor.as_f32()[r * width + c])
}

fn tensor(plane: Plane<f32>) -> Tensor {
    Tensor::f32(&[plane.height, plane.width], plane.pixels)
}

#[test]
fn zoom_is_scipys() {
    let reference = fixture("resampling").tensors;
    let [image, label] = ["image", "label"].map(|name| plane(&reference[name]));
    for (height, width) in [(40, 17), (12, 64)] {
        let check = |how: &str, got: Plane<f32>| {
            let name = format!("zoom{height}x{width}.{how}");
            assert_close(&name, &tensor(got), &reference[&name], TOLERANCE);
        };
        check("cubic", zoom(&image, height, width, Interpolation::Cubic));
        check("linear", zoom(&image, height, width, Interpolation::Linear));
        check("nearest", zoom_nearest(&label, height, width));
    }
}

#[test]
fn rotation_is_scipys() {
    let reference = fixture("resampling").tensors;
    let [image, label] = ["image", "label"].map(|name| plane(&reference[name]));
    for degrees in [-20, -7, 3, 19] {
        let check = |how: &str, got: Plane<f32>| {
            let name = format!("rotate{degrees}.{how}");
            assert_close(&name, &tensor(got), &reference[&name], TOLERANCE);
        };
        check("linear", rotate_linear(&image, f64::from(degrees)));
        let nearest = NearestRotation::new(label.height, label.width, f64::from(degrees));
        check("nearest", nearest.of(&label));
    }
}
