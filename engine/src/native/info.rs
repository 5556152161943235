//! What the processor is called.

use std::env::consts::ARCH;

use pulp::{Arch, Simd, WithSimd};

use crate::DeviceInfo;

/// The processor as a device.
pub fn info() -> DeviceInfo {
    struct Bits;
    impl WithSimd for Bits {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            32 * S::F32_LANES
        }
    }
    let bits = Arch::new().dispatch(Bits);
    let model = model().map_or_else(|| format!("CPU, {ARCH}"), |model| format!("CPU, {model}"));
    DeviceInfo {
        name: model,
        backend: "native".into(),
        kind: "processor",
        driver: format!("vectors of {bits} bits"),
    }
}

/// What the system says of the model, where it says so in a file.
fn model() -> Option<String> {
    let about = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = about.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim().to_string())
}
