//! Inputs on their way to the device.

use super::device::Device;
use crate::{Error, Result};

/// Two host-visible buffers in turn: the next step's inputs are written into one while the device may
/// still copy from the other. Unlike `Queue::write_buffer`, this allocates nothing in a step.
#[derive(Debug)]
pub(super) struct Upload {
    buffers: [wgpu::Buffer; 2],
    /// Which one is free.
    next: usize,
}

impl Upload {
    /// Room for `bytes` of inputs per step.
    pub(super) fn new(device: &Device, bytes: u64) -> Self {
        Self {
            buffers: [device.upload(bytes), device.upload(bytes)],
            next: 0,
        }
    }

    /// The buffer to copy from.
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffers[self.next]
    }

    /// Writes inputs at their offsets (in bytes). The step before the last one must be complete.
    ///
    /// # Errors
    /// The device failed.
    pub(super) fn fill(&self, inputs: &[(u64, &[u8])]) -> Result<()> {
        let buffer = self.buffer();
        let mut view = buffer
            .get_mapped_range_mut(..)
            .map_err(|e| Error::Device(format!("cannot write inputs: {e}")))?;
        for (offset, bytes) in inputs {
            let start = *offset as usize;
            view.slice(start..start + bytes.len())
                .copy_from_slice(bytes);
        }
        drop(view);
        buffer.unmap();
        Ok(())
    }

    /// After the copies were submitted: asks for the buffer back, and turns to the other one.
    pub(super) fn submitted(&mut self) {
        let buffer = self.buffer();
        // A failure shows when the buffer is filled again.
        buffer.map_async(wgpu::MapMode::Write, .., |_| {});
        self.next = 1 - self.next;
    }
}
