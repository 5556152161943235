//! What the test files share.

pub mod cases;
pub mod host;
pub mod naga_check;
pub mod training;

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

/// The same adapter driven with only what every GPU offers: no subgroups, small shared memory, and
/// the kernels meant for GPUs.
///
/// # Panics
/// Without any adapter.
#[allow(clippy::panic)]
pub fn portable_device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let adapter = std::env::var("SAMORA_ADAPTER").ok();
        let mut device = Device::open(&DeviceOptions {
            adapter,
            ..Default::default()
        })
        .unwrap_or_else(|e| panic!("{e}"));
        device.adapter.caps = samora_shaders::Caps::portable();
        device
    })
}
