//! A plan on a device: buffers, pipelines and bind groups made once, then steps.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use samora_shaders::Shader;

use super::device::Device;
use super::pipeline::pipelines;
use super::selftest::{Candidate, Passed};
use super::source::{SourceBuffer, allocate};
use super::submission::submissions;
use super::textures::{BYTES, Textures};
use super::upload::Upload;
use crate::plan::limits;
use crate::sources::{Sources, tensor_error};
use crate::{
    DType, Error, Graph, Place, Plan, Result, Schedule, ScheduledStep, Step, Tensor, Type, Value,
};

/// A plan ready to run. Everything is allocated and compiled by [`Program::new`]; a step only
/// uploads inputs, encodes and submits.
#[derive(Debug)]
pub struct Program<'d> {
    pub(super) device: &'d Device,
    pub(super) schedule: Schedule,
    sources: Sources,
    /// Of each source.
    buffers: Vec<SourceBuffer>,
    slots: Vec<wgpu::Buffer>,
    textures: Textures,
    pub(super) dispatches: Vec<Dispatch>,
    submissions: Vec<Range<usize>>,
    pub(super) upload: Upload,
    staging: wgpu::Buffer,
    in_flight: Option<wgpu::SubmissionIndex>,
}

#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) name: String,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    grid: [u32; 3],
    /// Textures it reads, with what they must hold and how many numbers of it.
    reads: Vec<(usize, Place, usize)>,
    /// What it writes.
    writes: Vec<Place>,
}

impl<'d> Program<'d> {
    /// Allocates the plan's buffers, fills parameters and state from `tensors` (state falls back to
    /// its declared start), and compiles its kernels.
    ///
    /// # Errors
    /// A parameter that is missing or of another shape, a buffer the adapter cannot bind or
    /// allocate, a kernel the driver refuses or computes wrongly.
    pub fn new(
        device: &'d Device,
        graph: &Graph,
        plan: Plan,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        limits::check(graph, &plan, &device.planning(true))?;
        Self::of(device, device.schedule(graph, plan)?, tensors)
    }

    /// As [`Program::new`], of a schedule for this adapter.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn of(
        device: &'d Device,
        schedule: Schedule,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let (sources, starts) = Sources::new(&schedule, tensors)?;
        // First, while the memory that they are tried in is free.
        let kernels = kernels(device, &schedule)?;
        let (buffers, input_bytes) = allocate(device, &schedule.sources, &starts)?;
        let slots = schedule.slots.iter().enumerate();
        let slots = slots
            .map(|(i, len)| device.buffer(schedule.slot_label(i), *len))
            .collect::<Result<Vec<_>>>()?;
        let outputs = schedule.outputs.iter().map(|o| &o.ty);
        let readable = outputs.chain(schedule.sources.iter().map(|s| &s.ty));
        let largest = readable.map(Type::len).max().unwrap_or(1);
        let mut program = Self {
            device,
            submissions: submissions(&schedule.steps),
            schedule,
            sources,
            buffers,
            slots,
            textures: Textures::default(),
            dispatches: Vec::new(),
            upload: Upload::new(device, input_bytes),
            staging: device.staging(largest),
            in_flight: None,
        };
        program.bind(&kernels)?;
        device.check()?;
        Ok(program)
    }

    /// What it does.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Bytes of the textures that hold copies of buffers; 0 where kernels read buffers alone.
    pub fn texture_bytes(&self) -> u64 {
        self.textures.bytes()
    }

    /// Runs one step with the given inputs; one that is not given keeps its last value. Returns once
    /// the step is submitted; earlier ones are complete then.
    ///
    /// # Errors
    /// An unknown or missing input, one of another type or length or with an index beyond what it indexes, or a
    /// failed device.
    pub fn step(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        let mut encoder = self.encoder();
        self.feed(inputs, &mut encoder)?;
        for part in 0..self.submissions.len() {
            self.encode(self.submissions[part].clone(), &mut encoder, None);
            if part + 1 < self.submissions.len() {
                let full = std::mem::replace(&mut encoder, self.encoder());
                self.device.queue.submit([full.finish()]);
            }
        }
        self.encode_copies(&mut encoder);
        let index = self.device.queue.submit([encoder.finish()]);
        self.upload.submitted();
        if let Some(earlier) = self.in_flight.replace(index) {
            self.device.poll(wgpu::PollType::Wait {
                submission_index: Some(earlier),
                timeout: None,
            })?;
        }
        self.device.check()
    }

    /// Reads a wanted value of the plan after the last step. Waits for it.
    ///
    /// # Errors
    /// A value the plan does not keep, or a failed device.
    pub fn read(&self, value: Value) -> Result<Tensor> {
        match self.schedule.output(value) {
            Some(output) => self.download(self.place(output.place), &output.ty),
            None => Err(Error::Plan(
                "this value is not an output of the plan".into(),
            )),
        }
    }

    /// Reads one parameter or state by full name. Waits for the last step.
    ///
    /// # Errors
    /// An unknown name, a parameter that never changes and is kept as f16, or a failed device.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let i = self.sources.find(name)?;
        let (source, ty) = (&self.buffers[i], &self.sources.all()[i].ty);
        if source.half {
            let message = "is rounded to f16; no step changes it, so take what was given";
            return tensor_error(name, message.into());
        }
        self.download((&source.buffer, 0), ty)
    }

    pub(super) fn encoder(&self) -> wgpu::CommandEncoder {
        self.device
            .device
            .create_command_encoder(&Default::default())
    }

    /// Checks the inputs and copies them to the device.
    pub(super) fn feed(
        &mut self,
        inputs: &[(&str, &Tensor)],
        encoder: &mut wgpu::CommandEncoder,
    ) -> Result<()> {
        self.sources.feed(inputs)?;
        let fed = inputs.iter().filter_map(|(name, tensor)| {
            let i = self.sources.input(name)?;
            Some((i, self.buffers[i].offset, tensor.bytes()))
        });
        let fed: Vec<(usize, u64, &[u8])> = fed.collect();
        let parts: Vec<(u64, &[u8])> = fed.iter().map(|f| (f.1, f.2)).collect();
        self.upload.fill(&parts)?;
        for (i, offset, bytes) in fed {
            let (from, to) = (self.upload.buffer(), &self.buffers[i].buffer);
            encoder.copy_buffer_to_buffer(from, offset, to, 0, bytes.len() as u64);
            self.textures.written(Place::Source(i));
        }
        Ok(())
    }

    /// Encodes kernels, and before each the copies to textures it reads that are out of date. A pass writes the
    /// times of its start and end, if wanted.
    pub(super) fn encode(
        &mut self,
        kernels: Range<usize>,
        encoder: &mut wgpu::CommandEncoder,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let mut textures = std::mem::take(&mut self.textures);
        let mut pass = None;
        for d in &self.dispatches[kernels] {
            for &(texture, place, len) in &d.reads {
                if !textures.holds(texture, place) {
                    // Copies come between passes.
                    pass = None;
                    textures.copy(encoder, texture, (place, self.place(place), len));
                }
            }
            d.writes.iter().for_each(|&place| textures.written(place));
            let pass = pass.get_or_insert_with(|| {
                let descriptor = wgpu::ComputePassDescriptor {
                    label: None,
                    timestamp_writes: timestamp_writes.clone(),
                };
                encoder.begin_compute_pass(&descriptor).forget_lifetime()
            });
            pass.set_pipeline(&d.pipeline);
            pass.set_bind_group(0, &d.group, &[]);
            pass.dispatch_workgroups(d.grid[0], d.grid[1], d.grid[2]);
        }
        drop(pass);
        self.textures = textures;
    }

    pub(super) fn encode_copies(&mut self, encoder: &mut wgpu::CommandEncoder) {
        for (from, to) in &self.schedule.copies {
            let target = &self.buffers[*to];
            let bytes = 4 * self.sources.all()[*to].ty.len() as u64;
            let (buffer, offset) = self.place(*from);
            encoder.copy_buffer_to_buffer(buffer, offset, &target.buffer, 0, bytes);
            self.textures.written(Place::Source(*to));
        }
    }

    /// The buffer of a place and the byte where it starts.
    fn place(&self, place: Place) -> (&wgpu::Buffer, u64) {
        match place {
            Place::Source(i) => (&self.buffers[i].buffer, 0),
            Place::Slot { slot, first } => (&self.slots[slot], 4 * first as u64),
        }
    }

    fn resource(&self, place: Place) -> wgpu::BindingResource<'_> {
        let (buffer, offset) = self.place(place);
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size: None,
        })
    }

    fn download(&self, from: (&wgpu::Buffer, u64), ty: &Type) -> Result<Tensor> {
        let (staging, len) = (&self.staging, ty.len());
        Ok(match ty.dtype {
            DType::F32 => Tensor::f32(&ty.shape, self.device.read_through(staging, from, len)?),
            DType::U32 => Tensor::u32(&ty.shape, self.device.read_through(staging, from, len)?),
        })
    }

    /// Binds the kernels' buffers.
    ///
    /// # Errors
    /// A step without a module.
    fn bind(&mut self, pipelines: &HashMap<String, wgpu::ComputePipeline>) -> Result<()> {
        let steps = self.schedule.steps.iter();
        let steps: Vec<(&Step, &Shader)> = steps
            .map(|s| Ok((&s.step, shader(s)?)))
            .collect::<Result<_>>()?;
        let read = steps.iter().map(|(step, shader)| -> Vec<Place> {
            let textures = shader.textures.iter();
            textures.map(|&b| step.bound[b].place).collect()
        });
        let read: Vec<Vec<Place>> = read.collect();
        let mut lens: HashMap<Place, usize> = HashMap::new();
        for bound in steps.iter().flat_map(|(step, _)| &step.bound) {
            let longest = lens.entry(bound.place).or_default();
            *longest = bound.len.max(*longest);
        }
        let (textures, chosen) = Textures::choose(self.device, &read, |place| lens[&place], BYTES);
        let mut dispatches = Vec::with_capacity(steps.len());
        for ((step, shader), chosen) in steps.into_iter().zip(chosen) {
            let pipeline = pipelines[&shader.source].clone();
            let mut resources: Vec<wgpu::BindingResource<'_>> =
                step.places().map(|p| self.resource(p)).collect();
            let mut reads = Vec::with_capacity(chosen.len());
            for (&binding, texture) in shader.textures.iter().zip(chosen) {
                resources[binding] = wgpu::BindingResource::TextureView(textures.view(texture));
                let bound = step.bound[binding];
                reads.push((texture, bound.place, bound.len));
            }
            let group = self.device.bind(&shader.name, &pipeline, resources);
            dispatches.push(Dispatch {
                name: shader.name.clone(),
                pipeline,
                group,
                grid: shader.grid,
                reads,
                writes: step.written().collect(),
            });
        }
        self.textures = textures;
        self.dispatches = dispatches;
        Ok(())
    }
}

/// Compiles and tests the distinct modules of a schedule; pipelines by text.
///
/// # Errors
/// A step without a module, or one that the driver refuses or computes wrongly.
fn kernels(device: &Device, schedule: &Schedule) -> Result<HashMap<String, wgpu::ComputePipeline>> {
    let mut seen = HashSet::new();
    let mut kernels = Vec::new();
    for scheduled in &schedule.steps {
        let (step, shader) = (&scheduled.step, shader(scheduled)?);
        if seen.insert(shader.source.as_str()) {
            kernels.push(Candidate::new(step, shader));
        }
    }
    let distinct: Vec<_> = kernels.iter().map(|k| (k.shader, k.label)).collect();
    let pipelines = pipelines(device, &distinct)?;
    let mut passed = Passed::load(device);
    passed.check(device, &kernels, &pipelines)?;
    passed.save();
    Ok(pipelines)
}

/// The module of a step.
///
/// # Errors
/// There is none: the schedule is of another device.
fn shader(step: &ScheduledStep) -> Result<&Shader> {
    step.shader.as_ref().ok_or_else(|| {
        Error::Plan(format!(
            "{}: its schedule is of a device without shaders; schedule the plan for this one",
            step.step.label
        ))
    })
}
