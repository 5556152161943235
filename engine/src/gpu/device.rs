//! An open device and its failures as typed values.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use half::f16;
use half::slice::HalfFloatSliceExt;
use samora_shaders::Products;

use super::adapter::{AdapterSummary, COOPERATIVE, choose, summary};
use super::source::try_allocate;
use super::textures;
use super::tuning::Tuning;
use crate::options::{DeviceOptions, Precision};
use crate::{Error, Graph, Plan, Planning, Result, Schedule};

/// What makes a plan smaller.
const LESS: &str = "reduce the batch or the image size, or recompute more in the backward pass";

/// An open device.
#[derive(Debug)]
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The adapter it was opened on.
    pub adapter: AdapterSummary,
    /// What it was opened with.
    pub(super) options: DeviceOptions,
    source: wgpu::Adapter,
    failure: Arc<Mutex<Option<String>>>,
    created: AtomicUsize,
    pins: Mutex<Option<PathBuf>>,
}

impl Device {
    /// Opens the adapter chosen by rule (discrete, integrated, then software) or by `options`.
    ///
    /// # Errors
    /// No adapter, one that binds too few buffers, or a driver that refuses.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        let adapter = choose(options.adapter.as_deref())?;
        Self::on(adapter, options)
    }

    /// Another device on the same adapter.
    ///
    /// # Errors
    /// A driver that refuses.
    pub(super) fn another(&self) -> Result<Self> {
        Self::on(self.source.clone(), &self.options)
    }

    fn on(adapter: wgpu::Adapter, options: &DeviceOptions) -> Result<Self> {
        let mut about = summary(&adapter);
        about.suffices()?;
        about.caps.products = products(&about, options.precision)?;
        let mut wanted =
            wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
        let mut experimental = wgpu::ExperimentalFeatures::disabled();
        if about.caps.products != Products::Exact {
            wanted |= COOPERATIVE;
            // SAFETY: cooperative matrices alone are used, in kernels that the self-test runs first.
            #[allow(unsafe_code)]
            let enabled = unsafe { wgpu::ExperimentalFeatures::enabled() };
            experimental = enabled;
        }
        let descriptor = wgpu::DeviceDescriptor {
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            experimental_features: experimental,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Error::Adapter(format!("{} refuses to open: {e}", about.info.name)))?;
        let failure = Arc::new(Mutex::new(None));
        let (on_error, on_lost) = (Arc::clone(&failure), Arc::clone(&failure));
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            keep(&on_error, e.to_string())
        }));
        device.set_device_lost_callback(move |_, message| {
            let advice = "rerun to resume from the last checkpoint";
            keep(
                &on_lost,
                format!("the device was lost: {message}; {advice}"),
            );
        });
        Ok(Self {
            device,
            queue,
            adapter: about,
            options: options.clone(),
            source: adapter,
            failure,
            created: AtomicUsize::new(0),
            pins: Mutex::new(None),
        })
    }

    /// Fails with the first error the device reported.
    ///
    /// # Errors
    /// Validation, out of memory, or a lost device.
    pub fn check(&self) -> Result<()> {
        match self.failure.lock() {
            Ok(failure) => failure.clone().map_or(Ok(()), |m| Err(Error::Device(m))),
            Err(_) => Err(Error::Device("a wgpu callback panicked".into())),
        }
    }

    /// From now on programs keep to the variants of kernels that are named in this file, and add to it those that are
    /// chosen for others. Without a file, what was measured on this machine decides anew at every start.
    pub fn pin(&self, file: &Path) {
        if let Ok(mut pins) = self.pins.lock() {
            *pins = Some(file.to_path_buf());
        }
    }

    /// The file that names variants, if any.
    pub(super) fn pins(&self) -> Option<PathBuf> {
        self.pins.lock().ok().and_then(|pins| pins.clone())
    }

    /// How it computes large matrix products.
    pub fn precision(&self) -> Precision {
        self.options.precision
    }

    /// How plans for it are made.
    pub fn planning(&self, fuse: bool) -> Planning {
        let gpu = self.precision().planning(fuse);
        let caps = &self.adapter.caps;
        Planning {
            bindings: gpu.bindings.min(caps.bindings as usize),
            binding_bytes: caps.binding_bytes,
            ..gpu
        }
    }

    /// Schedules a plan: chooses each step's kernel among those that compute the same.
    ///
    /// # Errors
    /// The file that names variants cannot be read or written.
    pub fn schedule(&self, graph: &Graph, plan: Plan) -> Result<Schedule> {
        let mut tuning = Tuning::load(self)?;
        let schedule = Schedule::new(graph, plan, |step| -> Result<_> {
            Ok(Some(tuning.choose(self, step)))
        })?;
        tuning.save(self)?;
        Ok(schedule)
    }

    /// Fails where a program of this plan would not find the memory it needs. What it needs is allocated and
    /// freed again: drivers do not tell how much there is.
    ///
    /// # Errors
    /// A buffer the adapter cannot bind or allocate.
    pub fn holds(&self, graph: &Graph, plan: &Plan) -> Result<()> {
        try_allocate(self, graph, plan)
    }

    /// Buffers, bind groups and pipelines created so far.
    pub fn created(&self) -> usize {
        self.created.load(Ordering::Relaxed)
    }

    /// Allocations of device memory that are in use, wgpu's own included; `None` where the backend
    /// does not tell.
    pub fn allocations(&self) -> Option<usize> {
        let report = self.device.generate_allocator_report()?;
        Some(report.allocations.len())
    }

    /// The wgpu device and queue, to run foreign kernels beside ours in a benchmark.
    pub fn raw(&self) -> (&wgpu::Device, &wgpu::Queue) {
        (&self.device, &self.queue)
    }

    /// Creates a storage buffer of `len` 32-bit elements.
    pub(super) fn buffer(&self, label: &str, len: usize) -> Result<wgpu::Buffer> {
        let size = match self.adapter.caps.texels {
            // Whole rows are copied to textures.
            true => textures::padded(len.max(1)),
            false => 4 * len.max(1) as u64,
        };
        if size > self.adapter.caps.binding_bytes {
            return Err(Error::Plan(format!(
                "{label} needs {} MiB, {} binds at most {} MiB; {LESS}",
                size >> 20,
                self.adapter.info.name,
                self.adapter.caps.binding_bytes >> 20
            )));
        }
        self.count();
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(buffer),
            Some(_) => Err(Error::Device(format!(
                "out of memory for {label} ({} MiB); {LESS}",
                size >> 20
            ))),
        }
    }

    /// Waits until everything submitted has run.
    ///
    /// # Errors
    /// The device failed.
    pub fn wait(&self) -> Result<()> {
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    /// Binds buffers and textures in order at group 0.
    pub(super) fn bind(
        &self,
        label: &str,
        pipeline: &wgpu::ComputePipeline,
        resources: Vec<wgpu::BindingResource<'_>>,
    ) -> wgpu::BindGroup {
        self.count();
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// A buffer to read `len` 32-bit elements back through.
    pub(super) fn staging(&self, len: usize) -> wgpu::Buffer {
        self.count();
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: 4 * len.max(1) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// A mapped buffer to write inputs of so many bytes into.
    pub(super) fn upload(&self, bytes: u64) -> wgpu::Buffer {
        self.count();
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("inputs"),
            size: bytes.max(4),
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        })
    }

    /// Notes that an object is created on the device.
    pub(super) fn count(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads the first `len` elements of a buffer.
    pub(super) fn read<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        len: usize,
    ) -> Result<Vec<T>> {
        self.read_through(&self.staging(len), (buffer, 0), len)
    }

    /// Writes numbers into a buffer of f16, from its start.
    pub(super) fn write_halves(&self, buffer: &wgpu::Buffer, numbers: &[f32]) {
        // Whole words are written.
        let mut halves = vec![f16::ZERO; numbers.len().next_multiple_of(2)];
        halves[..numbers.len()].convert_from_f32_slice(numbers);
        self.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(&halves));
    }

    /// Reads single elements of a buffer of f16.
    pub(super) fn read_halves(&self, buffer: &wgpu::Buffer, places: &[usize]) -> Result<Vec<f32>> {
        let words: Vec<usize> = places.iter().map(|place| place / 2).collect();
        let words = self.read_elements(buffer, &words)?.into_iter().zip(places);
        let of = |(word, place): (u32, &usize)| {
            let [low, high] = [word as u16, (word >> 16) as u16];
            f16::from_bits(if place % 2 == 0 { low } else { high }).to_f32()
        };
        Ok(words.map(of).collect())
    }

    /// Reads single 32-bit elements of a buffer.
    pub(super) fn read_elements<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        places: &[usize],
    ) -> Result<Vec<T>> {
        let few = self.buffer("samples", places.len())?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for (to, from) in places.iter().enumerate() {
            encoder.copy_buffer_to_buffer(buffer, 4 * *from as u64, &few, 4 * to as u64, 4);
        }
        self.queue.submit([encoder.finish()]);
        self.read(&few, places.len())
    }

    /// Reads `len` elements of a buffer, from a byte on, through an existing staging buffer.
    pub(super) fn read_through<T: bytemuck::Pod>(
        &self,
        staging: &wgpu::Buffer,
        (buffer, offset): (&wgpu::Buffer, u64),
        len: usize,
    ) -> Result<Vec<T>> {
        let size = 4 * len as u64;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, offset, staging, 0, size);
        self.queue.submit([encoder.finish()]);
        let slice = staging.slice(..size);
        slice.map_async(wgpu::MapMode::Read, |_| {});
        self.wait()?;
        let elements = {
            let view = slice
                .get_mapped_range()
                .map_err(|e| Error::Device(format!("cannot read a buffer: {e}")))?;
            bytemuck::pod_collect_to_vec(&view)
        };
        staging.unmap();
        Ok(elements)
    }

    pub(super) fn poll(&self, what: wgpu::PollType) -> Result<()> {
        self.device
            .poll(what)
            .map_err(|e| Error::Device(e.to_string()))?;
        self.check()
    }
}

/// What kernels are emitted for.
fn products(adapter: &AdapterSummary, precision: Precision) -> Result<Products> {
    let size = adapter.cooperative.clone().map_err(|reason| {
        Error::Adapter(format!(
            "{} cannot compute with precision {precision:?}: {reason}; use precision Exact, or choose another with \
             --adapter",
            adapter.info.name
        ))
    });
    match precision {
        Precision::Exact => Ok(Products::Exact),
        Precision::Half => size.map(|size| Products::Half { size }),
        Precision::Split => size.map(|size| Products::Split { size }),
    }
}

fn keep(failure: &Mutex<Option<String>>, message: String) {
    if let Ok(mut slot) = failure.lock() {
        slot.get_or_insert(message);
    }
}
