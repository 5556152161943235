//! What the test files share.

pub mod cases;
pub mod front_ends;
pub mod host;
pub mod naga_check;
pub mod training;

use std::num::NonZero;
use std::sync::OnceLock;

use samora_engine::gpu::Device;
use samora_engine::{DeviceOptions, native};
use samora_shaders::Caps;

/// The adapter whose shaders are tested: `SAMORA_ADAPTER` (part of a name), else the first GPU, else one that is
/// software.
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

/// The processor, and the adapter of [`device`] as users open it.
///
/// # Panics
/// When one does not open.
#[allow(clippy::panic)]
pub fn devices() -> &'static [samora_engine::Device; 2] {
    static DEVICES: OnceLock<[samora_engine::Device; 2]> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let options = DeviceOptions {
            adapter: std::env::var("SAMORA_ADAPTER").ok(),
            ..Default::default()
        };
        let processor = native::Device::new(NonZero::new(2)).unwrap_or_else(|e| panic!("{e}"));
        let adapter = Device::open(&options).unwrap_or_else(|e| panic!("{e}"));
        [
            samora_engine::Device::Native(processor),
            samora_engine::Device::Gpu(Box::new(adapter)),
        ]
    })
}

/// What users get: the GPU, else the processor; or what `SAMORA_ADAPTER` names.
///
/// # Panics
/// When it does not open.
#[allow(clippy::panic)]
pub fn default_device() -> &'static samora_engine::Device {
    static DEVICE: OnceLock<samora_engine::Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        samora_engine::Device::open(&DeviceOptions {
            adapter: std::env::var("SAMORA_ADAPTER").ok(),
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
pub fn portable_device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| driven_with(|_| Caps::portable()))
}

/// The same adapter driven with the kernels meant for GPUs whose lanes exchange numbers.
///
/// # Panics
/// Without any adapter, or on one without subgroups.
#[allow(clippy::panic)]
pub fn gpu_device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        driven_with(|caps| match caps.subgroups {
            Some(_) => Caps {
                subgroups: caps.subgroups,
                ..Caps::portable()
            },
            None => panic!("the adapter offers no subgroups"),
        })
    })
}

#[allow(clippy::panic)]
fn driven_with(caps: impl Fn(Caps) -> Caps) -> Device {
    let adapter = std::env::var("SAMORA_ADAPTER").ok();
    let options = DeviceOptions {
        adapter,
        ..Default::default()
    };
    let mut device = Device::open(&options).unwrap_or_else(|e| panic!("{e}"));
    device.adapter.caps = caps(device.adapter.caps);
    device
}
