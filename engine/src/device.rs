//! The device that programs run on: a GPU or the processor.

use std::path::Path;

use crate::device_info::{DeviceInfo, pick};
use crate::options::{DeviceOptions, Precision};
use crate::{Graph, Plan, Planning, Result, gpu, native};

/// An open device.
#[derive(Debug)]
pub enum Device {
    /// An adapter of Vulkan, Metal or DX12.
    Gpu(Box<gpu::Device>),
    /// The processor, without a driver.
    Native(native::Device),
}

/// A device of this machine.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub info: DeviceInfo,
    /// The adapter, if it is one of Vulkan, Metal or DX12.
    pub gpu: Option<gpu::Adapter>,
}

/// The devices of this machine in the order they are preferred: discrete GPUs, integrated and other ones, the
/// processor, and adapters that are software.
pub fn devices() -> Vec<Found> {
    let adapter = |adapter: gpu::Adapter| Found {
        info: adapter.summary.info.clone(),
        gpu: Some(adapter),
    };
    let mut found: Vec<Found> = gpu::adapters().into_iter().map(adapter).collect();
    let gpus = found.iter().take_while(|f| !f.info.is_processor()).count();
    let processor = Found {
        info: native::info(),
        gpu: None,
    };
    found.insert(gpus, processor);
    found
}

impl Device {
    /// Opens the first of [`devices`], or the one that `options` name by its index there or part of its name.
    ///
    /// # Errors
    /// No such device, a driver that refuses, or a precision that the device does not have.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        let mut found = devices();
        let index = match options.adapter.as_deref() {
            None => 0,
            Some(wanted) => pick(wanted, found.iter().map(|f| &f.info))?,
        };
        match found.swap_remove(index).gpu {
            Some(adapter) => Ok(Self::Gpu(Box::new(gpu::Device::on(adapter, options)?))),
            None => native::Device::open(options).map(Self::Native),
        }
    }

    /// What it is.
    pub fn info(&self) -> &DeviceInfo {
        match self {
            Self::Gpu(device) => &device.adapter.info,
            Self::Native(device) => device.info(),
        }
    }

    /// How it computes large matrix products.
    pub fn precision(&self) -> Precision {
        match self {
            Self::Gpu(device) => device.precision(),
            Self::Native(_) => Precision::Exact,
        }
    }

    /// How plans for it are made.
    pub fn planning(&self, fuse: bool) -> Planning {
        match self {
            Self::Gpu(device) => device.planning(fuse),
            Self::Native(device) => device.planning(fuse),
        }
    }

    /// Whether [`Program::profile`](crate::Program::profile) can time kernels.
    pub fn times_kernels(&self) -> bool {
        match self {
            Self::Gpu(device) => device.adapter.timestamps,
            Self::Native(_) => true,
        }
    }

    /// From now on programs keep to the variants of kernels that are named in this file, and add to it those that are
    /// chosen for others. The processor has one variant of each.
    pub fn pin(&self, file: &Path) {
        match self {
            Self::Gpu(device) => device.pin(file),
            Self::Native(_) => {}
        }
    }

    /// Fails where a program of this plan would not find the memory it needs on a device that has its own.
    ///
    /// # Errors
    /// A buffer the adapter cannot bind or allocate.
    pub fn holds(&self, graph: &Graph, plan: &Plan) -> Result<()> {
        match self {
            Self::Gpu(device) => device.holds(graph, plan),
            Self::Native(_) => Ok(()),
        }
    }

    /// Waits until everything submitted has run.
    ///
    /// # Errors
    /// The device failed.
    pub fn wait(&self) -> Result<()> {
        match self {
            Self::Gpu(device) => device.wait(),
            Self::Native(_) => Ok(()),
        }
    }
}
