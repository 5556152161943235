//! Small graphs around every op, for tests against the reference executor, finite differences and
//! devices. Shapes are awkward on purpose.

mod case;
#[cfg(test)]
mod gradients;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod misuse;
mod registry;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod values;

pub use case::{Case, CaseGraph, feeds};
pub(crate) use case::{distinct, operand, positive};
pub use registry::cases;
