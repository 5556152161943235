//! What a device is, whatever runs on it.

use crate::{Error, Result};

/// What a device is called and what drives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name of the processor, or what a driver reports.
    pub name: String,
    /// `Vulkan`, `Metal`, `Dx12`; or `native`, without any of them.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `processor`, `software` or `other`.
    pub kind: &'static str,
    /// Driver name and version, or the vector instructions in use.
    pub driver: String,
}

impl DeviceInfo {
    /// Whether it computes on the processor, in the machine's memory.
    pub fn is_processor(&self) -> bool {
        matches!(self.kind, "processor" | "software")
    }
}

/// Which of several devices is meant by an index or a part of a name, ignoring case.
///
/// # Errors
/// None is.
pub(crate) fn pick<'a>(
    wanted: &str,
    found: impl Iterator<Item = &'a DeviceInfo> + Clone,
) -> Result<usize> {
    let names = found.map(|info| &info.name);
    let count = names.clone().count();
    let named = |name: &String| name.to_lowercase().contains(&wanted.to_lowercase());
    let index = wanted.parse().ok().filter(|index| *index < count);
    index
        .or_else(|| names.clone().position(named))
        .ok_or_else(|| {
            let list = names.enumerate().map(|(i, n)| format!("{i}: {n}"));
            let list = list.collect::<Vec<_>>().join(", ");
            Error::Adapter(format!("no adapter matches `{wanted}`; found {list}"))
        })
}
