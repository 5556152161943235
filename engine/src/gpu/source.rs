//! The buffers of a graph's sources.

use super::device::Device;
use crate::schedule::slot_label;
use crate::{Data, Graph, Plan, Result, ScheduledSource, Tensor};

/// A source of the graph on the device.
#[derive(Debug)]
pub(super) struct SourceBuffer {
    pub(super) buffer: wgpu::Buffer,
    /// The byte of the upload buffer through which an input is fed.
    pub(super) offset: u64,
    /// Whether it never changes and is kept as f16.
    pub(super) half: bool,
}

/// Allocates the sources of a schedule and fills them with what they start with. Also
/// returns the bytes of all inputs together.
///
/// # Errors
/// A buffer the adapter cannot bind or allocate.
pub(super) fn allocate(
    device: &Device,
    sources: &[ScheduledSource],
    starts: &[Option<Tensor>],
) -> Result<(Vec<SourceBuffer>, u64)> {
    let mut input_bytes = 0;
    let mut buffers = Vec::with_capacity(starts.len());
    for (source, start) in sources.iter().zip(starts) {
        let (len, half) = (source.ty.len(), source.half);
        let words = if half { len.div_ceil(2) } else { len };
        let buffer = device.buffer(&source.name, words)?;
        let offset = input_bytes;
        match start.as_ref().map(|t| (&t.data, t)) {
            None => input_bytes += 4 * len as u64,
            Some((Data::F32(numbers), _)) if half => device.write_halves(&buffer, numbers),
            Some((_, t)) => device.queue.write_buffer(&buffer, 0, t.bytes()),
        }
        buffers.push(SourceBuffer {
            buffer,
            offset,
            half,
        });
    }
    Ok((buffers, input_bytes))
}

impl Device {
    /// Fails where a program of this plan would not find the memory it needs. What it needs is allocated and
    /// freed again: drivers do not tell how much there is.
    ///
    /// # Errors
    /// A buffer the adapter cannot bind or allocate.
    pub fn holds(&self, graph: &Graph, plan: &Plan) -> Result<()> {
        let sources = graph.sources().iter().enumerate().map(|(i, source)| {
            let len = graph.ty(source.value).len();
            let halves = plan.half_sources.contains(&i);
            self.buffer(&source.name, if halves { len.div_ceil(2) } else { len })
        });
        let slots = plan.slots.iter().enumerate();
        let slots = slots.map(|(i, len)| self.buffer(slot_label(plan.steps.iter(), i), *len));
        let held: Vec<wgpu::Buffer> = sources.chain(slots).collect::<Result<_>>()?;
        drop(held);
        self.wait()
    }
}
