//! What a program does, as data: a function of the graph, its plan and the kernels that were chosen for a device.
//!
//! Devices execute it; the self-test, profiles and exports read it. It can be written to a file, read again, and run.

use samora_shaders::Shader;
use serde::{Deserialize, Serialize};

use crate::{Graph, Place, Plan, SourceKind, Step, Tensor, Type, Value};

/// A step of training or inference, ready for a device that has its kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What is fed, given or kept between steps, in the order of the graph.
    pub sources: Vec<ScheduledSource>,
    /// 32-bit words of each slot.
    pub slots: Vec<usize>,
    /// The kernels in order.
    pub steps: Vec<ScheduledStep>,
    /// Copies into sources after the last kernel.
    pub copies: Vec<(Place, usize)>,
    /// What can be read after a step.
    pub outputs: Vec<ScheduledOutput>,
}

/// A source of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledSource {
    /// Full name.
    pub name: String,
    /// Shape and element type.
    pub ty: Type,
    /// What it holds before the first step.
    pub start: Start,
    /// What its indices stay below, if it holds indices.
    pub below: Option<usize>,
    /// Whether it is kept as f16.
    pub half: bool,
}

/// What a source holds before the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Start {
    /// What is fed.
    Input,
    /// What is given for its name.
    Param,
    /// What is given for its name, else this.
    State(Fill),
    /// This.
    Constant(Fill),
}

/// Contents of a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fill {
    /// One number everywhere.
    Same(f32),
    /// Any numbers.
    Numbers(Tensor),
}

/// A kernel and what it is bound to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledStep {
    /// What it computes, where.
    pub step: Step,
    /// The module that was chosen for it; none on a device that runs descriptions.
    pub shader: Option<Shader>,
}

/// A value that can be read after a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScheduledOutput {
    /// Scope path and op.
    pub name: String,
    /// What the graph calls it.
    pub value: Value,
    /// Shape and element type.
    pub ty: Type,
    /// Where it is.
    pub place: Place,
}

impl Schedule {
    /// Schedules a plan of `graph`, with the module that `choose` takes for each step, if any.
    ///
    /// # Errors
    /// Those of `choose`.
    pub fn new<E>(
        graph: &Graph,
        plan: Plan,
        mut choose: impl FnMut(&Step) -> Result<Option<Shader>, E>,
    ) -> Result<Self, E> {
        let sources = graph.sources().iter().enumerate();
        let sources = sources.map(|(i, source)| ScheduledSource {
            name: source.name.clone(),
            ty: graph.ty(source.value).clone(),
            start: match &source.kind {
                SourceKind::Input => Start::Input,
                SourceKind::Param(_) => Start::Param,
                SourceKind::State(t) => Start::State(Fill::of(t)),
                SourceKind::Constant(t) => Start::Constant(Fill::of(t)),
            },
            below: graph.index_limit(source.value),
            half: plan.half_sources.contains(&i),
        });
        let mut outputs: Vec<ScheduledOutput> = plan
            .outputs
            .iter()
            .map(|(&value, &place)| ScheduledOutput {
                name: graph.label(value),
                value,
                ty: graph.ty(value).clone(),
                place,
            })
            .collect();
        outputs.sort_by_key(|output| output.value);
        let steps = plan.steps.into_iter().map(|step| {
            let shader = choose(&step)?;
            Ok(ScheduledStep { step, shader })
        });
        Ok(Self {
            sources: sources.collect(),
            slots: plan.slots,
            steps: steps.collect::<Result<_, E>>()?,
            copies: plan.copies,
            outputs,
        })
    }

    /// The output that the graph calls `value`.
    pub fn output(&self, value: Value) -> Option<&ScheduledOutput> {
        self.outputs.iter().find(|output| output.value == value)
    }

    /// The largest value in a slot, which it was made for, by the label of the kernel that writes it.
    pub fn slot_label(&self, slot: usize) -> &str {
        slot_label(self.steps.iter().map(|s| &s.step), slot)
    }
}

/// The label of the kernel that writes the largest value in a slot, so that an error points somewhere.
pub(crate) fn slot_label<'a>(steps: impl Iterator<Item = &'a Step>, slot: usize) -> &'a str {
    let size = |step: &&Step| {
        let bound = step.bound.iter().zip(step.kernel.bindings());
        let written = bound.filter(|(bound, binding)| {
            binding.write && matches!(bound.place, Place::Slot { slot: s, .. } if s == slot)
        });
        written.map(|(bound, _)| bound.len).max()
    };
    steps.max_by_key(size).map_or("", |step| &step.label)
}

impl Fill {
    fn of(tensor: &Tensor) -> Self {
        match &tensor.data {
            crate::Data::F32(numbers) => match numbers.first() {
                Some(first) if numbers.iter().all(|x| x.to_bits() == first.to_bits()) => {
                    Self::Same(*first)
                }
                _ => Self::Numbers(tensor.clone()),
            },
            crate::Data::U32(_) => Self::Numbers(tensor.clone()),
        }
    }

    /// The tensor.
    pub(crate) fn tensor(&self, ty: &Type) -> Tensor {
        match self {
            Self::Same(number) => Tensor::full(&ty.shape, *number),
            Self::Numbers(tensor) => tensor.clone(),
        }
    }
}
