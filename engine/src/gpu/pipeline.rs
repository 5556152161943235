//! Compiling kernels.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use samora_shaders::Shader;

use super::device::Device;
use crate::{Error, Result};

/// Compiles distinct kernels, given with the labels of their steps, on all cores. By module text.
///
/// # Errors
/// A module is invalid, or the driver refuses it.
pub(super) fn pipelines(
    device: &Device,
    kernels: &[(&Shader, &str)],
) -> Result<HashMap<String, wgpu::ComputePipeline>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let taken = AtomicUsize::new(0);
    let work = || -> Result<Vec<_>> {
        let share = std::iter::from_fn(|| kernels.get(taken.fetch_add(1, Ordering::Relaxed)));
        let built = share.map(|(shader, label)| {
            let pipeline = pipeline(device, shader, label)?;
            Ok((shader.source.clone(), pipeline))
        });
        built.collect()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(kernels.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut all = HashMap::new();
        for worker in workers {
            let died = || Error::Device("a thread that compiles kernels panicked".into());
            all.extend(worker.join().map_err(|_| died())??);
        }
        Ok(all)
    })
}

/// Compiles the kernel of the plan's step `label`. A panic inside the shader compiler is turned into
/// an error.
///
/// # Errors
/// The module is invalid, or the driver refuses it.
pub(super) fn pipeline(
    device: &Device,
    shader: &Shader,
    label: &str,
) -> Result<wgpu::ComputePipeline> {
    device.count();
    let scope = device
        .device
        .push_error_scope(wgpu::ErrorFilter::Validation);
    let built = catch_unwind(AssertUnwindSafe(|| {
        let module = module(device, shader);
        let entries: Vec<_> = shader
            .bindings
            .iter()
            .enumerate()
            .map(|(binding, b)| {
                let ty = match shader.textures.contains(&binding) {
                    true => TEXTURE,
                    false => buffer(b.write),
                };
                wgpu::BindGroupLayoutEntry {
                    binding: binding as u32,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty,
                    count: None,
                }
            })
            .collect();
        let layout = device
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(&shader.name),
                entries: &entries,
            });
        let layout = device
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&shader.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
        device
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&shader.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
    }));
    let failure = pollster::block_on(scope.pop());
    match (built, failure) {
        (Ok(pipeline), None) => Ok(pipeline),
        (Ok(_), Some(e)) => Err(Error::Device(format!(
            "kernel {} of {label}: {e}",
            shader.name
        ))),
        (Err(_), _) => Err(Error::Device(format!(
            "kernel {} of {label}: the shader compiler panicked",
            shader.name
        ))),
    }
}

fn module(device: &Device, shader: &Shader) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(&shader.name),
        source: wgpu::ShaderSource::Wgsl(shader.source.as_str().into()),
    };
    if device.options.checked {
        return device.device.create_shader_module(descriptor);
    }
    // SAFETY: our emitters bound every index by the shapes they bake in; the kernel tests run each
    // family against the CPU reference, and `DeviceOptions::checked` restores the checks.
    #[allow(unsafe_code)]
    unsafe {
        device
            .device
            .create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

const TEXTURE: wgpu::BindingType = wgpu::BindingType::StorageTexture {
    access: wgpu::StorageTextureAccess::ReadOnly,
    format: wgpu::TextureFormat::Rgba32Float,
    view_dimension: wgpu::TextureViewDimension::D2,
};

fn buffer(write: bool) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only: !write },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}
