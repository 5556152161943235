//! Whether every backend accepts a module, without a GPU.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Parses and validates a module and writes it as SPIR-V (Vulkan), MSL (Metal) and, without
/// cooperative matrices, HLSL (DX12).
///
/// # Errors
/// The first complaint, with the stage it came from.
pub fn validate(source: &str) -> Result<(), String> {
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
    spv::write_vec(&module, &info, &spv::Options::default(), None)
        .map_err(|e| format!("SPIR-V: {e}"))?;
    let options = msl::Options {
        lang_version: (2, 4),
        ..Default::default()
    };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    // HLSL has no cooperative matrices; DX12 adapters offer none.
    if cooperative {
        return Ok(());
    }
    let options = hlsl::Options {
        shader_model: match halves {
            true => hlsl::ShaderModel::V6_2,
            false => hlsl::ShaderModel::V6_0,
        },
        ..Default::default()
    };
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    Ok(())
}
