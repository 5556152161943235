//! Overlap of two masks A and B, given their sizes and overlap in voxels.

/// Dice, 2·|A ∩ B| / (|A| + |B|); 1 if both are empty.
pub fn dice(overlap: usize, first: usize, second: usize) -> f64 {
    if first + second == 0 {
        return 1.0;
    }
    2.0 * overlap as f64 / (first + second) as f64
}

/// Intersection over union (Jaccard), |A ∩ B| / |A ∪ B|; 1 if both are empty.
pub fn iou(overlap: usize, first: usize, second: usize) -> f64 {
    if first + second == 0 {
        return 1.0;
    }
    overlap as f64 / (first + second - overlap) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_matches_the_definition() {
        assert_eq!(dice(0, 0, 0), 1.0);
        assert_eq!(dice(0, 3, 0), 0.0);
        assert_eq!(dice(5, 5, 5), 1.0);
        assert_eq!(dice(1, 1, 3), 0.5);
    }

    #[test]
    fn iou_matches_the_definition() {
        assert_eq!(iou(0, 0, 0), 1.0);
        assert_eq!(iou(0, 3, 0), 0.0);
        assert_eq!(iou(5, 5, 5), 1.0);
        assert_eq!(iou(1, 2, 3), 0.25);
    }
}
