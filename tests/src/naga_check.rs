//! Whether every backend accepts a module, without a GPU, and what it needs of an adapter.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module};
use samora_shaders::Caps;

/// A module as drivers get it.
#[derive(Clone, Debug)]
pub struct Written {
    /// For Vulkan.
    pub spirv: Vec<u32>,
    /// For DX12; none with cooperative matrices, which HLSL has not.
    pub hlsl: Option<String>,
    /// What it asks of an adapter.
    pub needs: Needs,
}

/// What a module asks of an adapter.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Buffers and textures that it binds.
    pub bindings: u32,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations in a workgroup.
    pub workgroup_size: u32,
}

impl Needs {
    fn of(module: &Module) -> Self {
        let variables = || module.global_variables.iter().map(|(_, variable)| variable);
        let shared = variables().filter(|v| v.space == AddressSpace::WorkGroup);
        // As WebGPU counts: each variable from a multiple of 16 on.
        let bytes = shared.map(|v| {
            module.types[v.ty]
                .inner
                .size(module.to_ctx())
                .next_multiple_of(16)
        });
        let sizes = module
            .entry_points
            .iter()
            .map(|e| e.workgroup_size.iter().product());
        Self {
            bindings: variables().filter(|v| v.binding.is_some()).count() as u32,
            workgroup_memory: bytes.sum(),
            workgroup_size: sizes.max().unwrap_or(0),
        }
    }

    /// What of it an adapter does not offer.
    pub fn beyond(&self, caps: &Caps) -> Option<String> {
        let offered = [
            ("bindings", self.bindings, caps.bindings),
            (
                "bytes of workgroup memory",
                self.workgroup_memory,
                caps.workgroup_memory,
            ),
            ("invocations", self.workgroup_size, caps.workgroup_size),
        ];
        let beyond = offered
            .into_iter()
            .find(|(_, needed, offered)| needed > offered);
        beyond.map(|(what, needed, offered)| format!("{needed} {what} of {offered}"))
    }
}

/// Parses and validates a module and writes it as SPIR-V (Vulkan), MSL (Metal) and, without
/// cooperative matrices, HLSL (DX12).
///
/// # Errors
/// The first complaint, with the stage it came from.
pub fn validate(source: &str) -> Result<Written, String> {
    let module = naga::front::wgsl::parse_str(source)
        .map_err(|e| format!("WGSL: {}", e.emit_to_string(source)))?;
    let cooperative = source.contains("enable wgpu_cooperative_matrix;");
    let halves = source.contains("enable f16;");
    let mut capabilities = Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, cooperative);
    capabilities.set(Capabilities::SHADER_FLOAT16, halves);
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|e| format!("validation: {}", e.emit_to_string(source)))?;
    let options = spv::Options {
        lang_version: (1, 6),
        // As pipelines are built.
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        ..Default::default()
    };
    let spirv =
        spv::write_vec(&module, &info, &options, None).map_err(|e| format!("SPIR-V: {e}"))?;
    let needs = Needs::of(&module);
    let options = msl::Options {
        lang_version: (2, 4),
        zero_initialize_workgroup_memory: false,
        ..Default::default()
    };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    if cooperative {
        let hlsl = None;
        return Ok(Written { spirv, hlsl, needs });
    }
    let options = hlsl::Options {
        shader_model: match halves {
            true => hlsl::ShaderModel::V6_2,
            false => hlsl::ShaderModel::V6_0,
        },
        zero_initialize_workgroup_memory: false,
        ..Default::default()
    };
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    let hlsl = Some(text);
    Ok(Written { spirv, hlsl, needs })
}
