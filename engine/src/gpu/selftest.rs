//! The start-up self-test: each kernel runs once on random data before it is trusted on an adapter
//! and driver, and samples of its result are compared with the host reference.
//!
//! Passed kernels are remembered in a file, by a hash of adapter, driver and module text.
//!
//! A software adapter compiles a kernel when it first runs, one at a time on each device. New kernels
//! are therefore tested on several devices at once; the driver's cache on disk passes them on.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};

use half::f16;
use samora_shaders::reference::{Words, element};
use samora_shaders::{
    Access, AttentionPass, Binding, BufferType, Kernel, Leaf, Products, Shader, Tokens,
};

use super::cache::{CacheFile, identity};
use super::device::Device;
use super::pipeline::pipeline;
use super::textures::Texture;
use crate::random::Stream;
use crate::{Error, Result};

/// Elements compared per written buffer.
const SAMPLES: usize = 12;
/// Elements after which random inputs repeat themselves: no stride of a tensor is likely to be a multiple.
const PERIOD: usize = 1_000_003;
/// Mean of random inputs, which reach half as far to both sides.
const MEAN: f32 = 0.75;
/// Devices used at most.
const WORKERS: usize = 8;
/// New kernels for which another device is worth opening.
const WORTH_A_DEVICE: usize = 8;
/// Allowed difference, relative and absolute: far above rounding, far below a wrong index.
const TOLERANCE: f64 = 2e-3;
/// The same for products and attention of operands rounded to f16: an operand is off by up to 5e-4 of itself,
/// the sum of positive products by far less, but an epilogue or the difference `dout·v − delta` can enlarge that.
const HALF_TOLERANCE: f64 = 4e-3;

/// Kernels that passed on this adapter and driver.
#[derive(Debug)]
pub(super) struct Passed {
    file: CacheFile,
    adapter: String,
    hashes: HashSet<u64>,
    changed: bool,
}

impl Passed {
    /// Loads what earlier runs found; an unreadable file counts as empty.
    pub(super) fn load(device: &Device) -> Self {
        let file = CacheFile::of(device, "selftest.txt");
        let text = file.read();
        let hashes = text.lines().filter_map(|l| u64::from_str_radix(l, 16).ok());
        Self {
            hashes: hashes.collect(),
            file,
            adapter: identity(device),
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
        let (mut new, mut hashes) = (Vec::new(), HashSet::new());
        for kernel in kernels {
            let mut hasher = DefaultHasher::new();
            (&self.adapter, &kernel.shader.source).hash(&mut hasher);
            let hash = hasher.finish();
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

    /// Writes the file when something was added. Not being able to is no failure: the next start
    /// tests again.
    pub(super) fn save(self) {
        if self.changed {
            let mut lines: Vec<String> = self.hashes.iter().map(|h| format!("{h:016x}")).collect();
            lines.sort_unstable();
            self.file.replace(&lines.join("\n"));
        }
    }
}

/// A kernel of a plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) shader: &'a Shader,
    pub(super) kernel: &'a Kernel,
    /// Label of its step in the plan.
    pub(super) label: &'a str,
    /// Elements of each binding.
    pub(super) lens: &'a [usize],
}

impl Candidate<'_> {
    fn test(&self, device: &Device, pipeline: &wgpu::ComputePipeline) -> Result<()> {
        let trial = Trial::new(device, self)?;
        trial.run(self.shader, pipeline, 1)?;
        trial.verify(self.shader)
    }
}

/// A kernel's buffers, full of random numbers.
pub(super) struct Trial<'a> {
    device: &'a Device,
    kernel: &'a Kernel,
    lens: &'a [usize],
    before: Vec<Words>,
    buffers: Vec<wgpu::Buffer>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(device: &'a Device, of: &Candidate<'a>) -> Result<Self> {
        let before = inputs(of.kernel, &of.shader.bindings, of.lens);
        let buffers = of
            .lens
            .iter()
            .map(|len| device.buffer(&of.shader.name, *len));
        let trial = Self {
            device,
            kernel: of.kernel,
            lens: of.lens,
            before,
            buffers: buffers.collect::<Result<_>>()?,
        };
        trial.fill();
        Ok(trial)
    }

    /// Writes the random numbers again, if the kernel updates in place.
    pub(super) fn refill(&self, shader: &Shader) {
        if in_place(self.kernel, &shader.bindings) {
            self.fill();
        }
    }

    fn fill(&self) {
        let bound = self.buffers.iter().zip(self.kernel.bindings());
        for ((buffer, binding), words) in bound.zip(&self.before) {
            let bytes: &[u8] = match words {
                Words::F32(v) if binding.ty == BufferType::F16 => {
                    self.device.write_halves(buffer, v);
                    continue;
                }
                Words::F32(v) => bytemuck::cast_slice(v),
                Words::U32(v) => bytemuck::cast_slice(v),
            };
            self.device.queue.write_buffer(buffer, 0, bytes);
        }
    }

    /// Runs a kernel so many times.
    ///
    /// # Errors
    /// The device fails.
    pub(super) fn run(
        &self,
        shader: &Shader,
        pipeline: &wgpu::ComputePipeline,
        times: usize,
    ) -> Result<()> {
        let device = self.device;
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let bound = self.buffers.iter().zip(self.lens).enumerate();
        let textures: Vec<Option<Texture>> = bound
            .map(|(b, (buffer, &len))| {
                shader.textures.contains(&b).then(|| {
                    let texture = Texture::new(device, len);
                    texture.copy(&mut encoder, (buffer, 0), len);
                    texture
                })
            })
            .collect();
        let bound = self.buffers.iter().zip(&textures);
        let resources = bound.map(|(buffer, texture)| match texture {
            Some(texture) => wgpu::BindingResource::TextureView(&texture.view),
            None => buffer.as_entire_binding(),
        });
        let group = device.bind(&shader.name, pipeline, resources.collect());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group, &[]);
            for _ in 0..times {
                pass.dispatch_workgroups(shader.grid[0], shader.grid[1], shader.grid[2]);
            }
        }
        device.queue.submit([encoder.finish()]);
        device.wait()
    }

    /// Compares samples of what a kernel has written, having run once, with the host reference.
    ///
    /// # Errors
    /// They differ.
    pub(super) fn verify(&self, shader: &Shader) -> Result<()> {
        let device = self.device;
        let tolerance = match (self.kernel, device.adapter.caps.products) {
            (Kernel::Gemm(_) | Kernel::Attention(_), Products::Half { .. }) => HALF_TOLERANCE,
            _ => TOLERANCE,
        };
        let or_exact = match device.adapter.caps.products {
            Products::Exact => "",
            _ => ", use precision Exact",
        };
        let written = self.buffers.iter().enumerate();
        for (binding, buffer) in written.filter(|(b, _)| shader.bindings[*b].write) {
            let len = self.lens[binding];
            let mut stream = Stream::named(1, "samples").at(binding as u64);
            let mut places: Vec<usize> = (0..SAMPLES).map(|_| stream.below(len)).collect();
            // The last elements are where edge handling goes wrong.
            places[0] = len - 1;
            let after = match shader.bindings[binding].ty {
                BufferType::F16 => device.read_halves(buffer, &places)?,
                _ => device.read_elements(buffer, &places)?,
            };
            for (&i, got) in places.iter().zip(after) {
                let want = element(self.kernel, &self.before, binding, i);
                let Some(want) = want.filter(|w| w.is_finite()) else {
                    continue;
                };
                let got = f64::from(got);
                // A NaN is a difference too.
                let agrees = (got - want).abs() <= tolerance * (1.0 + want.abs());
                if !agrees {
                    return Err(Error::Adapter(format!(
                        "kernel {} gives {got} instead of {want} at element {i} on {} ({}); \
                         the driver miscompiles it: update the driver{} or choose another adapter with --adapter",
                        shader.name, device.adapter.name, device.adapter.driver, or_exact
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Whether a kernel reads what it writes.
fn in_place(kernel: &Kernel, bindings: &[Binding]) -> bool {
    leaves(kernel)
        .iter()
        .any(|leaf| bindings[leaf.buffer].write)
}

/// Random contents of every binding, which repeat themselves after [`PERIOD`] elements; indices stay within
/// what they index.
fn inputs(kernel: &Kernel, bindings: &[Binding], lens: &[usize]) -> Vec<Words> {
    let limit = indexed_rows(kernel, lens);
    let fill = |(b, binding): (usize, &Binding)| {
        let mut stream = Stream::named(2, "inputs").at(b as u64);
        match binding.ty {
            BufferType::F32 => Words::F32(repeated(lens[b], || MEAN - 0.5 + stream.uniform())),
            BufferType::F16 => Words::F32(repeated(lens[b], || {
                f16::from_f32(MEAN - 0.5 + stream.uniform()).to_f32()
            })),
            BufferType::U32 => Words::U32(repeated(lens[b], || stream.below(limit) as u32)),
        }
    };
    let mut all: Vec<Words> = bindings.iter().enumerate().map(fill).collect();
    if let Some((lse, value)) = normaliser(kernel) {
        all[lse] = Words::F32(vec![value; lens[lse]]);
    }
    all
}

/// What the backward passes of attention read as the logarithm of the sum of weights, and its value for
/// inputs as [`inputs`] draws them. At random the weights would be far beyond what an f16 holds.
fn normaliser(kernel: &Kernel) -> Option<(usize, f32)> {
    let Kernel::Attention(a) = kernel else {
        return None;
    };
    let (AttentionPass::BackwardQ { saved, .. } | AttentionPass::BackwardKv { saved, .. }) = a.pass
    else {
        return None;
    };
    let keys = match a.tokens {
        Tokens::Sequence { keys, .. } => keys,
        Tokens::Grid {
            window_h, window_w, ..
        } => window_h * window_w,
    };
    let terms = 2 * usize::from(a.rel_pos.is_some()) + usize::from(a.distance_bias.is_some());
    let score = a.scale * a.head_dim as f32 * MEAN * MEAN + terms as f32 * MEAN;
    Some((saved.lse, score + (keys as f32).ln()))
}

/// `len` elements, those beyond [`PERIOD`] copied.
fn repeated<T: Copy>(len: usize, draw: impl FnMut() -> T) -> Vec<T> {
    let mut all: Vec<T> = std::iter::repeat_with(draw).take(len.min(PERIOD)).collect();
    while all.len() < len {
        let more = (len - all.len()).min(PERIOD);
        all.extend_from_within(..more);
    }
    all
}

fn leaves(kernel: &Kernel) -> &[Leaf] {
    match kernel {
        Kernel::Map(k) => &k.leaves,
        Kernel::Rows(k) => &k.leaves,
        Kernel::Gemm(k) => &k.leaves,
        Kernel::Attention(_) => &[],
    }
}

/// How many rows the indices of a kernel may address.
fn indexed_rows(kernel: &Kernel, lens: &[usize]) -> usize {
    let rows = |leaf: &Leaf| match &leaf.access {
        Access::Gather { source, axis, .. } => {
            let outer = axis
                .checked_sub(1)
                .map_or(lens[leaf.buffer], |d| source.strides[d]);
            Some(outer / source.strides[*axis].max(1))
        }
        _ => None,
    };
    leaves(kernel)
        .iter()
        .filter_map(rows)
        .min()
        .unwrap_or(8)
        .max(1)
}
