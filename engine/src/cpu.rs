//! The reference executor: evaluates a graph op by op on the host.

use std::collections::HashMap;

use crate::{Error, Graph, Result, SourceKind, Tensor, Value};

/// Evaluates `wanted` with sources taken from `feeds` (by full name), constants and state from the
/// graph itself. Parameters absent from `feeds` are drawn from their [`crate::Init`] with seed 0.
///
/// # Errors
/// An input that is not fed, a feed of another type or length, or an index beyond what it indexes.
pub fn evaluate(
    graph: &Graph,
    feeds: &HashMap<String, Tensor>,
    wanted: &[Value],
) -> Result<Vec<Tensor>> {
    let mut values: Vec<Option<Vec<Tensor>>> = vec![None; graph.nodes().len()];
    for source in graph.sources() {
        let tensor = match (feeds.get(&source.name), &source.kind) {
            (Some(tensor), _) => tensor.clone(),
            (None, SourceKind::State(t) | SourceKind::Constant(t)) => t.clone(),
            (None, SourceKind::Param(init)) => {
                init.draw(graph.shape(source.value), 0, &source.name)
            }
            (None, SourceKind::Input) => continue,
        };
        let limit = graph.index_limit(source.value);
        if let Err(message) = tensor.check(graph.ty(source.value), limit) {
            return Err(Error::Tensor {
                name: source.name.clone(),
                message,
            });
        }
        values[source.value.node] = Some(vec![tensor]);
    }
    let mut needed = vec![false; graph.nodes().len()];
    wanted.iter().for_each(|v| needed[v.node] = true);
    for index in (0..graph.nodes().len()).rev() {
        if needed[index] {
            graph.nodes()[index]
                .inputs
                .iter()
                .for_each(|v| needed[v.node] = true);
        }
    }
    for (index, node) in graph.nodes().iter().enumerate() {
        if !needed[index] || values[index].is_some() {
            continue;
        }
        let inputs: Option<Vec<&Tensor>> = node
            .inputs
            .iter()
            .map(|v| values[v.node].as_ref()?.get(v.output))
            .collect();
        let outputs = inputs
            .map(|inputs| node.op.cpu(&inputs))
            .unwrap_or_default();
        if outputs.len() != node.types.len() {
            let name = graph
                .sources()
                .iter()
                .find(|s| s.value.node == index)
                .map(|s| s.name.clone());
            let name = name.unwrap_or_else(|| format!("{} at {}", node.op.name(), node.scope));
            return Err(Error::Tensor {
                name,
                message: "has no value; feed it".into(),
            });
        }
        values[index] = Some(outputs);
    }
    let get = |v: &Value| {
        values[v.node]
            .as_ref()
            .and_then(|o| o.get(v.output))
            .cloned()
    };
    Ok(wanted.iter().filter_map(get).collect())
}
