//! Threads and vector units.

use std::convert::Infallible;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use pulp::Arch;
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::info::info;
use super::leaf::Run;
use crate::{
    DeviceInfo, DeviceOptions, Error, Graph, Plan, Planning, Precision, Result, Schedule, Step,
};

/// What it does at once, as plans see it: any number of threads gives the same bytes.
const WORKERS: usize = 16;

/// The processor as a device: threads of its own and the widest vectors it offers.
#[derive(Debug)]
pub struct Device {
    pool: ThreadPool,
    info: DeviceInfo,
    pub(super) arch: Arch,
}

/// What one thread works in; its capacity is kept between steps.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Registers of expressions, a block of elements each.
    pub(super) lanes: Vec<Vec<f32>>,
    /// Values of nodes that are the same for all elements.
    pub(super) scalars: Vec<f32>,
    /// Result and place of each stage of a reduction.
    pub(super) reduced: Vec<(f32, f32)>,
    /// Which elements a block holds.
    pub(super) runs: Vec<Run>,
    /// Part of a product.
    pub(super) tile: Vec<f32>,
    /// Parts of the operands of a product.
    pub(super) packed: [Vec<f32>; 2],
}

/// One scratch for each thread of a device.
pub(super) type Scratches = Vec<Mutex<Scratch>>;

impl Device {
    /// The processor with as many threads as it runs at once, or as `RAYON_NUM_THREADS` says.
    ///
    /// # Errors
    /// A precision other than f32, or the operating system refuses threads.
    pub fn open(options: &DeviceOptions) -> Result<Self> {
        match options.precision {
            Precision::Exact => Self::new(None),
            other => Err(Error::Adapter(format!(
                "{} computes in f32, not with precision {other:?}; use precision Exact, or choose a GPU with --adapter",
                info().name
            ))),
        }
    }

    /// A device with so many threads; without a number, as [`Device::open`].
    ///
    /// # Errors
    /// The operating system refuses threads.
    pub fn new(threads: Option<NonZero<usize>>) -> Result<Self> {
        let threads = threads.map_or_else(rayon::current_num_threads, NonZero::get);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("samora-{i}"))
            .build();
        Ok(Self {
            pool: pool.map_err(|e| Error::Device(format!("cannot start threads: {e}")))?,
            info: info(),
            arch: Arch::new(),
        })
    }

    /// What it is.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// How plans for it are made.
    pub fn planning(&self, fuse: bool) -> Planning {
        Planning {
            workers: WORKERS,
            direct: true,
            ..Planning::exact(fuse)
        }
    }

    /// Schedules a plan: this device runs the kernels' descriptions themselves.
    pub fn schedule(&self, graph: &Graph, plan: Plan) -> Schedule {
        let described = |_: &Step| Ok::<_, Infallible>(None);
        match Schedule::new(graph, plan, described) {
            Ok(schedule) => schedule,
            Err(never) => match never {},
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    pub(super) fn scratches(&self) -> Scratches {
        (0..self.threads()).map(|_| Mutex::default()).collect()
    }

    /// Runs `work` on a thread of the device.
    pub(super) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }
}

/// Works at each piece, on all threads of the device that this is called on.
pub(super) fn each(
    scratches: &Scratches,
    pieces: usize,
    work: impl Fn(usize, &mut Scratch) + Sync,
) {
    let one = |piece| {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let scratch = scratches[thread].lock();
        work(piece, &mut scratch.unwrap_or_else(PoisonError::into_inner));
    };
    match pieces == 1 || scratches.len() == 1 {
        true => (0..pieces).for_each(one),
        false => (0..pieces).into_par_iter().with_max_len(1).for_each(one),
    }
}
