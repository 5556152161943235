//! What the test files share.

pub mod host;

use std::sync::OnceLock;

use samora_engine::gpu::{Device, DeviceOptions};

/// The adapter under test: `SAMORA_ADAPTER` (index or part of a name), else by rule.
///
/// # Panics
/// Without any adapter: these tests never skip.
#[allow(clippy::panic)]
pub fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let adapter = std::env::var("SAMORA_ADAPTER").ok();
        Device::open(&DeviceOptions {
            adapter,
            ..Default::default()
        })
        .unwrap_or_else(|e| panic!("{e}"))
    })
}
