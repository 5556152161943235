//! What the kernels of a plan share.

use pulp::Arch;

use super::device::Scratches;
use super::memory::{Bound, Words};

/// What kernels run with.
pub(super) struct Context<'a> {
    pub(super) arch: Arch,
    pub(super) scratches: &'a Scratches,
    pub(super) bound: Bound<'a>,
    /// Where operands of products are packed.
    pub(super) packed: &'a Words,
}
