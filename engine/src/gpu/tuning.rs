//! Which of several kernels that compute the same is fastest on an adapter: measured once, then read from
//! a file that people can read too.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use samora_shaders::{Kernel, Shader, emit, variants};
use serde::{Deserialize, Serialize};

use super::cache::{CacheFile, digest, identity};
use super::device::Device;
use super::pins::Pins;
use super::pipeline::pipeline;
use super::selftest::{Candidate, Trial};
use crate::options::Tune;
use crate::{Error, Graph, Plan, Result, Schedule, Step};

/// A measurement takes so many rounds, through all variants in turn.
const ROUNDS: usize = 3;
/// How long a variant runs in a round: much longer than submitting it takes.
const LONG: Duration = Duration::from_millis(2);
/// How long a GPU takes to raise its clocks.
const WARM_UP: Duration = Duration::from_millis(50);

/// What was measured of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    /// Name of the fastest variant.
    fastest: String,
    /// Median milliseconds of each; `None` where it does not compile or is wrong.
    milliseconds: BTreeMap<String, Option<f64>>,
}

/// By kernel: its name, and a hash of the text of its first variant.
type Kernels = BTreeMap<String, Measured>;
/// By adapter and all that turns a kernel into what runs there.
type Adapters = BTreeMap<String, Kernels>;

/// What was measured on the adapters of this machine, and what the run keeps to.
#[derive(Debug)]
pub(super) struct Tuning {
    file: CacheFile,
    known: Kernels,
    /// What was measured now.
    new: Kernels,
    pins: Pins,
    /// What was chosen for kernels that steps share.
    chosen: HashMap<String, Shader>,
}

impl Tuning {
    /// Loads what was measured earlier, an unreadable file counting as empty, and what the run keeps to.
    ///
    /// # Errors
    /// The file of the run cannot be read.
    pub(super) fn load(device: &Device) -> Result<Self> {
        let file = CacheFile::of(device, "tuning.ron");
        Ok(Self {
            known: parse(&file.read())
                .remove(&identity(device))
                .unwrap_or_default(),
            new: Kernels::new(),
            file,
            pins: Pins::load(device.pins().as_deref())?,
            chosen: HashMap::new(),
        })
    }

    /// The variant of a step's kernel that the run keeps to, else the one that is fastest as far as is known.
    pub(super) fn choose(&mut self, device: &Device, step: &Step) -> Shader {
        let (kernel, label) = (&step.kernel, &step.label);
        let by_rule = emit(kernel, &device.adapter.caps);
        if device.adapter.caps.cpu || by_rule.variant.is_empty() {
            return by_rule;
        }
        let key = format!("{} {:016x}", by_rule.name, digest(&by_rule.source));
        if let Some(chosen) = self.chosen.get(&key) {
            return chosen.clone();
        }
        let pinned = self.pins.of(&key).map(str::to_string);
        let wanted = pinned.or_else(|| {
            let tune = device.options.tune;
            let measured = |kernels: &Kernels| Some(kernels.get(&key)?.fastest.clone());
            match tune {
                Tune::Off => None,
                Tune::Read => measured(&self.known),
                Tune::Write => measured(&self.known).or_else(|| {
                    self.measure(device, &key, step);
                    measured(&self.new)
                }),
            }
        });
        let chosen = match wanted {
            Some(variant) if variant != by_rule.variant => {
                let all = variants(kernel, &device.adapter.caps).into_iter();
                let found = all.into_iter().find(|shader| shader.variant == variant);
                if found.is_none() {
                    log::warn!(
                        "{key} of {label} has no variant `{variant}` here; the rules choose"
                    );
                }
                found.unwrap_or(by_rule)
            }
            _ => by_rule,
        };
        self.pins.keep(&key, &chosen.variant);
        self.chosen.insert(key, chosen.clone());
        chosen
    }

    fn measure(&mut self, device: &Device, key: &str, step: &Step) {
        let shaders = variants(&step.kernel, &device.adapter.caps);
        if shaders.len() < 2 {
            return;
        }
        match measure(device, &shaders, step) {
            Ok(measured) => _ = self.new.insert(key.into(), measured),
            // Such as no memory left for its buffers.
            Err(e) => log::warn!("{key} of {} is not tuned: {e}", step.label),
        }
    }

    /// Adds to the cache what was measured, of which not being able to is no failure, and to the run's file what was
    /// chosen.
    ///
    /// # Errors
    /// The file of the run cannot be written.
    pub(super) fn save(self, device: &Device) -> Result<()> {
        if !self.new.is_empty() {
            self.file.update(|others| {
                let mut all = parse(others);
                let kernels = all.entry(identity(device)).or_default();
                // What another process has measured meanwhile it has chosen by.
                for (key, measured) in self.new {
                    kernels.entry(key).or_insert(measured);
                }
                let pretty = ron::ser::PrettyConfig::default().depth_limit(3);
                ron::ser::to_string_pretty(&all, pretty).unwrap_or_default()
            });
        }
        self.pins.save()
    }
}

impl Device {
    /// Schedules a plan: chooses each step's kernel among those that compute the same.
    ///
    /// # Errors
    /// A plan for a processor, or the file that names variants cannot be read or written.
    pub fn schedule(&self, graph: &Graph, plan: Plan) -> Result<Schedule> {
        let mut tuning = Tuning::load(self)?;
        let schedule = Schedule::new(graph, plan, |step| match &step.kernel {
            Kernel::Gemm(g) if g.a.access.is_some() || g.b.access.is_some() => {
                let message = "was planned for a processor; plan for this device";
                Err(Error::Plan(format!("{} {message}", step.label)))
            }
            _ => Ok(Some(tuning.choose(self, step))),
        })?;
        tuning.save(self)?;
        Ok(schedule)
    }
}

fn parse(text: &str) -> Adapters {
    ron::from_str(text).unwrap_or_default()
}

/// Times variants in turn on random numbers.
fn measure(device: &Device, shaders: &[Shader], step: &Step) -> Result<Measured> {
    let trial = Trial::new(device, &Candidate::new(step, &shaders[0]))?;
    let compile = |shader| pipeline(device, shader, &step.label).ok();
    let compiled: Vec<Option<wgpu::ComputePipeline>> = std::thread::scope(|scope| {
        let each = shaders
            .iter()
            .map(|shader| scope.spawn(move || compile(shader)));
        let each: Vec<_> = each.collect();
        each.into_iter()
            .map(|one| one.join().ok().flatten())
            .collect()
    });
    let right = |(shader, pipeline): (&Shader, Option<wgpu::ComputePipeline>)| {
        let pipeline = pipeline?;
        trial.refill();
        trial.run(shader, &pipeline, 1).ok()?;
        trial.verify(shader).ok()?;
        Some(pipeline)
    };
    let built = shaders.iter().zip(compiled).map(right);
    let built: Vec<Option<wgpu::ComputePipeline>> = built.collect();
    let mut repeats = Vec::new();
    for (shader, pipeline) in shaders.iter().zip(&built) {
        let Some(pipeline) = pipeline else {
            repeats.push(0);
            continue;
        };
        let start = Instant::now();
        let mut runs = 0;
        while start.elapsed() < WARM_UP / shaders.len() as u32 || runs == 0 {
            trial.run(shader, pipeline, 1)?;
            runs += 1;
        }
        let once = start.elapsed().as_secs_f64() / f64::from(runs);
        repeats.push((LONG.as_secs_f64() / once).ceil().clamp(1.0, 256.0) as usize);
    }
    let mut times = vec![Vec::new(); shaders.len()];
    for _ in 0..ROUNDS {
        for (i, (shader, pipeline)) in shaders.iter().zip(&built).enumerate() {
            if let Some(pipeline) = pipeline {
                let start = Instant::now();
                trial.run(shader, pipeline, repeats[i])?;
                times[i].push(start.elapsed().as_secs_f64() * 1e3 / repeats[i] as f64);
            }
        }
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied()
    };
    let milliseconds: Vec<Option<f64>> = times.iter_mut().map(median).collect();
    let known = shaders.iter().zip(&milliseconds);
    let fastest = known
        .filter_map(|(shader, ms)| Some((shader, (*ms)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let fastest = fastest.map_or(&shaders[0], |(shader, _)| shader);
    let names = shaders.iter().map(|shader| shader.variant.clone());
    Ok(Measured {
        fastest: fastest.variant.clone(),
        milliseconds: names.zip(milliseconds).collect(),
    })
}
