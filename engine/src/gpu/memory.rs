//! Buffers of a device: made, bound, written and read.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::device::Device;
use super::texels;
use crate::{Error, Result};

/// What makes a plan smaller.
const LESS: &str = "reduce the batch or the image size, or recompute more in the backward pass";

impl Device {
    /// Creates a storage buffer of `len` 32-bit elements.
    pub(super) fn buffer(&self, label: &str, len: usize) -> Result<wgpu::Buffer> {
        let size = match self.adapter.caps.texels {
            // Whole rows are copied to textures.
            true => texels::padded(len.max(1)),
            false => 4 * len.max(1) as u64,
        };
        if size > self.adapter.caps.binding_bytes {
            return Err(Error::Plan(format!(
                "{label} needs {} MiB, {} binds at most {} MiB; {LESS}",
                size >> 20,
                self.adapter.info.name,
                self.adapter.caps.binding_bytes >> 20
            )));
        }
        self.count();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(_) => Err(Error::Device(format!(
                "out of memory for {label} ({} MiB); {LESS}",
                size >> 20
            ))),
        }
    }

    /// Binds buffers and textures in order at group 0.
    pub(super) fn bind(
        &self,
        label: &str,
        pipeline: &wgpu::ComputePipeline,
        resources: Vec<wgpu::BindingResource<'_>>,
    ) -> wgpu::BindGroup {
        self.count();
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// A buffer to read `len` 32-bit elements back through.
    pub(super) fn staging(&self, len: usize) -> wgpu::Buffer {
        self.count();
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: 4 * len.max(1) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// A mapped buffer to write inputs of so many bytes into.
    pub(super) fn upload(&self, bytes: u64) -> wgpu::Buffer {
        self.count();
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("inputs"),
            size: bytes.max(4),
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        })
    }

    /// Reads the first `len` elements of a buffer.
    pub(super) fn read<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        len: usize,
    ) -> Result<Vec<T>> {
        self.read_through(&self.staging(len), (buffer, 0), len)
    }

    /// Writes numbers into a buffer of f16, from its start.
    pub(super) fn write_halves(&self, buffer: &wgpu::Buffer, numbers: &[f32]) {
        // Whole words are written.
        let mut halves = vec![f16::ZERO; numbers.len().next_multiple_of(2)];
        halves[..numbers.len()].convert_from_f32_slice(numbers);
        self.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(&halves));
    }

    /// Reads single elements of a buffer of f16.
    pub(super) fn read_halves(&self, buffer: &wgpu::Buffer, places: &[usize]) -> Result<Vec<f32>> {
        let words: Vec<usize> = places.iter().map(|place| place / 2).collect();
        let words = self.read_elements(buffer, &words)?.into_iter().zip(places);
        let of = |(word, place): (u32, &usize)| {
            let [low, high] = [word as u16, (word >> 16) as u16];
            f16::from_bits(if place % 2 == 0 { low } else { high }).to_f32()
        };
        Ok(words.map(of).collect())
    }

    /// Reads single 32-bit elements of a buffer.
    pub(super) fn read_elements<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        places: &[usize],
    ) -> Result<Vec<T>> {
        let few = self.buffer("samples", places.len())?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (to, from) in places.iter().enumerate() {
            encoder.copy_buffer_to_buffer(buffer, 4 * *from as u64, &few, 4 * to as u64, 4);
        }
        self.queue.submit([encoder.finish()]);
        self.read(&few, places.len())
    }

    /// Reads `len` elements of a buffer, from a byte on, through an existing staging buffer.
    pub(super) fn read_through<T: bytemuck::Pod>(
        &self,
        staging: &wgpu::Buffer,
        (buffer, offset): (&wgpu::Buffer, u64),
        len: usize,
    ) -> Result<Vec<T>> {
        let size = 4 * len as u64;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, offset, staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let slice = staging.slice(..size);
        slice.map_async(wgpu::MapMode::Read, |_| {});
        self.wait()?;
        let elements = {
            let view = slice
                .get_mapped_range()
                .map_err(|e| Error::Device(format!("cannot read a buffer: {e}")))?;
            bytemuck::pod_collect_to_vec(&view)
        };
        staging.unmap();
        Ok(elements)
    }
}
