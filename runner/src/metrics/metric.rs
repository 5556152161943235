//! The metrics by name.

use serde::{Deserialize, Serialize};

use super::volume::ClassScore;

/// A metric of one class in one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// See [`ClassScore::dice`].
    Dice,
    /// See [`ClassScore::iou`].
    Iou,
    /// See [`ClassScore::hd95_mm`].
    Hd95Mm,
    /// See [`ClassScore::assd_mm`].
    AssdMm,
    /// See [`ClassScore::nsd`].
    Nsd,
    /// See [`ClassScore::hd95_voxels`].
    Hd95Voxels,
    /// See [`ClassScore::assd_voxels`].
    AssdVoxels,
    /// See [`ClassScore::samed_dice`].
    SamedDice,
    /// See [`ClassScore::samed_hd95_voxels`].
    SamedHd95Voxels,
    /// See [`ClassScore::uamt_iou`].
    UamtIou,
    /// See [`ClassScore::uamt_asd_voxels`].
    UamtAsdVoxels,
}

impl Metric {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 11] = [
        Self::Dice,
        Self::Iou,
        Self::Hd95Mm,
        Self::AssdMm,
        Self::Nsd,
        Self::Hd95Voxels,
        Self::AssdVoxels,
        Self::SamedDice,
        Self::SamedHd95Voxels,
        Self::UamtIou,
        Self::UamtAsdVoxels,
    ];

    /// Its name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Dice => "dice",
            Self::Iou => "iou",
            Self::Hd95Mm => "hd95_mm",
            Self::AssdMm => "assd_mm",
            Self::Nsd => "nsd",
            Self::Hd95Voxels => "hd95_voxels",
            Self::AssdVoxels => "assd_voxels",
            Self::SamedDice => "samed_dice",
            Self::SamedHd95Voxels => "samed_hd95_voxels",
            Self::UamtIou => "uamt_iou",
            Self::UamtAsdVoxels => "uamt_asd_voxels",
        }
    }

    /// Its value; `None` where undefined.
    pub fn of(self, score: &ClassScore) -> Option<f64> {
        match self {
            Self::Dice => Some(score.dice),
            Self::Iou => Some(score.iou),
            Self::Hd95Mm => score.hd95_mm,
            Self::AssdMm => score.assd_mm,
            Self::Nsd => score.nsd,
            Self::Hd95Voxels => score.hd95_voxels,
            Self::AssdVoxels => score.assd_voxels,
            Self::SamedDice => Some(score.samed_dice),
            Self::SamedHd95Voxels => Some(score.samed_hd95_voxels),
            Self::UamtIou => Some(score.uamt_iou),
            Self::UamtAsdVoxels => Some(score.uamt_asd_voxels),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_names_that_json_uses() {
        for metric in Metric::ALL {
            let name = serde_json::to_value(metric).unwrap();
            assert_eq!(name, metric.key());
        }
    }
}
