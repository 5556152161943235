//! A plan on whatever device.

use std::collections::BTreeMap;

use crate::{Device, Graph, Plan, Result, Schedule, Tensor, Value, gpu, native};

/// A plan ready to run.
#[derive(Debug)]
pub enum Program<'d> {
    /// As shaders.
    Gpu(Box<gpu::Program<'d>>),
    /// On the processor.
    Native(Box<native::Program<'d>>),
}

/// What [`Program::profile`] says of a kernel.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Label of its step in the plan.
    pub label: String,
    /// Name of the kernel.
    pub name: String,
    /// Median of three steps.
    pub seconds: f64,
}

impl<'d> Program<'d> {
    /// Allocates the plan's buffers, fills parameters and state from `tensors` (state falls back to its declared
    /// start), and makes its kernels ready.
    ///
    /// # Errors
    /// A parameter that is missing or of another shape, or what the device refuses.
    pub fn new(
        device: &'d Device,
        graph: &Graph,
        plan: Plan,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        Ok(match device {
            Device::Gpu(device) => {
                Self::Gpu(Box::new(gpu::Program::new(device, graph, plan, tensors)?))
            }
            Device::Native(device) => Self::Native(Box::new(native::Program::new(
                device, graph, plan, tensors,
            )?)),
        })
    }

    /// What it does.
    pub fn schedule(&self) -> &Schedule {
        match self {
            Self::Gpu(program) => program.schedule(),
            Self::Native(program) => program.schedule(),
        }
    }

    /// Bytes beside the plan's buffers: copies in textures, and packed weights.
    pub fn copy_bytes(&self) -> u64 {
        match self {
            Self::Gpu(program) => program.texture_bytes(),
            Self::Native(program) => program.packed_bytes(),
        }
    }

    /// Runs one step with the given inputs; one that is not given keeps its last value. May return before the step
    /// has ended; earlier ones have.
    ///
    /// # Errors
    /// An unknown or missing input, one of another type or length or with an index beyond what it indexes, or a
    /// failed device.
    pub fn step(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        match self {
            Self::Gpu(program) => program.step(inputs),
            Self::Native(program) => program.step(inputs),
        }
    }

    /// Reads a wanted value of the plan after the last step. Waits for it.
    ///
    /// # Errors
    /// A value the plan does not keep, or a failed device.
    pub fn read(&self, value: Value) -> Result<Tensor> {
        match self {
            Self::Gpu(program) => program.read(value),
            Self::Native(program) => program.read(value),
        }
    }

    /// Reads one parameter or state by full name. Waits for the last step.
    ///
    /// # Errors
    /// An unknown name, a parameter that never changes and is not kept as it was given, or a failed device.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        match self {
            Self::Gpu(program) => program.tensor(name),
            Self::Native(program) => program.tensor(name),
        }
    }

    /// Runs three steps, each kernel by itself, and returns how long each took, in order.
    ///
    /// # Errors
    /// As [`Program::step`], or an adapter that cannot time kernels.
    pub fn profile(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<Timed>> {
        match self {
            Self::Gpu(program) => program.profile(inputs),
            Self::Native(program) => program.profile(inputs),
        }
    }
}
