//! A plan on a device: buffers, pipelines and bind groups made once, then steps.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use samora_shaders::{Shader, emit};

use super::device::Device;
use super::selftest::Passed;
use crate::{DType, Error, Graph, Place, Plan, Result, SourceKind, Tensor, Type, Value};

/// A plan ready to run. Everything is allocated and compiled by [`Program::new`]; a step only
/// uploads inputs, encodes and submits.
#[derive(Debug)]
pub struct Program<'d> {
    device: &'d Device,
    plan: Plan,
    sources: Vec<SourceBuffer>,
    by_name: HashMap<String, usize>,
    slots: Vec<wgpu::Buffer>,
    dispatches: Vec<Dispatch>,
    staging: wgpu::Buffer,
    types: HashMap<Value, Type>,
    in_flight: Option<wgpu::SubmissionIndex>,
}

#[derive(Debug)]
struct SourceBuffer {
    name: String,
    ty: Type,
    kept: bool,
    buffer: wgpu::Buffer,
}

#[derive(Debug)]
struct Dispatch {
    name: String,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    grid: [u32; 3],
}

impl<'d> Program<'d> {
    /// Allocates the plan's buffers, fills parameters and state from `tensors` (state falls back to
    /// its declared start), and compiles its kernels.
    ///
    /// # Errors
    /// A parameter that is missing or of another shape, a buffer the adapter cannot bind or
    /// allocate, a kernel the driver refuses.
    pub fn new(
        device: &'d Device,
        graph: &Graph,
        plan: Plan,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Self> {
        let mut sources = Vec::new();
        for source in graph.sources() {
            let ty = graph.ty(source.value).clone();
            let buffer = device.buffer(&source.name, ty.len())?;
            let start = match (&source.kind, tensors.get(&source.name)) {
                (SourceKind::Input, _) => None,
                (SourceKind::Constant(t), _) | (SourceKind::State(t), None) => Some(t),
                (_, Some(t)) => Some(t),
                (SourceKind::Param(_), None) => {
                    return Err(Error::Tensor {
                        name: source.name.clone(),
                        message: "has no value".into(),
                    });
                }
            };
            if let Some(t) = start {
                same_type(&source.name, &ty, &t.ty())?;
                device.queue.write_buffer(&buffer, 0, t.bytes());
            }
            let kept = matches!(source.kind, SourceKind::Param(_) | SourceKind::State(_));
            sources.push(SourceBuffer {
                name: source.name.clone(),
                ty,
                kept,
                buffer,
            });
        }
        let slots = plan
            .slots
            .iter()
            .enumerate()
            .map(|(i, len)| device.buffer(&slot_label(&plan, i), *len))
            .collect::<Result<Vec<_>>>()?;
        let largest = plan.outputs.keys().map(|v| graph.ty(*v).len());
        let largest = largest
            .chain(sources.iter().map(|s| s.ty.len()))
            .max()
            .unwrap_or(1);
        let staging = device.staging(largest);
        let types = plan
            .outputs
            .keys()
            .map(|v| (*v, graph.ty(*v).clone()))
            .collect();
        let by_name = sources
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.clone(), i))
            .collect();
        let mut program = Self {
            device,
            plan,
            sources,
            by_name,
            slots,
            dispatches: Vec::new(),
            staging,
            types,
            in_flight: None,
        };
        program.compile()?;
        device.check()?;
        Ok(program)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Replaces an input, parameter or state by name.
    ///
    /// # Errors
    /// An unknown name or another type.
    pub fn write(&self, name: &str, tensor: &Tensor) -> Result<()> {
        let Some(&index) = self.by_name.get(name) else {
            return Err(Error::Tensor {
                name: name.into(),
                message: "is not part of this program".into(),
            });
        };
        let source = &self.sources[index];
        same_type(name, &source.ty, &tensor.ty())?;
        self.device
            .queue
            .write_buffer(&source.buffer, 0, tensor.bytes());
        Ok(())
    }

    /// Runs one step with the given inputs. Returns once it is submitted; at most one earlier step is
    /// still running then.
    ///
    /// # Errors
    /// An unknown input, another type, or a failed device.
    pub fn step(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        for (name, tensor) in inputs {
            self.write(name, tensor)?;
        }
        let mut encoder = self
            .device
            .device
            .create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for d in &self.dispatches {
                pass.set_pipeline(&d.pipeline);
                pass.set_bind_group(0, &d.group, &[]);
                pass.dispatch_workgroups(d.grid[0], d.grid[1], d.grid[2]);
            }
        }
        for (from, to) in &self.plan.copies {
            let target = &self.sources[*to];
            encoder.copy_buffer_to_buffer(
                self.place(*from),
                0,
                &target.buffer,
                0,
                4 * target.ty.len() as u64,
            );
        }
        let index = self.device.queue.submit([encoder.finish()]);
        if let Some(earlier) = self.in_flight.replace(index) {
            self.device.poll(wgpu::PollType::Wait {
                submission_index: Some(earlier),
                timeout: None,
            })?;
        }
        self.device.check()
    }

    /// Runs one step kernel by kernel, waiting for each, and returns every kernel's label, name and
    /// seconds. Launch overhead is part of each figure.
    ///
    /// # Errors
    /// As [`Program::step`].
    pub fn profile(&mut self, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, String, f64)>> {
        for (name, tensor) in inputs {
            self.write(name, tensor)?;
        }
        self.device.wait()?;
        let mut times = Vec::with_capacity(self.dispatches.len());
        for (d, step) in self.dispatches.iter().zip(&self.plan.steps) {
            let start = Instant::now();
            let mut encoder = self
                .device
                .device
                .create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&d.pipeline);
                pass.set_bind_group(0, &d.group, &[]);
                pass.dispatch_workgroups(d.grid[0], d.grid[1], d.grid[2]);
            }
            self.device.queue.submit([encoder.finish()]);
            self.device.wait()?;
            times.push((
                step.label.clone(),
                d.name.clone(),
                start.elapsed().as_secs_f64(),
            ));
        }
        Ok(times)
    }

    /// Reads a wanted value of the plan after the last step. Waits for it.
    ///
    /// # Errors
    /// A value the plan does not keep, or a failed device.
    pub fn read(&self, value: Value) -> Result<Tensor> {
        match (self.plan.outputs.get(&value), self.types.get(&value)) {
            (Some(place), Some(ty)) => self.download(self.place(*place), ty),
            _ => Err(Error::Plan(
                "this value is not an output of the plan".into(),
            )),
        }
    }

    /// Reads all parameters and state, by full name. Waits for the last step.
    ///
    /// # Errors
    /// A failed device.
    pub fn tensors(&self) -> Result<BTreeMap<String, Tensor>> {
        let kept = self.sources.iter().filter(|s| s.kept);
        kept.map(|s| Ok((s.name.clone(), self.download(&s.buffer, &s.ty)?)))
            .collect()
    }

    /// Reads one parameter or state by full name. Waits for the last step.
    ///
    /// # Errors
    /// An unknown name, or a failed device.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        match self.by_name.get(name) {
            Some(&i) => self.download(&self.sources[i].buffer, &self.sources[i].ty),
            None => Err(Error::Tensor {
                name: name.into(),
                message: "is not part of this program".into(),
            }),
        }
    }

    fn place(&self, place: Place) -> &wgpu::Buffer {
        match place {
            Place::Source(i) => &self.sources[i].buffer,
            Place::Slot(i) => &self.slots[i],
        }
    }

    fn len(&self, place: Place) -> usize {
        match place {
            Place::Source(i) => self.sources[i].ty.len(),
            Place::Slot(i) => self.plan.slots[i],
        }
    }

    fn download(&self, buffer: &wgpu::Buffer, ty: &Type) -> Result<Tensor> {
        let (staging, len) = (&self.staging, ty.len());
        Ok(match ty.dtype {
            DType::F32 => Tensor::f32(&ty.shape, self.device.read_through(staging, buffer, len)?),
            DType::U32 => Tensor::u32(&ty.shape, self.device.read_through(staging, buffer, len)?),
        })
    }

    /// Emits, de-duplicates and compiles the kernels, and binds their buffers.
    fn compile(&mut self) -> Result<()> {
        let caps = &self.device.adapter.caps;
        let shaders: Vec<Shader> = self
            .plan
            .steps
            .iter()
            .map(|s| emit(&s.kernel, caps))
            .collect();
        let mut pipelines: HashMap<&str, wgpu::ComputePipeline> = HashMap::new();
        let mut passed = Passed::load(self.device);
        for (shader, step) in shaders.iter().zip(&self.plan.steps) {
            if !pipelines.contains_key(shader.source.as_str()) {
                let pipeline = pipeline(self.device, shader, &step.label)?;
                let lens: Vec<usize> = step.places.iter().map(|p| self.len(*p)).collect();
                passed.check(self.device, shader, &pipeline, &step.kernel, &lens)?;
                pipelines.insert(&shader.source, pipeline);
            }
        }
        passed.save();
        let mut dispatches = Vec::with_capacity(shaders.len());
        for (shader, step) in shaders.iter().zip(&self.plan.steps) {
            let pipeline = pipelines[shader.source.as_str()].clone();
            let buffers: Vec<&wgpu::Buffer> = step.places.iter().map(|p| self.place(*p)).collect();
            let group = self.device.bind(&shader.name, &pipeline, &buffers);
            dispatches.push(Dispatch {
                name: shader.name.clone(),
                pipeline,
                group,
                grid: shader.grid,
            });
        }
        self.dispatches = dispatches;
        Ok(())
    }
}

/// Compiles one module. A panic inside naga's writers is turned into an error.
fn pipeline(device: &Device, shader: &Shader, label: &str) -> Result<wgpu::ComputePipeline> {
    let scope = device
        .device
        .push_error_scope(wgpu::ErrorFilter::Validation);
    let built = catch_unwind(AssertUnwindSafe(|| {
        let module = module(device, shader);
        let entries: Vec<_> = (0..)
            .zip(&shader.bindings)
            .map(|(binding, b)| layout_entry(binding, b.write))
            .collect();
        let layout = device
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(&shader.name),
                entries: &entries,
            });
        let layout = device
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&shader.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
        device
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&shader.name),
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    zero_initialize_workgroup_memory: false,
                    ..Default::default()
                },
                cache: None,
            })
    }));
    let failure = pollster::block_on(scope.pop());
    match (built, failure) {
        (Ok(pipeline), None) => Ok(pipeline),
        (Ok(_), Some(e)) => Err(Error::Device(format!(
            "kernel {} of {label}: {e}",
            shader.name
        ))),
        (Err(_), _) => Err(Error::Device(format!(
            "kernel {} of {label}: the shader compiler panicked",
            shader.name
        ))),
    }
}

fn module(device: &Device, shader: &Shader) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(&shader.name),
        source: wgpu::ShaderSource::Wgsl(shader.source.as_str().into()),
    };
    if device.checked {
        return device.device.create_shader_module(descriptor);
    }
    // SAFETY: our emitters bound every index by the shapes they bake in; the kernel tests run each
    // family against the CPU reference, and `DeviceOptions::checked` restores the checks.
    #[allow(unsafe_code)]
    unsafe {
        device
            .device
            .create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
    }
}

fn layout_entry(binding: u32, write: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !write },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}

fn same_type(name: &str, declared: &Type, given: &Type) -> Result<()> {
    match declared == given {
        true => Ok(()),
        false => {
            let message = format!(
                "has shape {:?}, {:?} is needed",
                given.shape, declared.shape
            );
            Err(Error::Tensor {
                name: name.into(),
                message,
            })
        }
    }
}

/// Names a slot by the first kernel that writes it, so that an error points somewhere.
fn slot_label(plan: &Plan, slot: usize) -> String {
    let writes = |s: &&crate::Step| {
        let bindings = match &s.kernel {
            samora_shaders::Kernel::Map(k) => &k.bindings,
            samora_shaders::Kernel::Rows(k) => &k.bindings,
            samora_shaders::Kernel::Gemm(k) => &k.bindings,
            samora_shaders::Kernel::Attention(k) => &k.bindings,
        };
        s.places
            .iter()
            .zip(bindings)
            .any(|(p, b)| b.write && *p == Place::Slot(slot))
    };
    plan.steps
        .iter()
        .find(writes)
        .map_or_else(|| format!("slot {slot}"), |s| s.label.clone())
}
