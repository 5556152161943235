//! `runner adapters`.

use samora_engine::gpu;

use crate::error::{Error, Result};
use crate::journal::{Table, print_result};

/// Prints the adapters of this machine in the order they are preferred, with what they offer.
///
/// # Errors
/// There is none.
pub fn adapters() -> Result<()> {
    let found = gpu::adapters();
    if found.is_empty() {
        return Err(Error::Engine(samora_engine::Error::Adapter(
            "no Vulkan, Metal or DX12 adapter found; on Debian or Ubuntu `apt-get install \
             libvulkan1 mesa-vulkan-drivers` gives a software adapter"
                .into(),
        )));
    }
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
    for (index, adapter) in found.iter().enumerate() {
        let subgroups = adapter.caps.subgroups;
        table.row([
            format!("{index}: {}", adapter.name),
            adapter.kind.to_string(),
            adapter.backend.clone(),
            adapter.driver.clone(),
            subgroups.map_or("no".into(), |(low, high)| format!("{low}–{high}")),
            offered(adapter.f16),
            match adapter.cooperative {
                Ok(size) => format!("{size}×{size}"),
                Err(_) => "no".into(),
            },
            offered(adapter.timestamps),
            format!("{} MiB", adapter.caps.binding_bytes >> 20),
        ]);
    }
    print_result(&table);
    for (index, adapter) in found.iter().enumerate() {
        if let Err(reason) = &adapter.cooperative {
            print_result(format!("{index}: no precision Half or Split: {reason}\n"));
        }
    }
    Ok(())
}
