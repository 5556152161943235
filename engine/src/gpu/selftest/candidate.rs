//! A kernel that is tested.

use samora_shaders::{Kernel, Shader};

use crate::Step;

/// A kernel of a schedule.
#[derive(Clone, Debug)]
pub(in crate::gpu) struct Candidate<'a> {
    pub(in crate::gpu) shader: &'a Shader,
    pub(in crate::gpu) kernel: &'a Kernel,
    /// Label of its step in the plan.
    pub(in crate::gpu) label: &'a str,
    /// Elements of each binding.
    pub(in crate::gpu) lens: Vec<usize>,
}

impl<'a> Candidate<'a> {
    pub(in crate::gpu) fn new(step: &'a Step, shader: &'a Shader) -> Self {
        Self {
            shader,
            kernel: &step.kernel,
            label: &step.label,
            lens: step.lens(),
        }
    }
}
