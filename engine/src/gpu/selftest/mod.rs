//! The start-up self-test: each kernel runs once on random data before it is trusted on an adapter
//! and driver, and samples of its result are compared with the host reference.
//!
//! Passed kernels are remembered in a file, by a hash of module text and of all else that it depends on what the
//! driver makes of it.
//!
//! A software adapter compiles a kernel when it first runs, one at a time on each device. New kernels
//! are therefore tested on several devices at once; the driver's cache on disk passes them on.

mod candidate;
mod inputs;
mod judge;
mod testable;
mod trial;
#[cfg(test)]
mod wrong;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) use candidate::Candidate;
pub use testable::testable;
pub(super) use trial::Trial;

use super::cache::{CacheFile, digest, identity};
use super::device::Device;
use super::pipeline::pipeline;
use crate::{Error, Result};

/// Devices used at most.
const WORKERS: usize = 8;
/// New kernels for which another device is worth opening.
const WORTH_A_DEVICE: usize = 8;
/// Counted up whenever what a kernel has to fulfil changes, so that all are tested again.
const REVISION: u32 = 3;

/// Kernels that passed on this adapter and driver.
#[derive(Debug)]
pub(super) struct Passed {
    file: CacheFile,
    /// What else than its text a kernel's result depends on.
    identity: String,
    hashes: BTreeSet<u64>,
    changed: bool,
}

impl Passed {
    /// Loads what earlier runs found; an unreadable file counts as empty.
    pub(super) fn load(device: &Device) -> Self {
        let file = CacheFile::of(device, "selftest.txt");
        Self {
            hashes: parse(&file.read()),
            file,
            identity: format!("{}, self-test {REVISION}", identity(device)),
            changed: false,
        }
    }

    /// Tests the kernels that have not passed before. `pipelines` belong to `device`, by module text.
    ///
    /// # Errors
    /// A kernel that the driver refuses, or that gives wrong results on this adapter.
    pub(super) fn check(
        &mut self,
        device: &Device,
        kernels: &[Candidate],
        pipelines: &HashMap<String, wgpu::ComputePipeline>,
    ) -> Result<()> {
        let (mut new, mut hashes) = (Vec::new(), BTreeSet::new());
        for kernel in kernels {
            let hash = digest(&format!("{}\n{}", self.identity, kernel.shader.source));
            if !self.hashes.contains(&hash) && hashes.insert(hash) {
                new.push(kernel);
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = match device.adapter.caps.cpu {
            true => cores.min(WORKERS).min(new.len() / WORTH_A_DEVICE).max(1),
            false => 1,
        };
        let taken = AtomicUsize::new(0);
        let share = || std::iter::from_fn(|| new.get(taken.fetch_add(1, Ordering::Relaxed)));
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..workers)
                .map(|_| {
                    scope.spawn(|| {
                        let device = device.another()?;
                        share().try_for_each(|kernel| {
                            let pipeline = pipeline(&device, kernel.shader, kernel.label)?;
                            kernel.test(&device, &pipeline)
                        })
                    })
                })
                .collect();
            let own = share().try_for_each(|k| k.test(device, &pipelines[&k.shader.source]));
            for other in others {
                let died = || Error::Device("a self-test thread panicked".into());
                other.join().map_err(|_| died())??;
            }
            own
        })?;
        self.changed |= !hashes.is_empty();
        self.hashes.extend(hashes);
        Ok(())
    }

    /// Adds to the file what passed. Not being able to is no failure: the next start tests again.
    pub(super) fn save(self) {
        if self.changed {
            self.file.update(|others| {
                let all: BTreeSet<u64> = self.hashes.union(&parse(others)).copied().collect();
                all.iter().map(|hash| format!("{hash:016x}\n")).collect()
            });
        }
    }
}

/// The hashes in a file; what is none is left out.
fn parse(text: &str) -> BTreeSet<u64> {
    let hashes = text.lines().filter(|line| line.len() == 16);
    hashes
        .filter_map(|line| u64::from_str_radix(line, 16).ok())
        .collect()
}

impl Candidate<'_> {
    fn test(&self, device: &Device, pipeline: &wgpu::ComputePipeline) -> Result<()> {
        let trial = Trial::new(device, self)?;
        trial.run(self.shader, pipeline, 1)?;
        trial.verify(self.shader)
    }
}
