//! A kernel on a device, on numbers made for it.

use std::cell::OnceCell;

use samora_shaders::reference::Words;
use samora_shaders::{BufferType, Kernel, Products, Shader};

use super::candidate::Candidate;
use super::inputs::{inputs, is_read};
use super::judge::Expected;
use crate::gpu::device::Device;
use crate::gpu::textures::Texture;
use crate::{Error, Result};

/// A kernel's buffers, full of random numbers.
pub(in crate::gpu) struct Trial<'a> {
    device: &'a Device,
    of: Candidate<'a>,
    before: Vec<Words>,
    buffers: Vec<wgpu::Buffer>,
    expected: OnceCell<Vec<Expected>>,
}

impl<'a> Trial<'a> {
    pub(in crate::gpu) fn new(device: &'a Device, of: &Candidate<'a>) -> Result<Self> {
        let before = inputs(of.kernel, &of.shader.bindings, &of.lens);
        let buffers = of
            .lens
            .iter()
            .map(|len| device.buffer(&of.shader.name, *len));
        let trial = Self {
            device,
            of: of.clone(),
            before,
            buffers: buffers.collect::<Result<_>>()?,
            expected: OnceCell::new(),
        };
        trial.fill();
        Ok(trial)
    }

    /// Writes the random numbers again, if the kernel updates in place.
    pub(in crate::gpu) fn refill(&self) {
        let mut written = (0..self.of.lens.len()).filter(|b| self.of.shader.bindings[*b].write);
        if written.any(|b| is_read(self.of.kernel, b)) {
            self.fill();
        }
    }

    fn fill(&self) {
        let bound = self.buffers.iter().zip(self.of.kernel.bindings());
        for ((buffer, binding), words) in bound.zip(&self.before) {
            let bytes: &[u8] = match words {
                Words::F32(v) if binding.ty == BufferType::F16 => {
                    self.device.write_halves(buffer, v);
                    continue;
                }
                Words::F32(v) => bytemuck::cast_slice(v),
                Words::U32(v) => bytemuck::cast_slice(v),
            };
            self.device.queue.write_buffer(buffer, 0, bytes);
        }
    }

    /// Runs a kernel so many times.
    ///
    /// # Errors
    /// The device fails.
    pub(in crate::gpu) fn run(
        &self,
        shader: &Shader,
        pipeline: &wgpu::ComputePipeline,
        times: usize,
    ) -> Result<()> {
        let device = self.device;
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let bound = self.buffers.iter().zip(&self.of.lens).enumerate();
        let textures: Vec<Option<Texture>> = bound
            .map(|(b, (buffer, &len))| {
                shader.textures.contains(&b).then(|| {
                    let texture = Texture::new(device, len);
                    texture.copy(&mut encoder, (buffer, 0), len);
                    texture
                })
            })
            .collect();
        let bound = self.buffers.iter().zip(&textures);
        let resources = bound.map(|(buffer, texture)| match texture {
            Some(texture) => wgpu::BindingResource::TextureView(&texture.view),
            None => buffer.as_entire_binding(),
        });
        let group = device.bind(&shader.name, pipeline, resources.collect());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            for _ in 0..times {
                pass.dispatch_workgroups(shader.grid[0], shader.grid[1], shader.grid[2]);
            }
        }
        device.queue.submit([encoder.finish()]);
        device.wait()
    }

    /// Compares samples of what a kernel has written, having run once, with the host reference.
    ///
    /// # Errors
    /// They differ, or there is nothing to compare.
    pub(in crate::gpu) fn verify(&self, shader: &Shader) -> Result<()> {
        let (device, label) = (self.device, self.of.label);
        let expected = match self.expected.get() {
            Some(expected) => expected,
            None => {
                let found = expected(&self.of, &self.before, device.adapter.caps.products)?;
                self.expected.get_or_init(|| found)
            }
        };
        for samples in expected {
            let buffer = &self.buffers[samples.binding];
            let after = match shader.bindings[samples.binding].ty {
                BufferType::F16 => device.read_halves(buffer, &samples.places)?,
                _ => device.read_elements(buffer, &samples.places)?,
            };
            if let Some(wrong) = samples.judge(&after) {
                let or_exact = match device.adapter.caps.products {
                    Products::Exact => "",
                    _ => ", use precision Exact",
                };
                return Err(Error::Adapter(format!(
                    "kernel {} of {label} gives {} instead of {} at element {} on {} ({}); \
                     the driver miscompiles it: update the driver{or_exact} or choose another adapter with --adapter",
                    shader.name,
                    wrong.got,
                    wrong.want,
                    wrong.element,
                    device.adapter.info.name,
                    device.adapter.info.driver
                )));
            }
        }
        Ok(())
    }
}

/// What a kernel must write to each binding that it writes.
///
/// # Errors
/// Its reference gives no number for one of them.
pub(super) fn expected(
    of: &Candidate<'_>,
    before: &[Words],
    products: Products,
) -> Result<Vec<Expected>> {
    let (kernel, bindings): (&Kernel, _) = (of.kernel, &of.shader.bindings);
    let written = (0..of.lens.len()).filter(|b| bindings[*b].write);
    let samples = written.map(|b| {
        let samples = Expected::new(kernel, (products, before), (b, bindings[b].ty), of.lens[b]);
        samples.ok_or_else(|| {
            Error::Plan(format!(
                "kernel {} of {} cannot be tested: nothing that it writes to binding {b} is a finite number, \
                 whatever it reads",
                of.shader.name, of.label
            ))
        })
    });
    samples.collect()
}
