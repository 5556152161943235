//! Which of several kernels that compute the same is fastest on an adapter: measured once, then read from
//! a file that people can read too.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use samora_shaders::{Kernel, Shader, emit, variants};
use serde::{Deserialize, Serialize};

use super::cache::{CacheFile, identity};
use super::device::Device;
use super::pipeline::pipeline;
use super::selftest::{Candidate, Trial};
use crate::Result;

/// A measurement takes so many rounds, through all variants in turn.
const ROUNDS: usize = 3;
/// How long a variant runs in a round: much longer than submitting it takes.
const LONG: Duration = Duration::from_millis(2);
/// How long a GPU takes to raise its clocks.
const WARM_UP: Duration = Duration::from_millis(50);

/// What is done about kernels that come in variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tune {
    /// The rules choose.
    Off,
    /// The fastest where it was measured before; else the rules choose.
    #[default]
    Read,
    /// Measures what was not measured before.
    Write,
}

/// What was measured of a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    /// Number of the fastest variant.
    fastest: usize,
    /// Median milliseconds of each; `None` where it does not compile or is wrong.
    milliseconds: Vec<Option<f64>>,
}

/// By kernel: its name, and a hash of the text of its first variant.
type Kernels = BTreeMap<String, Measured>;

/// What was measured on the adapters of this machine.
#[derive(Debug)]
pub(super) struct Tuning {
    file: CacheFile,
    adapter: String,
    adapters: BTreeMap<String, Kernels>,
    /// What was chosen for kernels that steps share.
    chosen: HashMap<String, Shader>,
    changed: bool,
}

impl Tuning {
    /// Loads what was measured earlier; an unreadable file counts as empty.
    pub(super) fn load(device: &Device) -> Self {
        let file = CacheFile::of(device, "tuning.ron");
        Self {
            adapters: ron::from_str(&file.read()).unwrap_or_default(),
            file,
            adapter: identity(device),
            chosen: HashMap::new(),
            changed: false,
        }
    }

    /// The variant of a step's kernel that is fastest as far as is known.
    pub(super) fn choose(
        &mut self,
        device: &Device,
        kernel: &Kernel,
        label: &str,
        lens: &[usize],
    ) -> Shader {
        let by_rule = emit(kernel, &device.adapter.caps);
        if device.options.tune == Tune::Off || device.adapter.caps.cpu {
            return by_rule;
        }
        let mut hasher = DefaultHasher::new();
        by_rule.source.hash(&mut hasher);
        let key = format!("{} {:016x}", by_rule.name, hasher.finish());
        if let Some(chosen) = self.chosen.get(&key) {
            return chosen.clone();
        }
        let known = self.adapters.entry(self.adapter.clone()).or_default();
        if device.options.tune == Tune::Read && !known.contains_key(&key) {
            return by_rule;
        }
        let mut shaders = variants(kernel, &device.adapter.caps);
        if shaders.len() > 1 && !known.contains_key(&key) {
            match measure(device, &shaders, (kernel, label, lens)) {
                Ok(measured) => {
                    known.insert(key.clone(), measured);
                    self.changed = true;
                }
                // Such as no memory left for its buffers.
                Err(e) => log::warn!("{key} of {label} is not tuned: {e}"),
            }
        }
        let fastest = known.get(&key).map_or(0, |measured| measured.fastest);
        let chosen = shaders.swap_remove(fastest.min(shaders.len() - 1));
        self.chosen.insert(key, chosen.clone());
        chosen
    }

    /// Writes the file when something was measured. Not being able to is no failure.
    pub(super) fn save(self) {
        let pretty = ron::ser::PrettyConfig::default().depth_limit(2);
        if let (true, Ok(text)) = (
            self.changed,
            ron::ser::to_string_pretty(&self.adapters, pretty),
        ) {
            self.file.replace(&text);
        }
    }
}

/// Times variants in turn on random numbers.
fn measure(
    device: &Device,
    shaders: &[Shader],
    (kernel, label, lens): (&Kernel, &str, &[usize]),
) -> Result<Measured> {
    let candidate = |shader| Candidate {
        shader,
        kernel,
        label,
        lens,
    };
    let trial = Trial::new(device, &candidate(&shaders[0]))?;
    let compile = |shader| pipeline(device, shader, label).ok();
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
        trial.refill(shader);
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
    let known = milliseconds.iter().enumerate();
    let fastest = known
        .filter_map(|(i, ms)| Some((i, (*ms)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    Ok(Measured {
        fastest: fastest.map_or(0, |(i, _)| i),
        milliseconds,
    })
}
