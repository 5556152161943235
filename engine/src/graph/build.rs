//! Building and reading a graph.
//!
//! Builders never fail: the first mistake is kept with its op, scope and shapes, and
//! [`Graph::check`] reports it. That keeps network code free of `?` on every line.

use std::sync::Arc;

use super::arena::{Graph, Node, Op, Phase, Source, SourceKind, Value};
use crate::ops::source::SourceOp;
use crate::{DType, Error, Init, Result, Tensor, Type};

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `build` with `name` appended to the scope path.
    pub fn within<T>(&mut self, name: impl Into<String>, build: impl FnOnce(&mut Self) -> T) -> T {
        self.scope.push(name.into());
        let out = build(self);
        self.scope.pop();
        out
    }

    /// Fails with the first mistake made while building.
    ///
    /// # Errors
    /// The op, scope path and shapes of that mistake.
    pub fn check(&self) -> Result<()> {
        self.error.clone().map_or(Ok(()), Err)
    }

    /// A tensor fed before each step, named within the current scope.
    pub fn input(&mut self, name: &str, shape: &[usize], dtype: DType) -> Value {
        let ty = Type {
            shape: shape.to_vec(),
            dtype,
        };
        self.source(name, ty, SourceKind::Input)
    }

    /// A weight, named within the current scope. The same name gives the same value.
    pub fn param(&mut self, name: &str, shape: &[usize], init: Init) -> Value {
        self.source(name, Type::f32(shape), SourceKind::Param(init))
    }

    /// State kept between steps, named within the current scope.
    pub fn state(&mut self, name: &str, start: Tensor) -> Value {
        self.check_elements("state", name, &start);
        self.source(name, start.ty(), SourceKind::State(start))
    }

    /// A constant tensor, named within the current scope.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Value {
        self.check_elements("constant", name, &tensor);
        self.source(name, tensor.ty(), SourceKind::Constant(tensor))
    }

    /// Stores `value` into the parameter or state `target` at the end of each step, once per target.
    /// Everything else in the graph sees the target's value from before the step.
    pub fn assign(&mut self, target: Value, value: Value) {
        self.assign_if(None, target, value);
    }

    /// As [`Graph::assign`]; the target keeps its value in steps where the scalar `condition` is 0.
    pub fn assign_if(&mut self, condition: Option<Value>, target: Value, value: Value) {
        let Some(source) = self.sources.iter().find(|s| s.value == target) else {
            return self.fail("assign", "the target is computed, not stored".into());
        };
        let (name, ty, new) = (&source.name, self.ty(target), self.ty(value));
        let stored = matches!(source.kind, SourceKind::Param(_) | SourceKind::State(_));
        let mistake = if !stored {
            Some(format!("{name} is neither parameter nor state"))
        } else if ty != new {
            Some(format!("cannot store {new:?} into {name}, which is {ty:?}"))
        } else if self.assigns.iter().any(|(t, _)| *t == target) {
            Some(format!("{name} is assigned twice"))
        } else {
            None
        };
        match mistake {
            Some(message) => self.fail("assign", message),
            None => {
                // At once, so that the choice becomes part of the kernel that computes the value.
                let value = match condition {
                    Some(condition) => self.select(condition, value, target),
                    None => value,
                };
                self.assigns.push((target, value));
            }
        }
    }

    /// Declares that `ids` index something with `limit` entries. Constants are checked at once, inputs when they
    /// are fed.
    pub(crate) fn index_below(&mut self, ids: Value, limit: usize) {
        let least = self.index_limits.entry(ids.node).or_insert(limit);
        *least = limit.min(*least);
        let source = self.sources.iter().find(|s| s.value == ids);
        if let Some(SourceKind::Constant(tensor)) = source.map(|s| &s.kind)
            && let Err(message) = tensor.check(&tensor.ty(), Some(limit))
        {
            self.fail("gather", message);
        }
    }

    /// What the indices that a value holds must stay below, if it is known.
    pub(crate) fn index_limit(&self, ids: Value) -> Option<usize> {
        self.index_limits.get(&ids.node).copied()
    }

    /// Makes all assignments so far depend on the scalar `condition`, as [`Graph::assign_if`] does.
    pub(crate) fn restrict_assigns(&mut self, condition: Value) {
        for k in 0..self.assigns.len() {
            let (target, value) = self.assigns[k];
            self.assigns[k].1 = self.select(condition, value, target);
        }
    }

    /// Appends a node with one output.
    pub fn push(&mut self, op: impl Op + 'static, inputs: &[Value]) -> Value {
        let node = self.push_arc(Arc::new(op), inputs);
        Value { node, output: 0 }
    }

    /// Appends a node and returns all its outputs.
    pub fn push_multi(&mut self, op: impl Op + 'static, inputs: &[Value]) -> Vec<Value> {
        let node = self.push_arc(Arc::new(op), inputs);
        (0..self.nodes[node].types.len())
            .map(|output| Value { node, output })
            .collect()
    }

    /// Appends a node and returns its index. On a mistake the error is kept and the node becomes a
    /// placeholder.
    pub fn push_arc(&mut self, op: Arc<dyn Op>, inputs: &[Value]) -> usize {
        let types: Vec<Type> = inputs.iter().map(|&v| self.ty(v).clone()).collect();
        let inferred =
            op.infer(&types)
                .and_then(|out| match out.iter().find(|t| !t.is_indexable()) {
                    None => Ok(out),
                    Some(t) => Err(format!(
                        "makes shape {:?}; sizes are from 1 to 2³² − 1",
                        t.shape
                    )),
                });
        let (op, inputs, types) = match inferred {
            Ok(out) => (op, inputs.to_vec(), out),
            Err(message) => {
                self.fail(op.name(), message);
                let ty = types.into_iter().next().unwrap_or(Type::f32(&[]));
                let placeholder: Arc<dyn Op> = Arc::new(SourceOp(ty.clone()));
                (placeholder, Vec::new(), vec![ty; 8])
            }
        };
        let scope = self.scope.join(".").into();
        // What follows from a gradient is no part of the forward pass, wherever it is appended.
        let earlier = inputs.iter().map(|v| self.nodes[v.node].phase);
        let phase = earlier.fold(self.phase, Phase::max);
        self.nodes.push(Node {
            op,
            inputs,
            types,
            scope,
            phase,
        });
        self.nodes.len() - 1
    }

    /// Keeps a mistake found outside an op's own shape rule.
    pub fn fail(&mut self, op: &'static str, message: String) {
        if self.error.is_none() {
            self.error = Some(Error::Graph {
                op,
                scope: self.scope.join("."),
                message,
            });
        }
    }

    /// Scope path and op of what computes a value.
    pub fn label(&self, value: Value) -> String {
        let node = &self.nodes[value.node];
        match &*node.scope {
            "" => node.op.name().to_string(),
            scope => format!("{scope}.{}", node.op.name()),
        }
    }

    /// Type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.nodes[value.node].types[value.output]
    }

    /// Shape of a value.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.ty(value).shape
    }

    /// Shape of a value of rank `N`; a mistake (and ones) when it has another rank.
    pub fn dims<const N: usize>(&mut self, value: Value) -> [usize; N] {
        match <[usize; N]>::try_from(self.shape(value)) {
            Ok(dims) => dims,
            Err(_) => {
                let message = format!("expected rank {N}, got shape {:?}", self.shape(value));
                self.fail("dims", message);
                [1; N]
            }
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All sources in order of creation.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The parameters and their full names.
    pub fn params(&self) -> impl Iterator<Item = &Source> {
        self.sources
            .iter()
            .filter(|s| matches!(s.kind, SourceKind::Param(_)))
    }

    /// Stores at the end of each step, as (target, value).
    pub fn assigns(&self) -> &[(Value, Value)] {
        &self.assigns
    }

    /// A number no other random site of this graph has.
    pub fn random_site(&mut self) -> u32 {
        self.random_sites += 1;
        self.random_sites - 1
    }

    /// Sets the phase of nodes appended from now on, and returns the old one.
    pub(crate) fn replace_phase(&mut self, phase: Phase) -> Phase {
        std::mem::replace(&mut self.phase, phase)
    }

    /// The same computation with other nodes in the place of some: `replace` is given each node's number, appends to
    /// the new graph what stands for it there, computed from the given inputs, and says which values its outputs are
    /// then. Also returns where each node's outputs are in the new graph. Sources keep their order.
    pub(crate) fn rewritten(
        &self,
        mut replace: impl FnMut(&mut Self, &Node, &[Value]) -> Option<Vec<Value>>,
    ) -> (Self, Vec<Vec<Value>>) {
        let mut new = Self {
            by_name: self.by_name.clone(),
            error: self.error.clone(),
            random_sites: self.random_sites,
            ..Self::default()
        };
        let mut moved: Vec<Vec<Value>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let inputs = node.inputs.iter().map(|v| moved[v.node][v.output]);
            let inputs: Vec<Value> = inputs.collect();
            new.scope = vec![node.scope.to_string()];
            new.phase = node.phase;
            let outputs = replace(&mut new, node, &inputs).unwrap_or_else(|| {
                new.nodes.push(Node {
                    inputs,
                    ..node.clone()
                });
                let node = new.nodes.len() - 1;
                let outputs = 0..new.nodes[node].types.len();
                outputs.map(|output| Value { node, output }).collect()
            });
            moved.push(outputs);
        }
        let at = |v: Value| moved[v.node][v.output];
        new.sources.extend(self.sources.iter().map(|s| Source {
            value: at(s.value),
            ..s.clone()
        }));
        new.assigns
            .extend(self.assigns.iter().map(|&(t, v)| (at(t), at(v))));
        let limits = self.index_limits.iter();
        let limits = limits.map(|(&n, &limit)| (moved[n][0].node, limit));
        new.index_limits = limits.collect();
        (new, moved)
    }

    /// Sets the scope path for nodes appended while differentiating, and returns the old one.
    pub(crate) fn replace_scope(&mut self, scope: Vec<String>) -> Vec<String> {
        std::mem::replace(&mut self.scope, scope)
    }

    fn check_elements(&mut self, op: &'static str, name: &str, tensor: &Tensor) {
        if let Err(message) = tensor.check(&tensor.ty(), None) {
            self.fail(op, format!("{name} {message}"));
        }
    }

    fn source(&mut self, name: &str, ty: Type, kind: SourceKind) -> Value {
        let full = match self.scope.is_empty() {
            true => name.to_string(),
            false => format!("{}.{name}", self.scope.join(".")),
        };
        if let Some(&index) = self.by_name.get(&full) {
            let value = self.sources[index].value;
            if *self.ty(value) != ty {
                let message = format!("{full} is {:?} here and {:?} elsewhere", ty, self.ty(value));
                self.fail("source", message);
            }
            return value;
        }
        let value = self.push(SourceOp(ty), &[]);
        self.by_name.insert(full.clone(), self.sources.len());
        self.sources.push(Source {
            name: full,
            kind,
            value,
        });
        value
    }
}
