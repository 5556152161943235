//! The buffers of a graph's sources.

use std::collections::HashSet;

use super::device::Device;
use super::program::slot_label;
use crate::sources::Sources;
use crate::{Data, Graph, Plan, Result, Tensor};

/// A source of the graph on the device.
#[derive(Debug)]
pub(super) struct SourceBuffer {
    pub(super) buffer: wgpu::Buffer,
    /// The byte of the upload buffer through which an input is fed.
    pub(super) offset: u64,
    /// Whether it never changes and is kept as f16.
    pub(super) half: bool,
}

/// Allocates the sources of a graph, those of `halves` as f16, and fills them with what they start with. Also
/// returns the bytes of all inputs together.
///
/// # Errors
/// A buffer the adapter cannot bind or allocate.
pub(super) fn allocate(
    device: &Device,
    sources: &Sources,
    starts: &[Option<&Tensor>],
    halves: &HashSet<usize>,
) -> Result<(Vec<SourceBuffer>, u64)> {
    let mut input_bytes = 0;
    let mut buffers = Vec::with_capacity(starts.len());
    for (i, (source, start)) in sources.all().iter().zip(starts).enumerate() {
        let (len, half) = (source.ty.len(), halves.contains(&i));
        let words = if half { len.div_ceil(2) } else { len };
        let buffer = device.buffer(&source.name, words)?;
        let offset = input_bytes;
        match start.map(|t| (&t.data, t)) {
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

/// Allocates what the sources and slots of a plan need, and frees it again.
///
/// # Errors
/// A buffer the adapter cannot bind or allocate.
pub(super) fn try_allocate(device: &Device, graph: &Graph, plan: &Plan) -> Result<()> {
    let sources = graph.sources().iter().enumerate().map(|(i, source)| {
        let len = graph.ty(source.value).len();
        let halves = plan.half_sources.contains(&i);
        device.buffer(&source.name, if halves { len.div_ceil(2) } else { len })
    });
    let slots = plan.slots.iter().enumerate();
    let slots = slots.map(|(i, len)| device.buffer(&slot_label(plan, i), *len));
    let held: Vec<wgpu::Buffer> = sources.chain(slots).collect::<Result<_>>()?;
    drop(held);
    device.wait()
}
