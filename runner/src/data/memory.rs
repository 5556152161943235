//! How much memory decoded volumes may take.

use sysinfo::System;

/// Where the system does not say how much memory there is.
const FALLBACK_BYTES: u64 = 8 << 30;

/// Bytes that all data sets of a run may keep decoded: a quarter of the machine's memory, or of what its
/// container may use. The rest is for the networks, other programs, and the system's cache of files.
pub fn for_volumes() -> usize {
    usize::try_from(of_machine() / 4).unwrap_or(usize::MAX)
}

/// Bytes of the machine's memory, or of what its container may use.
pub fn of_machine() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let container = system.cgroup_limits().map_or(u64::MAX, |c| c.total_memory);
    match system.total_memory().min(container) {
        0 => FALLBACK_BYTES,
        bytes => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_get_a_plausible_share() {
        assert!((1 << 26..1 << 46).contains(&for_volumes()));
    }
}
