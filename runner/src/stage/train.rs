//! The training loop that all training stages share.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use samora_engine::Program;
use samora_engine::optim::{Backward, LOSS_SCALE, OptimConfig, SKIPPED_STEPS, STEPS, minimise};
use samora_engine::random::Stream;
use samora_engine::weights::Weights;
use samora_engine::{Graph, SourceKind, Tensor, Value, plan};

use super::Context;
use super::advance::Advance;
use super::diverged::diverged;
use crate::data::error::DataError;
use crate::data::loader::{Loader, Sampler};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::journal::{EVENTS, Event, EventLog, Progress, draw_curve};
use crate::run_dir::State;

/// Inputs of one step by name.
pub(super) type Batch = Vec<(&'static str, Tensor)>;

/// Steps between two looks at the loss; the device is not waited for in between.
const LOOK_EVERY: usize = 4;
/// Least time between two saves of the state; and at most this share of the time goes into them.
const SAVE_EVERY: Duration = Duration::from_secs(20);
const SAVE_SHARE: f32 = 0.05;
/// Most threads that prepare batches; beyond, they are faster than any device trains.
const MOST_THREADS: usize = 8;
/// Batches that are ready while every thread is at work on another.
const READY: usize = 2;

/// Length of a training stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    /// All steps.
    pub steps: usize,
    /// Steps of one epoch.
    pub per_epoch: usize,
}

impl Length {
    /// The length of `epochs` over the items of `sampler`, at most `max_steps`.
    pub(super) fn new(sampler: &Sampler, epochs: usize, max_steps: Option<usize>) -> Self {
        let per_epoch = sampler.batches_per_epoch() as usize;
        Self {
            steps: (epochs * per_epoch).min(max_steps.unwrap_or(usize::MAX)),
            per_epoch,
        }
    }
}

/// The graph of a training step.
#[derive(Debug)]
pub(super) struct Built {
    /// Forward, loss, gradients and update.
    pub graph: Graph,
    /// The loss, a scalar.
    pub loss: Value,
    /// The learning rate, a scalar.
    pub learning_rate: Value,
    /// Full names of the parameters that are updated.
    pub trained: Vec<String>,
    /// Full names of the parameters that the stage's checkpoint holds.
    pub saved: Vec<String>,
    /// What the checkpoint says about itself.
    pub metadata: BTreeMap<String, String>,
    /// Whether the loss is scaled, as products are of f16.
    scaled: bool,
}

impl Built {
    /// Appends gradients and updates of the parameters chosen by `trains` to a graph that ends in
    /// `loss`. The checkpoint will hold the parameters chosen by `saves`.
    ///
    /// # Errors
    /// A mistake in the graph.
    pub(super) fn new(
        mut graph: Graph,
        loss: Value,
        (optimiser, backward): (&OptimConfig, Backward),
        steps: usize,
        trains: impl Fn(&str) -> bool,
        saves: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        graph.check()?;
        let chosen = |f: &dyn Fn(&str) -> bool| -> Vec<(String, Value)> {
            graph
                .params()
                .filter(|p| f(&p.name))
                .map(|p| (p.name.clone(), p.value))
                .collect()
        };
        let saved = chosen(&saves).into_iter().map(|p| p.0).collect();
        let trainable = chosen(&trains);
        let values: Vec<Value> = trainable.iter().map(|p| p.1).collect();
        let minimised = minimise(&mut graph, loss, &values, optimiser, steps, backward);
        graph.check()?;
        // Running statistics of BatchNorm are assigned without being trained.
        let changes = |v: &Value| graph.assigns().iter().any(|(target, _)| target == v);
        let trained = graph
            .params()
            .filter(|p| changes(&p.value))
            .map(|p| p.name.clone())
            .collect();
        Ok(Self {
            graph,
            loss,
            learning_rate: minimised.learning_rate,
            trained,
            saved,
            metadata: BTreeMap::new(),
            scaled: backward.scaled,
        })
    }

    /// Adds what the checkpoint says about itself.
    pub(super) fn saying(mut self, facts: &[(&str, String)]) -> Self {
        let facts = facts
            .iter()
            .map(|(key, text)| ((*key).to_string(), text.clone()));
        self.metadata.extend(facts);
        self
    }
}

/// Trains a stage to its end, continuing where an earlier run stopped, and saves its checkpoint.
/// `given` are weights of earlier stages; other parameters are drawn. `make` prepares batch `t`. A step that was
/// skipped, as its gradients overflowed, is made up for by one more batch: the length counts steps taken.
///
/// # Errors
/// Data, device or disk fail, the loss is no number, or the user interrupts (the state is saved).
pub(super) fn train(
    ctx: &Context<'_>,
    (stage, batch): (&str, usize),
    (built, length, epochs): (Built, Length, usize),
    given: &Weights,
    make: impl Fn(u64) -> Result<Batch, DataError> + Send + Sync + 'static,
) -> Result<()> {
    // Compiling kernels may take long, too.
    let progress = Progress::new(stage, length.steps, 0, batch);
    let planning = ctx.device.planning(ctx.fuse);
    let planned = plan(&built.graph, &[built.loss, built.learning_rate], planning)?;
    let weights = given.draw(&built.graph, ctx.pipeline.seed)?;
    let mut tensors = weights.tensors;
    let mut done = 0;
    if let Some(state) = ctx.run.state(stage)? {
        done = state.steps;
        tensors.extend(state.tensors);
    }
    ctx.begins(stage, done)?;
    let mut program = Program::new(ctx.device, &built.graph, planned, &tensors)?;
    // What is saved although no step changes it; the device may have rounded it.
    tensors.retain(|name, _| built.saved.contains(name) && !built.trained.contains(name));
    let random = built.graph.sources().iter().any(|s| s.name == "random");
    let noise = Stream::named(ctx.pipeline.seed, stage);
    let mut log = EventLog::open(&ctx.run.path(EVENTS), stage, done)?;
    let threads = loader_threads();
    let make = Arc::new(make);
    let load = |batches: Range<usize>| {
        let make = Arc::clone(&make);
        let batches = batches.start as u64..batches.end as u64;
        Loader::start(batches, threads, threads + READY, move |t| make(t))
    };
    let mut advance = Advance::new(length.steps, done);
    let mut loader = load(advance.ahead())?;
    progress.prepared(done);
    // The last step whose loss is known to be a number.
    let mut good = done.checked_sub(1);
    let (mut saved, mut pause) = (Instant::now(), SAVE_EVERY);
    loop {
        if advance.ahead().is_empty() {
            advance.look(stage, taken(&program, &built, done)?)?;
            let missing = advance.make_up();
            if missing == 0 {
                break;
            }
            progress.prolong(missing);
            loader = load(advance.ahead())?;
        }
        let waited = loader.waited();
        let Some(inputs) = loader.next() else { break };
        progress.waited(loader.waited() - waited);
        let mut inputs = inputs?;
        if random {
            inputs.push(("random", noise.at(done as u64).key()));
        }
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (*n, t)).collect();
        program.step(&inputs)?;
        let last = advance.is_last();
        let epoch_ends = (done + 1) % length.per_epoch == 0 || last;
        if done % LOOK_EVERY == 0 || epoch_ends {
            let (loss, learning_rate) = look(&program, &built)?;
            if !loss.is_finite() {
                return Err(diverged(ctx, stage, (good, done), built.scaled));
            }
            good = Some(done);
            let event = Event::now(stage, done, loss, learning_rate, progress.waiting_share());
            progress.step(Some(event.loss));
            if epoch_ends {
                let epoch = (done / length.per_epoch + 1).min(epochs);
                progress.epoch(epoch, epochs, event.learning_rate);
            }
            log.append(&event)?;
        } else {
            progress.step(None);
        }
        advance.count();
        done = advance.done();
        if epoch_ends && !last {
            advance.look(stage, taken(&program, &built, done)?)?;
        }
        let stop = interrupt::requested();
        if !last && (stop || saved.elapsed() > pause) {
            let begun = Instant::now();
            ctx.run
                .save_state(stage, state(&program, &built, stage, done)?)?;
            pause = SAVE_EVERY.max(begun.elapsed().div_f32(SAVE_SHARE));
            saved = Instant::now();
        }
        if stop && !last {
            return Err(Error::Interrupted);
        }
    }
    progress.finish();
    if built.scaled {
        let skipped = program.tensor(SKIPPED_STEPS)?.at(0);
        if skipped > 0.0 {
            log::warn!(
                "{stage}: {skipped} batches changed nothing, as their gradients overflowed; as many more were taken"
            );
        }
    }
    let events = log.of_stage(stage)?;
    let losses: Vec<(usize, f32)> = events.iter().map(|e| (e.step, e.loss)).collect();
    let curve = ctx.run.path(&format!("curves/{stage}.png"));
    draw_curve(&curve, &format!("{stage}: loss over steps"), &losses)?;
    let saved = built.saved.iter().map(|name| {
        let tensor = match tensors.remove(name) {
            Some(unchanged) => unchanged,
            None => program.tensor(name)?,
        };
        finite(name, tensor, (stage, done))
    });
    let weights = Weights {
        tensors: saved.collect::<Result<_>>()?,
        metadata: built.metadata.clone(),
    };
    ctx.run.finish(stage, &weights)
}

/// One for every core, since the thread that drives the device mostly waits for it.
fn loader_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_THREADS))
}

/// Steps taken in all of the stage, which has gone through `done` batches, and how the loss is scaled. Waits for the
/// step before where steps may be skipped.
fn taken(program: &Program<'_>, built: &Built, done: usize) -> Result<(usize, f64)> {
    if !built.scaled {
        return Ok((done, 1.0));
    }
    let number = |name| Ok::<_, Error>(program.tensor(name)?.at(0));
    Ok((number(STEPS)? as usize, number(LOSS_SCALE)?))
}

/// Reads loss and learning rate of the step just submitted.
fn look(program: &Program<'_>, built: &Built) -> Result<(f32, f32)> {
    let scalar = |v| -> Result<f32> {
        Ok(program
            .read(v)?
            .as_f32()
            .first()
            .copied()
            .unwrap_or(f32::NAN))
    };
    let loss = scalar(built.loss)?;
    Ok((loss, scalar(built.learning_rate)?))
}

/// Everything that changes between steps: trained parameters and the optimiser's state.
fn state(program: &Program<'_>, built: &Built, stage: &str, steps: usize) -> Result<State> {
    let states = built
        .graph
        .sources()
        .iter()
        .filter(|s| matches!(s.kind, SourceKind::State(_)));
    let names = states.map(|s| &s.name).chain(&built.trained);
    let tensors = names.map(|name| finite(name, program.tensor(name)?, (stage, steps)));
    Ok(State {
        steps,
        tensors: tensors.collect::<Result<_>>()?,
    })
}

/// A tensor that is about to be saved, with its name. A checkpoint with NaN would replace a good one for ever.
fn finite(name: &str, tensor: Tensor, (stage, step): (&str, usize)) -> Result<(String, Tensor)> {
    if tensor.as_f32().iter().all(|x| x.is_finite()) {
        return Ok((name.into(), tensor));
    }
    Err(Error::Training {
        stage: stage.into(),
        step,
        problem: format!(
            "{name} is no longer finite and is not saved; lower the learning rate or lengthen the \
             warm-up"
        ),
    })
}
