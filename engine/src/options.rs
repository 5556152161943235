//! Choices made when a device is opened.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Planning;
use crate::fuse::BUNDLE_BINDINGS;

/// Choices made when a device is opened.
#[derive(Clone, Debug, Default)]
pub struct DeviceOptions {
    /// Index or part of the name of the device; by rule when absent.
    pub adapter: Option<String>,
    /// Keep WGSL's bounds checks in every kernel (slower; for hunting a fault).
    pub checked: bool,
    /// How large matrix products are computed.
    pub precision: Precision,
    /// What is done about kernels that come in variants.
    pub tune: Tune,
    /// Where the self-test remembers kernels that passed and tuning what it measured; nothing is kept when
    /// absent.
    pub cache: Option<PathBuf>,
}

/// How large matrix products are computed; all else is in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// In f32.
    #[default]
    Exact,
    /// From operands rounded to f16, summed in f32; what products and attention read is kept as f16. Operands
    /// beyond ±65504 give infinities.
    Half,
    /// From operands as the sum of two f16 each, summed in f32: nearly as precise as f32, with the same
    /// limit.
    Split,
}

impl Precision {
    /// How plans for GPUs of this precision are made, where no device is open.
    pub fn planning(self, fuse: bool) -> Planning {
        Planning {
            halves: self == Self::Half,
            bindings: BUNDLE_BINDINGS,
            ..Planning::exact(fuse)
        }
    }
}

/// What is done about kernels that come in variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tune {
    /// The rules choose.
    Off,
    /// The fastest where it was measured before; else the rules choose.
    #[default]
    Read,
    /// Measures what was not measured before.
    Write,
}
