//! Times of a step, what it needs of the device, and the device's own ceiling.

use std::collections::BTreeMap;
use std::time::Instant;

use samora_engine::{Device, Program};
use samora_engine::{Graph, Init, Plan, Planning, Step, Tensor, plan};

use super::Case;
use crate::error::Result;
use crate::journal::Progress;

/// Fewest steps before the timed ones, and how many seconds after the first: a GPU raises its clocks meanwhile.
const WARM_UP: usize = 2;
const WARM_UP_SECONDS: f64 = 0.5;
/// Losses that are kept, to be compared with those of other engines.
const FIRST_LOSSES: usize = 3;

/// What was measured of a case.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What it is called in tables.
    pub name: String,
    /// Images of a step.
    pub batch: usize,
    /// Kernels of a step.
    pub kernels: usize,
    /// Floating-point operations of a step's products and attention.
    pub flops: f64,
    /// Bytes that a step's kernels read and write, each buffer of a kernel once.
    pub bytes: f64,
    /// Seconds from the plan to the end of the first step: kernels are compiled and self-tested.
    pub start: f64,
    /// Seconds of every timed step, ascending.
    pub seconds: Vec<f64>,
    /// Median seconds in which a step was encoded and submitted.
    pub host: f64,
    /// The [`Ceiling`]'s operations per second, median of runs between the steps.
    pub ceiling: f64,
    /// Bytes on the device.
    pub memory: Memory,
    /// The losses of the first steps.
    pub losses: Vec<f32>,
    /// Every kernel of the plan with its seconds, if they were asked for.
    pub profile: Vec<(Step, String, f64)>,
}

impl Measured {
    /// Median seconds of a step.
    pub fn median(&self) -> f64 {
        median(&self.seconds)
    }
}

/// Bytes on the device by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Parameters and constants.
    pub weights: u64,
    /// State of the optimiser.
    pub optimiser: u64,
    /// Inputs and computed values.
    pub activations: u64,
    /// Inputs, and most bytes of computed values alive at once: no plan of this order needs less.
    pub alive: u64,
    /// Copies of buffers in textures, where the adapter reads those faster, and packed weights.
    pub copies: u64,
}

impl Memory {
    pub(super) fn new(graph: &Graph, plan: &Plan, copies: u64) -> Self {
        let [inputs, weights, state, constants] = plan.source_bytes(graph);
        Self {
            weights: weights + constants,
            optimiser: state,
            activations: inputs + plan.slot_bytes(),
            alive: inputs + 4 * plan.live() as u64,
            copies,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.optimiser + self.activations + self.copies
    }
}

/// Times `rounds` steps after some to warm up, each waited for and its loss read, with a run of the
/// ceiling between them. With `profile`, also times every kernel.
///
/// # Errors
/// A graph that cannot be planned, or a device that fails.
pub fn measure(
    case: &Case,
    (device, ceiling): (&Device, &mut Ceiling<'_>),
    fuse: bool,
    rounds: usize,
    profile: bool,
) -> Result<Measured> {
    let begun = Instant::now();
    let progress = Progress::through(&case.name, rounds, 0, "rounds");
    let planned = plan(&case.graph, &case.wanted, device.planning(fuse))?;
    let (kernels, flops, bytes) = (planned.steps.len(), planned.flops(), planned.bytes());
    let mut memory = Memory::new(&case.graph, &planned, 0);
    let mut program = Program::new(device, &case.graph, planned, &case.tensors)?;
    memory.copies = program.copy_bytes();
    let feeds: Vec<(&str, &Tensor)> = case.inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let loss = case.wanted.first().copied();
    let loss = loss.filter(|v| case.graph.ty(*v).len() == 1);
    let (mut start, mut losses) = (0.0, Vec::new());
    let (mut seconds, mut host, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut steps, mut warm) = (0, begun);
    while seconds.len() < rounds {
        let begin = Instant::now();
        program.step(&feeds)?;
        let submitted = begin.elapsed().as_secs_f64();
        match loss {
            Some(loss) => losses.extend_from_slice(program.read(loss)?.as_f32()),
            None => device.wait()?,
        }
        let whole = begin.elapsed().as_secs_f64();
        steps += 1;
        if steps == 1 {
            start = begun.elapsed().as_secs_f64();
            warm = Instant::now();
        } else if steps > WARM_UP && (begin - warm).as_secs_f64() >= WARM_UP_SECONDS {
            seconds.push(whole);
            host.push(submitted);
            rates.push(ceiling.rate()?);
            progress.step(None);
        }
    }
    progress.finish();
    losses.truncate(FIRST_LOSSES);
    for list in [&mut seconds, &mut host, &mut rates] {
        list.sort_by(f64::total_cmp);
    }
    let milliseconds = median(&seconds) * 1e3;
    // The table comes when all is measured.
    eprintln!("{}, batch {}: {milliseconds:.1} ms", case.name, case.batch);
    let profile = match profile {
        true => {
            let times = program.profile(&feeds)?;
            let times = times.into_iter().map(|timed| (timed.name, timed.seconds));
            let steps = program.schedule().steps.iter().map(|s| s.step.clone());
            steps
                .zip(times)
                .map(|(step, (name, t))| (step, name, t))
                .collect()
        }
        false => Vec::new(),
    };
    Ok(Measured {
        name: case.name.clone(),
        batch: case.batch,
        kernels,
        flops: flops as f64,
        bytes: bytes as f64,
        start,
        seconds,
        host: median(&host),
        ceiling: median(&rates),
        memory,
        losses,
        profile,
    })
}

/// The middle of ascending numbers.
pub(super) fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A product of large square matrices, the most that an adapter's arithmetic gives through this engine.
#[derive(Debug)]
pub struct Ceiling<'d> {
    device: &'d Device,
    program: Program<'d>,
    flops: f64,
}

impl<'d> Ceiling<'d> {
    /// A product of f32 matrices, smaller on processors.
    ///
    /// # Errors
    /// A device that fails.
    pub fn new(device: &'d Device) -> Result<Self> {
        let n = match device.info().is_processor() {
            true => 512,
            false => 4096,
        };
        let mut graph = Graph::new();
        let [a, b] = ["a", "b"].map(|name| graph.param(name, &[n, n], Init::Uniform(1.0)));
        let b = graph.transpose(b);
        let product = graph.matmul(a, b);
        let planned = plan(&graph, &[product], Planning::exact(true))?;
        let flops = planned.flops() as f64;
        let drawn = |p: &samora_engine::Source| {
            let tensor = Init::Uniform(1.0).draw(graph.shape(p.value), 1, &p.name);
            (p.name.clone(), tensor)
        };
        let tensors: BTreeMap<String, Tensor> = graph.params().map(drawn).collect();
        let mut ceiling = Self {
            device,
            program: Program::new(device, &graph, planned, &tensors)?,
            flops,
        };
        ceiling.rate()?;
        Ok(ceiling)
    }

    /// Operations per second of one run.
    ///
    /// # Errors
    /// A device that fails.
    pub fn rate(&mut self) -> Result<f64> {
        let begin = Instant::now();
        self.program.step(&[])?;
        self.device.wait()?;
        Ok(self.flops / begin.elapsed().as_secs_f64())
    }
}
