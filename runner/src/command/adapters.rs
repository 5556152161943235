//! `runner adapters`.

use samora_engine::devices;

use crate::error::Result;
use crate::journal::{Table, print_result};

/// Prints the devices of this machine in the order they are preferred, with what they offer.
///
/// # Errors
/// There is none.
pub fn adapters() -> Result<()> {
    let found = devices();
    let mut table = Table::new(&[
        "adapter",
        "kind",
        "backend",
        "driver",
        "subgroups",
        "f16",
        "matrices",
        "timestamps",
        "binding",
    ]);
    let offered = |yes: bool| if yes { "yes" } else { "no" }.to_string();
    let none = || "–".to_string();
    for (index, device) in found.iter().enumerate() {
        let (info, gpu) = (&device.info, device.gpu.as_ref().map(|gpu| &gpu.summary));
        let subgroups = gpu.map(|gpu| gpu.caps.subgroups);
        let matrices = gpu.map(|gpu| gpu.cooperative.as_ref().ok());
        table.row([
            format!("{index}: {}", info.name),
            info.kind.to_string(),
            info.backend.clone(),
            info.driver.clone(),
            subgroups.map_or_else(none, |lanes| {
                lanes.map_or("no".into(), |(low, high)| format!("{low}–{high}"))
            }),
            gpu.map_or_else(none, |gpu| offered(gpu.f16)),
            matrices.map_or_else(none, |size| {
                size.map_or("no".into(), |size| format!("{size}×{size}"))
            }),
            offered(gpu.is_none_or(|gpu| gpu.timestamps)),
            gpu.map_or_else(none, |gpu| format!("{} MiB", gpu.caps.binding_bytes >> 20)),
        ]);
    }
    print_result(&table);
    for (index, device) in found.iter().enumerate() {
        let reason = match &device.gpu {
            Some(gpu) => gpu.summary.cooperative.as_ref().err().map(String::as_str),
            None => Some("it computes in f32"),
        };
        if let Some(reason) = reason {
            print_result(format_args!(
                "{index}: no precision Half or Split: {reason}\n"
            ));
        }
    }
    Ok(())
}
