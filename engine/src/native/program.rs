//! A plan on the processor: memory and kernels made once, then steps.

use std::collections::BTreeMap;

use super::context::Context;
use super::device::{Device, Scratches};
use super::frozen::Frozen;
use super::kernel::Runner;
use super::memory::{Bound, Memory, Words};
use crate::sources::{Sources, tensor_error};
use crate::{
    DType, Error, Graph, Place, Plan, Result, Schedule, ScheduledSource, ScheduledStep, Start,
    Tensor, Type, Value,
};

/// A plan ready to run. Everything is allocated by [`Program::new`].
#[derive(Debug)]
pub struct Program<'d> {
    pub(super) device: &'d Device,
    pub(super) schedule: Schedule,
    sources: Sources,
    memory: Memory,
    /// Which sources are kept as they were given.
    read: Vec<bool>,
    pub(super) kernels: Vec<Runner>,
    /// Which bindings each kernel writes.
    writes: Vec<Vec<bool>>,
    packed: Words,
    scratches: Scratches,
    /// Words of weights that are packed once.
    frozen: usize,
}

impl<'d> Program<'d> {
    /// Allocates the plan's buffers, fills parameters and state from `tensors` (state falls back to its declared
    /// start), and packs what products read and no step changes.
    ///
    /// # Errors
    /// A parameter that is missing or of another shape, or a plan that keeps values as f16.
    pub fn new(
        device: &'d Device,
        graph: &Graph,
        plan: Plan,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        Self::of(device, device.schedule(graph, plan), tensors)
    }

    /// As [`Program::new`], of a schedule.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn of(
        device: &'d Device,
        schedule: Schedule,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let (sources, starts) = Sources::new(&schedule, tensors)?;
        let mut frozen = Frozen::new(&schedule, &starts);
        let mut kernels = Vec::with_capacity(schedule.steps.len());
        for ScheduledStep { step, .. } in &schedule.steps {
            kernels.push(Runner::new(step, device.arch, &mut frozen)?);
        }
        let read = read(&schedule, &kernels);
        let words = schedule.sources.iter().zip(&read);
        let words = words.map(|(s, read)| Words::zeros(if *read { s.ty.len() } else { 0 }));
        let memory = Memory {
            sources: words.collect(),
            slots: schedule
                .slots
                .iter()
                .map(|len| Words::zeros(*len))
                .collect(),
        };
        for ((words, start), read) in memory.sources.iter().zip(&starts).zip(&read) {
            if let (Some(tensor), true) = (start, read) {
                fill(words, tensor);
            }
        }
        let writes = schedule.steps.iter().map(|s| {
            let bindings = s.step.kernel.bindings();
            bindings.iter().map(|b| b.write).collect()
        });
        let packed = kernels.iter().map(Runner::packed).max().unwrap_or(0);
        let mut scratches = device.scratches();
        for scratch in &mut scratches {
            if let Ok(scratch) = scratch.get_mut() {
                kernels.iter().for_each(|kernel| kernel.reserve(scratch));
            }
        }
        Ok(Self {
            device,
            writes: writes.collect(),
            frozen: frozen.words(),
            schedule,
            sources,
            memory,
            read,
            kernels,
            packed: Words::zeros(packed),
            scratches,
        })
    }

    /// What it does.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Bytes beside those of the schedule's sources and slots: weights are also packed for products.
    pub fn packed_bytes(&self) -> u64 {
        let kept = self.schedule.sources.iter().zip(&self.read);
        let left_out = kept.filter(|(_, read)| !**read).map(|(s, _)| s.ty.len());
        let words = self.frozen + self.packed.len();
        4 * words.saturating_sub(left_out.sum()) as u64
    }

    /// Runs one step with the given inputs; one that is not given keeps its last value.
    ///
    /// # Errors
    /// An unknown or missing input, one of another type or length or with an index beyond what it indexes.
    pub fn step(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        self.feed(inputs)?;
        let this = &*self;
        self.device
            .enter(|| (0..this.kernels.len()).for_each(|k| this.run(k)));
        self.copy();
        Ok(())
    }

    /// Reads a wanted value of the plan after the last step.
    ///
    /// # Errors
    /// A value the plan does not keep.
    pub fn read(&self, value: Value) -> Result<Tensor> {
        match self.schedule.output(value) {
            Some(output) => Ok(self.tensor_at(output.place, &output.ty)),
            None => Err(Error::Plan(
                "this value is not an output of the plan".into(),
            )),
        }
    }

    /// Reads one parameter or state by full name.
    ///
    /// # Errors
    /// An unknown name, or a parameter that never changes and is kept packed.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let i = self.sources.find(name)?;
        if !self.read[i] {
            let message = "is packed for products; no step changes it, so take what was given";
            return tensor_error(name, message.into());
        }
        Ok(self.tensor_at(Place::Source(i), &self.sources.all()[i].ty))
    }

    /// Takes over inputs.
    pub(super) fn feed(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        self.sources.feed(inputs)?;
        for (name, tensor) in inputs {
            if let Some(i) = self.sources.input(name) {
                fill(&self.memory.sources[i], tensor);
            }
        }
        Ok(())
    }

    /// Runs a kernel, on a thread of the device.
    pub(super) fn run(&self, kernel: usize) {
        let (bound, writes) = (
            &self.schedule.steps[kernel].step.bound,
            &self.writes[kernel],
        );
        // SAFETY: kernels run one after another; a plan gives what a kernel writes no place that it reads, but for
        // updates in place, which are bound as written.
        #[allow(unsafe_code)]
        let bound = unsafe { Bound::new(&self.memory, bound, writes) };
        self.kernels[kernel].run(&Context {
            arch: self.device.arch,
            scratches: &self.scratches,
            bound,
            packed: &self.packed,
        });
    }

    /// Makes the copies that end a step.
    pub(super) fn copy(&self) {
        for (from, to) in &self.schedule.copies {
            let target = &self.memory.sources[*to];
            let len = self.sources.all()[*to].ty.len();
            target.cells(0, len).copy(self.memory.cells(*from, len));
        }
    }

    fn tensor_at(&self, place: Place, ty: &Type) -> Tensor {
        let mut values = vec![0.0; ty.len()];
        self.memory.cells(place, ty.len()).load(0, 1, &mut values);
        match ty.dtype {
            DType::F32 => Tensor::f32(&ty.shape, values),
            DType::U32 => Tensor::u32(&ty.shape, values.into_iter().map(f32::to_bits).collect()),
        }
    }
}

fn fill(words: &Words, tensor: &Tensor) {
    let values: &[f32] = bytemuck::cast_slice(tensor.bytes());
    words.cells(0, values.len()).store(0, 1, values);
}

/// Which sources have to be there as they were given: all that anyone can change or kernels read, and not only in
/// packed form.
fn read(schedule: &Schedule, kernels: &[Runner]) -> Vec<bool> {
    let param = |s: &ScheduledSource| s.start != Start::Param;
    let mut read: Vec<bool> = schedule.sources.iter().map(param).collect();
    let mut note = |place: Place| {
        if let Place::Source(i) = place {
            read[i] = true;
        }
    };
    for (scheduled, kernel) in schedule.steps.iter().zip(kernels) {
        let bound = scheduled.step.bound.iter().enumerate();
        let needed = bound.filter(|(binding, _)| kernel.needs(*binding));
        needed.for_each(|(_, bound)| note(bound.place));
    }
    schedule
        .outputs
        .iter()
        .for_each(|output| note(output.place));
    for (from, to) in &schedule.copies {
        note(*from);
        note(Place::Source(*to));
    }
    read
}
