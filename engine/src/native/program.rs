//! A plan on the processor: memory and kernels made once, then steps.

use std::collections::{BTreeMap, HashMap};

use super::context::Context;
use super::device::{Device, Scratches};
use super::kernel::Runner;
use super::memory::{Bound, Memory, Words};
use crate::sources::Sources;
use crate::{DType, Error, Graph, Place, Plan, Result, Tensor, Type, Value};

/// A plan ready to run. Everything is allocated by [`Program::new`].
#[derive(Debug)]
pub struct Program<'d> {
    pub(super) device: &'d Device,
    pub(super) plan: Plan,
    sources: Sources,
    memory: Memory,
    pub(super) kernels: Vec<Runner>,
    /// Which bindings each kernel writes.
    writes: Vec<Vec<bool>>,
    packed: Words,
    scratches: Scratches,
    types: HashMap<Value, Type>,
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
        let (sources, starts) = Sources::new(graph, &plan, tensors)?;
        let zeros = |len: &usize| Words::zeros(*len);
        let memory = Memory {
            sources: sources.all().iter().map(|s| zeros(&s.ty.len())).collect(),
            slots: plan.slots.iter().map(zeros).collect(),
        };
        for (words, start) in memory.sources.iter().zip(&starts) {
            if let Some(tensor) = start {
                fill(words, tensor);
            }
        }
        let writes: Vec<Vec<bool>> = plan
            .steps
            .iter()
            .map(|step| step.kernel.bindings().iter().map(|b| b.write).collect())
            .collect();
        let mut changes: Vec<bool> = starts.iter().map(Option::is_none).collect();
        plan.copies.iter().for_each(|(_, to)| changes[*to] = true);
        for (step, writes) in plan.steps.iter().zip(&writes) {
            for (place, write) in step.places.iter().zip(writes) {
                if let (Place::Source(i), true) = (place, write) {
                    changes[*i] = true;
                }
            }
        }
        let mut kernels = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let frozen = |binding: usize| match step.places[binding] {
                Place::Source(i) if !changes[i] => starts[i].map(Tensor::as_f32),
                Place::Source(_) | Place::Slot { .. } => None,
            };
            kernels.push(Runner::new(step, device.arch, frozen)?);
        }
        let packed = kernels.iter().map(Runner::packed).max().unwrap_or(0);
        let mut scratches = device.scratches();
        for scratch in &mut scratches {
            if let Ok(scratch) = scratch.get_mut() {
                kernels.iter().for_each(|kernel| kernel.reserve(scratch));
            }
        }
        let outputs = plan.outputs.keys();
        let types = outputs.map(|v| (*v, graph.ty(*v).clone())).collect();
        Ok(Self {
            device,
            plan,
            sources,
            memory,
            kernels,
            writes,
            packed: Words::zeros(packed),
            scratches,
            types,
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes of the weights that are packed for products.
    pub fn packed_bytes(&self) -> u64 {
        let words = self.kernels.iter().map(Runner::frozen).sum::<usize>() + self.packed.len();
        4 * words as u64
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
        match (self.plan.outputs.get(&value), self.types.get(&value)) {
            (Some(place), Some(ty)) => Ok(self.tensor_at(*place, ty)),
            _ => Err(Error::Plan(
                "this value is not an output of the plan".into(),
            )),
        }
    }

    /// Reads one parameter or state by full name.
    ///
    /// # Errors
    /// An unknown name.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let i = self.sources.find(name)?;
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
        let step = &self.plan.steps[kernel];
        let (places, lens, writes) = (&step.places, &step.lens, &self.writes[kernel]);
        // SAFETY: kernels run one after another; a plan gives what a kernel writes no place that it reads, but for
        // updates in place, which are bound as written.
        #[allow(unsafe_code)]
        let bound = unsafe { Bound::new(&self.memory, places, lens, writes) };
        self.kernels[kernel].run(&Context {
            arch: self.device.arch,
            scratches: &self.scratches,
            bound,
            packed: &self.packed,
        });
    }

    /// Makes the copies that end a step.
    pub(super) fn copy(&self) {
        for (from, to) in &self.plan.copies {
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
