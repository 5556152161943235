//! An open device and its failures as typed values.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use samora_shaders::Products;

use super::adapter::{Adapter, AdapterSummary, COOPERATIVE, choose};
use crate::options::{DeviceOptions, Precision};
use crate::{Error, Planning, Result};

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
        let adapter = Adapter {
            summary: self.adapter.clone(),
            source: self.source.clone(),
        };
        Self::on(adapter, &self.options)
    }

    /// Opens an adapter.
    ///
    /// # Errors
    /// One that binds too few buffers or lacks the precision, or a driver that refuses.
    pub(crate) fn on(adapter: Adapter, options: &DeviceOptions) -> Result<Self> {
        let Adapter {
            summary: mut about,
            source: adapter,
        } = adapter;
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

    /// Waits until everything submitted has run.
    ///
    /// # Errors
    /// The device failed.
    pub fn wait(&self) -> Result<()> {
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    /// Notes that an object is created on the device.
    pub(super) fn count(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
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
