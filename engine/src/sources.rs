//! The sources of a program, whatever device it runs on: what they start with and what may be fed.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{Error, Place, Result, Schedule, ScheduledSource, Start, Tensor};

/// The sources of a schedule, by number and name.
#[derive(Debug)]
pub(crate) struct Sources {
    all: Vec<ScheduledSource>,
    by_name: HashMap<String, usize>,
    /// Inputs that kernels read and nobody has fed yet.
    unfed: HashSet<usize>,
}

impl Sources {
    /// The sources of a schedule, and what each but the inputs starts with: parameters and state by name from
    /// `tensors`, where state falls back to its declared start.
    ///
    /// # Errors
    /// A parameter that is missing, or a tensor that does not fit.
    pub(crate) fn new(
        schedule: &Schedule,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<(Self, Vec<Option<Tensor>>)> {
        let all = schedule.sources.clone();
        let mut starts = Vec::with_capacity(all.len());
        for source in &all {
            let given = tensors.get(&source.name).cloned();
            let start = match &source.start {
                Start::Input => None,
                Start::Constant(fill) => Some(fill.tensor(&source.ty)),
                Start::State(fill) => given.or_else(|| Some(fill.tensor(&source.ty))),
                Start::Param if given.is_none() => {
                    return tensor_error(&source.name, "has no value; load or draw it".into());
                }
                Start::Param => given,
            };
            start.as_ref().map_or(Ok(()), |t| check(source, t))?;
            starts.push(start);
        }
        let named = all.iter().enumerate();
        let by_name = named.map(|(i, s)| (s.name.clone(), i)).collect();
        let read = schedule.steps.iter().flat_map(|s| s.step.places());
        let read = read.filter_map(|p| match p {
            Place::Source(i) => Some(i),
            Place::Slot { .. } => None,
        });
        let unfed = read.filter(|i| all[*i].start == Start::Input).collect();
        let sources = Self {
            all,
            by_name,
            unfed,
        };
        Ok((sources, starts))
    }

    /// All of them, in the graph's order.
    pub(crate) fn all(&self) -> &[ScheduledSource] {
        &self.all
    }

    /// The number of a source.
    ///
    /// # Errors
    /// An unknown name.
    pub(crate) fn find(&self, name: &str) -> Result<usize> {
        match self.by_name.get(name) {
            Some(&i) => Ok(i),
            None => tensor_error(name, "is not part of this program".into()),
        }
    }

    /// The number of an input.
    pub(crate) fn input(&self, name: &str) -> Option<usize> {
        let found = self.by_name.get(name).copied();
        found.filter(|&i| self.all[i].start == Start::Input)
    }

    /// Fails unless a step can be made with what is given and what was before.
    ///
    /// # Errors
    /// An unknown or missing input, one of another type or length or with an index beyond what it indexes.
    pub(crate) fn feed(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        for (name, tensor) in inputs {
            match self.input(name) {
                Some(i) => check(&self.all[i], tensor)?,
                None => return tensor_error(name, "is not an input of this program".into()),
            }
        }
        let missing = |i: &&usize| inputs.iter().all(|(name, _)| self.all[**i].name != *name);
        if let Some(&i) = self.unfed.iter().filter(missing).min() {
            return tensor_error(&self.all[i].name, "was never fed".into());
        }
        self.unfed.clear();
        Ok(())
    }
}

fn check(source: &ScheduledSource, given: &Tensor) -> Result<()> {
    let fits = given.check(&source.ty, source.below);
    fits.or_else(|message| tensor_error(&source.name, message))
}

/// What is wrong with a tensor.
///
/// # Errors
/// Always.
pub(crate) fn tensor_error<T>(name: &str, message: String) -> Result<T> {
    Err(Error::Tensor {
        name: name.into(),
        message,
    })
}
