//! Dice overlap: 2·|A ∩ B| / (|A| + |B|).

/// Dice of two masks of equal length given their sizes and overlap in voxels; 1 if both are empty.
pub fn dice(overlap: usize, first: usize, second: usize) -> f64 {
    if first + second == 0 {
        return 1.0;
    }
    2.0 * overlap as f64 / (first + second) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_definition() {
        assert_eq!(dice(0, 0, 0), 1.0);
        assert_eq!(dice(0, 3, 0), 0.0);
        assert_eq!(dice(5, 5, 5), 1.0);
        assert_eq!(dice(1, 1, 3), 0.5);
    }
}
