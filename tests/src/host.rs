//! Runs a plan on the host, kernel by kernel, through the shaders' element reference: it checks
//! lowering, fusion and planning without any adapter. What the plan keeps as f16 is rounded to that.

use std::collections::HashMap;

use half::f16;
use samora_engine::{DType, Data, Graph, Init, Place, Plan, SourceKind, Tensor, Value};
use samora_shaders::reference::{Words, element};
use samora_shaders::{BufferType, Kernel};

/// Buffers of a plan between steps.
#[derive(Debug)]
pub struct HostProgram<'g> {
    graph: &'g Graph,
    plan: Plan,
    sources: Vec<Words>,
    /// Words, of which each holds an f32 or two f16.
    slots: Vec<Vec<u32>>,
}

impl<'g> HostProgram<'g> {
    /// Fills the sources from `feeds` and the graph's own starts (parameters with seed 0).
    pub fn new(graph: &'g Graph, plan: Plan, feeds: &HashMap<String, Tensor>) -> Self {
        let start = |(i, s): (usize, &samora_engine::Source)| {
            let shape = graph.shape(s.value);
            let tensor = match (feeds.get(&s.name), &s.kind) {
                (Some(t), _) | (None, SourceKind::State(t) | SourceKind::Constant(t)) => t.clone(),
                (None, SourceKind::Param(init)) => init.draw(shape, 0, &s.name),
                (None, SourceKind::Input) => Init::Zeros.draw(shape, 0, &s.name),
            };
            match tensor.data {
                Data::F32(v) if plan.half_sources.contains(&i) => Words::F32(rounded(&v)),
                Data::F32(v) => Words::F32(v.to_vec()),
                Data::U32(v) => Words::U32(v.to_vec()),
            }
        };
        let sources = graph.sources().iter().enumerate().map(start).collect();
        // NaN marks what no kernel has written, so that a wrong slot shows.
        let slots = plan
            .slots
            .iter()
            .map(|n| vec![f32::NAN.to_bits(); *n])
            .collect();
        Self {
            graph,
            plan,
            sources,
            slots,
        }
    }

    /// Runs every kernel once.
    pub fn step(&mut self) {
        for step in &self.plan.steps {
            let bindings = step.kernel.bindings();
            let all = step.bound.iter().zip(bindings);
            let before: Vec<Words> = all
                .map(|(bound, binding)| self.words(bound.place, bound.len, binding.ty))
                .collect();
            let written: Vec<usize> = (0..before.len()).filter(|b| bindings[*b].write).collect();
            // A kernel may read what it overwrites only in a source, and only at the element it
            // computes; reductions read their whole row before they write it.
            let mut buffers = before.clone();
            let updates = |b: &usize| matches!(step.bound[*b].place, Place::Source(_));
            let reduces = matches!(step.kernel, Kernel::Rows(_));
            let hidden: Vec<usize> = written
                .iter()
                .copied()
                .filter(|b| !(reduces && updates(b)))
                .collect();
            hidden.iter().for_each(|b| hide(&mut buffers[*b]));
            for &b in &written {
                let Words::F32(mut after) = before[b].clone() else {
                    continue;
                };
                for (i, x) in after.iter_mut().enumerate() {
                    for &w in hidden.iter().filter(|w| updates(w)) {
                        set(&mut buffers[w], i, at(&before[w], i));
                    }
                    if let Some(value) = element(&step.kernel, &buffers, b, i) {
                        *x = value as f32;
                    }
                    hidden
                        .iter()
                        .for_each(|w| set(&mut buffers[*w], i, f32::NAN));
                }
                match step.bound[b].place {
                    Place::Source(s) => self.sources[s] = Words::F32(after),
                    Place::Slot { slot, first } => {
                        let words = packed(&after, bindings[b].ty);
                        self.slots[slot][first..first + words.len()].copy_from_slice(&words);
                    }
                }
            }
        }
        for (from, to) in self.plan.copies.clone() {
            self.sources[to] = self.words(from, self.sources[to].len(), BufferType::F32);
        }
    }

    /// A wanted value after the last step.
    pub fn read(&self, value: Value) -> Tensor {
        self.tensor(self.plan.outputs[&value], value)
    }

    /// A source after the last step, by name.
    ///
    /// # Panics
    /// When the graph has no such source.
    #[allow(clippy::panic)]
    pub fn source(&self, name: &str) -> Tensor {
        let sources = self.graph.sources();
        match sources.iter().position(|s| s.name == name) {
            Some(i) => self.tensor(Place::Source(i), sources[i].value),
            None => panic!("no source is named {name}"),
        }
    }

    fn tensor(&self, place: Place, value: Value) -> Tensor {
        let ty = self.graph.ty(value);
        match (self.words(place, ty.len(), BufferType::F32), ty.dtype) {
            (Words::F32(v), DType::F32) => Tensor::f32(&ty.shape, v),
            (Words::U32(v), _) => Tensor::u32(&ty.shape, v),
            (Words::F32(_), DType::U32) => Tensor::u32(&[0], Vec::new()),
        }
    }

    /// The first `len` numbers of a place.
    fn words(&self, place: Place, len: usize, ty: BufferType) -> Words {
        match place {
            Place::Source(i) => match &self.sources[i] {
                Words::F32(v) => Words::F32(v[..len].to_vec()),
                Words::U32(v) => Words::U32(v[..len].to_vec()),
            },
            Place::Slot { slot, first } => {
                let words = &self.slots[slot][first..];
                Words::F32((0..len).map(|i| number(words, i, ty)).collect())
            }
        }
    }
}

/// Number `i` of words that hold f32 or f16.
fn number(words: &[u32], i: usize, ty: BufferType) -> f32 {
    match ty {
        BufferType::F16 => f16::from_bits((words[i / 2] >> (16 * (i % 2))) as u16).to_f32(),
        BufferType::F32 | BufferType::U32 => f32::from_bits(words[i]),
    }
}

/// The words that hold such numbers.
fn packed(numbers: &[f32], ty: BufferType) -> Vec<u32> {
    let bits = |x: &f32| u32::from(f16::from_f32(*x).to_bits());
    match ty {
        BufferType::F16 => {
            let pairs = numbers.chunks(2);
            let word = |pair: &[f32]| bits(&pair[0]) | pair.get(1).map_or(0, bits) << 16;
            pairs.map(word).collect()
        }
        BufferType::F32 | BufferType::U32 => numbers.iter().map(|x| x.to_bits()).collect(),
    }
}

fn rounded(numbers: &[f32]) -> Vec<f32> {
    let round = |x: &f32| f16::from_f32(*x).to_f32();
    numbers.iter().map(round).collect()
}

fn hide(words: &mut Words) {
    if let Words::F32(v) = words {
        v.fill(f32::NAN);
    }
}

fn set(words: &mut Words, i: usize, value: f32) {
    if let Words::F32(v) = words
        && let Some(x) = v.get_mut(i)
    {
        *x = value;
    }
}

fn at(words: &Words, i: usize) -> f32 {
    match words {
        Words::F32(v) => v.get(i).copied().unwrap_or(f32::NAN),
        Words::U32(_) => f32::NAN,
    }
}
