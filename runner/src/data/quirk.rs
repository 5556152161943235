//! What released code does to slices and this program does not unless asked.

use serde::{Deserialize, Serialize};

/// Behaviour of released code, named after it, for those who reproduce its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quirk {
    /// Slices are resized to 224×224 first, and from there to the network's size, each time by cubic
    /// spline (SAMed, `test_single_volume`; so does H-SAM). In training they are so before augmentation,
    /// labels too: the files that SAMed trains on are of this size, those of H-SAM's few-shot script are
    /// not.
    SamedVia224,
    /// Wherever scipy's `zoom` computes the last coordinate beyond the last pixel, the last row and column
    /// of image, label and mask become 0 (SAMed and H-SAM). 512 → 224 is such a size, 224 → 512 is not.
    /// Rows and columns are those of canonical slices, which released code may see mirrored.
    SamedLastRow,
    /// The mask is made at the network's size, from logits interpolated as PyTorch does
    /// (`align_corners=False`), and resized to the slice by nearest neighbour (SAMed and H-SAM,
    /// `test_single_volume`). Otherwise the logits are interpolated to the slice itself.
    SamedNearestMask,
    /// The elastic deformation interpolates class numbers and cuts fractions off, so that between two
    /// organs lie others (H-SAM, `random_elastic`). Otherwise each pixel takes the nearest class.
    HSamElasticLabels,
}
