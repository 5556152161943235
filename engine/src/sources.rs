//! The sources of a program, whatever device it runs on: what they start with and what may be fed.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{Error, Graph, Place, Plan, Result, SourceKind, Tensor, Type};

/// The declared sources of a graph, by number and name.
#[derive(Debug)]
pub(crate) struct Sources {
    all: Vec<Declared>,
    by_name: HashMap<String, usize>,
    /// Inputs that kernels read and nobody has fed yet.
    unfed: HashSet<usize>,
}

/// What a graph declares of a source.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// What its indices stay below, if it holds indices.
    below: Option<usize>,
    is_input: bool,
}

impl Sources {
    /// The sources of a graph, and what each but the inputs starts with: parameters and state by name from
    /// `tensors`, where state falls back to its declared start.
    ///
    /// # Errors
    /// A parameter that is missing, or a tensor that does not fit.
    pub(crate) fn new<'a>(
        graph: &'a Graph,
        plan: &Plan,
        tensors: &'a BTreeMap<String, Tensor>,
    ) -> Result<(Self, Vec<Option<&'a Tensor>>)> {
        let (mut all, mut starts) = (Vec::new(), Vec::new());
        for source in graph.sources() {
            let given = tensors.get(&source.name);
            let start = match &source.kind {
                SourceKind::Input => None,
                SourceKind::Constant(t) => Some(t),
                SourceKind::State(t) => given.or(Some(t)),
                SourceKind::Param(_) if given.is_none() => {
                    return tensor_error(&source.name, "has no value; load or draw it".into());
                }
                SourceKind::Param(_) => given,
            };
            let declared = Declared {
                name: source.name.clone(),
                ty: graph.ty(source.value).clone(),
                below: graph.index_limit(source.value),
                is_input: matches!(source.kind, SourceKind::Input),
            };
            start.map_or(Ok(()), |t| declared.check(t))?;
            all.push(declared);
            starts.push(start);
        }
        let named = all.iter().enumerate();
        let by_name = named.map(|(i, s)| (s.name.clone(), i)).collect();
        let read = plan.steps.iter().flat_map(|s| &s.places);
        let read = read.filter_map(|p| match p {
            Place::Source(i) => Some(*i),
            Place::Slot { .. } => None,
        });
        let unfed = read.filter(|i| all[*i].is_input).collect();
        let sources = Self {
            all,
            by_name,
            unfed,
        };
        Ok((sources, starts))
    }

    /// All of them, in the graph's order.
    pub(crate) fn all(&self) -> &[Declared] {
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
        found.filter(|&i| self.all[i].is_input)
    }

    /// Fails unless a step can be made with what is given and what was before.
    ///
    /// # Errors
    /// An unknown or missing input, one of another type or length or with an index beyond what it indexes.
    pub(crate) fn feed(&mut self, inputs: &[(&str, &Tensor)]) -> Result<()> {
        for (name, tensor) in inputs {
            match self.input(name) {
                Some(i) => self.all[i].check(tensor)?,
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

impl Declared {
    fn check(&self, given: &Tensor) -> Result<()> {
        let fits = given.check(&self.ty, self.below);
        fits.or_else(|message| tensor_error(&self.name, message))
    }
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
