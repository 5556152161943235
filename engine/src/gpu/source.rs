//! The buffers of a graph's sources.

use std::collections::{BTreeMap, HashSet};

use super::device::Device;
use super::program::slot_label;
use crate::{Data, Error, Graph, Plan, Result, SourceKind, Tensor, Type};

/// A source of the graph on the device.
#[derive(Debug)]
pub(super) struct SourceBuffer {
    pub(super) name: String,
    pub(super) ty: Type,
    /// What its indices stay below, if it holds indices.
    below: Option<usize>,
    pub(super) role: Role,
    pub(super) buffer: wgpu::Buffer,
}

/// What may happen to a source.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// Fed before a step, through this byte of the upload buffer.
    Input { offset: u64 },
    /// Parameter or state: kept between steps, read back by name.
    Kept,
    /// Never changes.
    Constant,
    /// Parameter or constant that never changes and is kept as f16.
    Half,
}

impl SourceBuffer {
    /// Fails unless a tensor fits.
    ///
    /// # Errors
    /// Another shape, length or element type, or an index beyond what it indexes.
    pub(super) fn check(&self, given: &Tensor) -> Result<()> {
        let fits = given.check(&self.ty, self.below);
        fits.or_else(|message| tensor_error(&self.name, message))
    }
}

/// Allocates and fills the sources of a graph, those of `halves` as f16. Also returns the bytes of all inputs
/// together.
///
/// # Errors
/// A parameter that is missing or of another shape, a buffer the adapter cannot bind or allocate.
pub(super) fn allocate(
    device: &Device,
    graph: &Graph,
    halves: &HashSet<usize>,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<(Vec<SourceBuffer>, u64)> {
    let mut input_bytes = 0;
    let mut sources = Vec::with_capacity(graph.sources().len());
    for (i, source) in graph.sources().iter().enumerate() {
        let given = tensors.get(&source.name);
        let (start, role) = match &source.kind {
            SourceKind::Input => {
                let offset = input_bytes;
                input_bytes += 4 * graph.ty(source.value).len() as u64;
                (None, Role::Input { offset })
            }
            SourceKind::Constant(t) => (Some(t), Role::Constant),
            SourceKind::State(t) => (given.or(Some(t)), Role::Kept),
            SourceKind::Param(_) if given.is_none() => {
                return tensor_error(&source.name, "has no value; load or draw it".into());
            }
            SourceKind::Param(_) => (given, Role::Kept),
        };
        let ty = graph.ty(source.value).clone();
        let (words, role) = match halves.contains(&i) {
            true => (ty.len().div_ceil(2), Role::Half),
            false => (ty.len(), role),
        };
        let buffer = SourceBuffer {
            name: source.name.clone(),
            buffer: device.buffer(&source.name, words)?,
            below: graph.index_limit(source.value),
            ty,
            role,
        };
        if let Some(t) = start {
            buffer.check(t)?;
            match (role, &t.data) {
                (Role::Half, Data::F32(numbers)) => device.write_halves(&buffer.buffer, numbers),
                _ => device.queue.write_buffer(&buffer.buffer, 0, t.bytes()),
            }
        }
        sources.push(buffer);
    }
    Ok((sources, input_bytes))
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

/// What is wrong with a tensor.
///
/// # Errors
/// Always.
pub(super) fn tensor_error<T>(name: &str, message: String) -> Result<T> {
    Err(Error::Tensor {
        name: name.into(),
        message,
    })
}
