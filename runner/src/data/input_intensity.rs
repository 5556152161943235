//! The scale on which networks see unlabelled slices.

use serde::{Deserialize, Serialize};

use super::slice::Plane;
use super::views::{min_max, standardize};

/// Mean and standard deviation of ImageNet's red, green and blue in 0…1.
pub const IMAGENET: [(f32, f32); 3] = [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)];

/// The scale on which a network sees views of unlabelled slices, whatever the data set's own intensities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputIntensity {
    /// 0 to 1 (SimCLRv2, LiteMedSAM).
    UnitRange,
    /// Mean 0 and standard deviation 1 in each view (SAMora's released code).
    Standardised,
    /// 0 to 1, less ImageNet's mean, over its standard deviation, in each of the three channels (MAE, SAM,
    /// MobileSAM, torchvision).
    ImageNet,
}

impl InputIntensity {
    /// A view in 0…1 on this scale. ImageNet's channels differ and are the graph's to make, from 0…1.
    pub fn of_unit_range(self, view: Plane<f32>) -> Plane<f32> {
        match self {
            Self::Standardised => standardize(&view),
            Self::UnitRange | Self::ImageNet => view,
        }
    }

    /// As [`of_unit_range`](Self::of_unit_range) of a standardised view.
    pub fn of_standardised(self, view: &Plane<f32>) -> Plane<f32> {
        match self {
            Self::Standardised => view.clone(),
            Self::UnitRange | Self::ImageNet => min_max(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_come_on_the_scale_that_a_network_sees() {
        let unit = Plane::from_fn(1, 4, |_, c| [0.0, 0.25, 0.75, 1.0][c]);
        let standard = standardize(&unit);
        let close = |a: &Plane<f32>, b: &Plane<f32>| {
            let mut pairs = a.pixels.iter().zip(&b.pixels);
            pairs.all(|(a, b)| (a - b).abs() < 1e-5)
        };
        for scale in [InputIntensity::UnitRange, InputIntensity::ImageNet] {
            assert!(close(&scale.of_unit_range(unit.clone()), &unit));
            assert!(close(&scale.of_standardised(&standard), &unit));
        }
        let scale = InputIntensity::Standardised;
        assert!(close(&scale.of_unit_range(unit), &standard));
        assert!(close(&scale.of_standardised(&standard), &standard));
    }
}
