//! Finding and choosing an adapter.

use samora_shaders::{Caps, Products};

use super::texels::height;
use crate::device_info::{DeviceInfo, pick};
use crate::fuse::{LEAST_BINDINGS, MAX_BINDINGS};
use crate::{Error, Result};

/// What devices with cooperative matrices are opened with.
pub(super) const COOPERATIVE: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// An adapter and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterSummary {
    /// What it is.
    pub info: DeviceInfo,
    /// What kernel emission depends on.
    pub caps: Caps,
    /// Whether 16-bit floats are offered.
    pub f16: bool,
    /// Rows and columns of the cooperative matrices that multiply f16 and sum f32, or why kernels cannot use any.
    pub cooperative: Result<u32, String>,
    /// Whether kernels can be timed.
    pub timestamps: bool,
}

impl AdapterSummary {
    /// Fails when kernels need more than the adapter offers.
    pub(super) fn suffices(&self) -> Result<()> {
        let needed = LEAST_BINDINGS as u32;
        if self.caps.bindings < needed {
            return Err(Error::Adapter(format!(
                "{} binds {} storage buffers per kernel, {needed} are needed; choose another with --adapter",
                self.info.name, self.caps.bindings
            )));
        }
        Ok(())
    }
}

/// An adapter, ready to be opened.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// What it offers.
    pub summary: AdapterSummary,
    pub(super) source: wgpu::Adapter,
}

/// The adapters of this machine, in the order they are preferred: discrete, integrated, others, software.
pub fn adapters() -> Vec<Adapter> {
    let adapter = |source| Adapter {
        summary: summary(&source),
        source,
    };
    enumerate().into_iter().map(adapter).collect()
}

/// Chooses by rule, or by index into [`adapters`] or part of a name (ignoring case).
pub(super) fn choose(wanted: Option<&str>) -> Result<Adapter> {
    let mut found = adapters();
    if found.is_empty() {
        return Err(Error::Adapter(
            "no Vulkan, Metal or DX12 adapter found; on Debian or Ubuntu install a driver for your GPU, \
             or the software adapter with `apt-get install libvulkan1 mesa-vulkan-drivers`"
                .into(),
        ));
    }
    let index = match wanted {
        None => 0,
        Some(wanted) => pick(wanted, found.iter().map(|a| &a.summary.info))?,
    };
    Ok(found.swap_remove(index))
}

/// What an adapter offers.
fn summary(adapter: &wgpu::Adapter) -> AdapterSummary {
    let (about, features, limits) = (adapter.get_info(), adapter.features(), adapter.limits());
    let binding_bytes = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size);
    let (buffers, textures) = (
        limits.max_storage_buffers_per_shader_stage,
        limits.max_storage_textures_per_shader_stage,
    );
    let texels = about.device_type == wgpu::DeviceType::Cpu
        && textures as usize >= MAX_BINDINGS
        && height(binding_bytes as usize / 4) <= limits.max_texture_dimension_2d;
    let subgroups = features
        .contains(wgpu::Features::SUBGROUP)
        .then(|| lanes(&about));
    AdapterSummary {
        info: info(&about),
        caps: Caps {
            cpu: about.device_type == wgpu::DeviceType::Cpu,
            subgroups,
            texels,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_size: limits
                .max_compute_invocations_per_workgroup
                .min(limits.max_compute_workgroup_size_x),
            grid: limits.max_compute_workgroups_per_dimension,
            bindings: if texels {
                buffers.min(textures)
            } else {
                buffers
            },
            binding_bytes,
            products: Products::Exact,
        },
        f16: features.contains(wgpu::Features::SHADER_F16),
        cooperative: cooperative(adapter),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
    }
}

fn info(adapter: &wgpu::AdapterInfo) -> DeviceInfo {
    DeviceInfo {
        name: adapter.name.clone(),
        backend: format!("{:?}", adapter.backend),
        kind: match adapter.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        driver: format!("{} {}", adapter.driver, adapter.driver_info),
    }
}

/// Fewest and most lanes of a subgroup.
fn lanes(info: &wgpu::AdapterInfo) -> (u32, u32) {
    // wgpu says 4 to 64 for whatever Metal runs on. On Apple's GPUs a SIMD-group has 32 (Apple, "Metal Shading
    // Language Specification", 6.9.2 `threads_per_simdgroup`; Metal Feature Set Tables).
    match info.backend == wgpu::Backend::Metal && info.name.starts_with("Apple") {
        true => (32, 32),
        false => (info.subgroup_min_size, info.subgroup_max_size),
    }
}

/// The largest usable cooperative matrices. Kernels also need subgroups of one size.
fn cooperative(adapter: &wgpu::Adapter) -> Result<u32, String> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let info = adapter.get_info();
    if info.backend == wgpu::Backend::Dx12 {
        return Err("wgpu has no cooperative matrices on DX12".into());
    }
    let needed = COOPERATIVE | wgpu::Features::SUBGROUP;
    if !adapter.features().contains(needed) {
        return Err("its driver offers no cooperative matrices, f16 or subgroups".into());
    }
    let (fewest, most) = lanes(&info);
    if fewest != most {
        return Err(format!(
            "its subgroups have {fewest} to {most} lanes, whichever its driver takes for a kernel, and wgpu cannot \
             ask for one size"
        ));
    }
    let offered = adapter.cooperative_matrix_properties();
    let usable = [16, 8].into_iter().find(|size| {
        offered.iter().any(|p| {
            [p.m_size, p.n_size, p.k_size] == [*size; 3] && (p.ab_type, p.cr_type) == (F16, F32)
        })
    });
    usable.ok_or_else(|| {
        "its cooperative matrices are not of f16 that sum in f32, 16×16 or 8×8".into()
    })
}

fn enumerate() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let mut found =
        pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
    // Stable: the driver's own order decides among equals.
    found.sort_by_key(|a| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    found
}

#[cfg(test)]
mod tests {
    use samora_shaders::Caps;

    use super::{AdapterSummary, DeviceInfo};

    /// Metal tells 4 to 64 lanes for every GPU.
    #[test]
    fn subgroups_of_apple_have_32_lanes() {
        let mut info =
            wgpu::AdapterInfo::new(wgpu::DeviceType::IntegratedGpu, wgpu::Backend::Metal);
        (info.subgroup_min_size, info.subgroup_max_size) = (4, 64);
        info.name = "Apple M2 Pro".into();
        assert_eq!(super::lanes(&info), (32, 32));
        info.name = "AMD Radeon Pro 5500M".into();
        assert_eq!(super::lanes(&info), (4, 64));
        info.name = "Apple M1 (Honeykrisp)".into();
        info.backend = wgpu::Backend::Vulkan;
        assert_eq!(super::lanes(&info), (4, 64));
    }

    #[test]
    fn an_adapter_with_too_few_bindings_is_refused_by_name() {
        let mut adapter = AdapterSummary {
            info: DeviceInfo {
                name: "Old GPU".into(),
                backend: "Vulkan".into(),
                kind: "integrated",
                driver: String::new(),
            },
            caps: Caps::portable(),
            f16: false,
            cooperative: Err("none".into()),
            timestamps: false,
        };
        assert!(adapter.suffices().is_ok());
        adapter.caps.bindings = 4;
        let message = adapter.suffices().err().map(|e| e.to_string());
        let message = message.unwrap_or_default();
        assert!(
            message.contains("Old GPU binds 4 storage buffers"),
            "{message}"
        );
        assert!(message.contains("--adapter"), "{message}");
    }
}
