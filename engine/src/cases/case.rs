//! A small graph around one op, with its gradient, and the operands that such graphs start from.

use std::collections::HashMap;

use crate::random::Stream;
use crate::{DType, Graph, Init, Remat, Result, Tensor, Value, cpu, differentiate};

/// f16 holds numbers below this.
const LARGEST_HALF: f32 = 65504.0;

/// A graph around one op.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is special about it.
    pub name: &'static str,
    /// Builds the operands (parameters and constants) and the op, and returns its outputs.
    pub build: fn(&mut Graph) -> Vec<Value>,
}

/// A case with its gradient.
#[derive(Debug)]
pub struct CaseGraph {
    /// The graph; parameters keep their [`Init`] with seed 0.
    pub graph: Graph,
    /// Outputs of the op.
    pub outputs: Vec<Value>,
    /// Gradient of the loss by each output.
    pub cotangents: Vec<Tensor>,
    /// `Σ outputs ⊙ cotangents`
    pub loss: Value,
    /// The parameters with their full names.
    pub params: Vec<(String, Value)>,
    /// Gradient of the loss by each parameter; `None` where it is zero by construction.
    pub gradients: Vec<Option<Value>>,
}

/// Values of the graph inputs that cases use.
pub fn feeds() -> HashMap<String, Tensor> {
    HashMap::from([("random".to_string(), Tensor::u32(&[2], vec![7, 3]))])
}

impl Case {
    /// Builds the case between other ops: outputs are scaled and weighted by random cotangents, and
    /// the sum of that is differentiated by every parameter.
    ///
    /// # Errors
    /// A mistake in the case.
    pub fn graph(&self) -> Result<CaseGraph> {
        self.graph_with(Remat::None, |_| false)
    }

    /// [`Case::graph`], of which the backward pass makes again what `remat` says. Products read the values of those
    /// nodes that `multiplied` chooses, where f16 holds them, so that a plan may keep these so.
    ///
    /// # Errors
    /// A mistake in the case.
    pub fn graph_with(
        &self,
        remat: Remat,
        multiplied: impl Fn(usize) -> bool,
    ) -> Result<CaseGraph> {
        let mut g = Graph::new();
        let outputs = g.within("blocks.0", self.build);
        let computed = |n: &usize| {
            let node = &g.nodes()[*n];
            multiplied(*n) && !node.inputs.is_empty() && node.types[0].dtype == DType::F32
        };
        let chosen: Vec<usize> = (0..g.nodes().len()).filter(computed).collect();
        let outputs_of = |n: usize| (0..g.nodes()[n].types.len()).map(move |output| (n, output));
        let chosen = chosen.into_iter().flat_map(outputs_of);
        let chosen: Vec<Value> = chosen
            .map(|(node, output)| Value { node, output })
            .collect();
        let held = chosen.iter().zip(cpu::evaluate(&g, &feeds(), &chosen)?);
        let held =
            held.filter(|(_, tensor)| tensor.as_f32().iter().all(|x| x.abs() < LARGEST_HALF));
        let held: Vec<Value> = held.map(|(value, _)| *value).collect();
        let products: Vec<Value> = held.into_iter().map(|v| product(&mut g, v)).collect();
        let mut cotangents = Vec::new();
        let mut loss = g.scalar(0.0);
        for (k, &y) in outputs.iter().enumerate() {
            let shape = g.shape(y).to_vec();
            let name = format!("cotangent{k}");
            let random = Init::Normal(1.0).draw(&shape, 1, &name);
            let halved = random.as_f32().iter().map(|v| v * 0.5).collect();
            cotangents.push(Tensor::f32(&shape, halved));
            let cotangent = g.constant(&name, random);
            let half = g.scale(y, 0.5);
            let weighted = g.mul(half, cotangent);
            let axes: Vec<usize> = (0..shape.len()).collect();
            let total = g.sum(weighted, &axes);
            loss = g.add(loss, total);
        }
        for product in products {
            loss = g.add(loss, product);
        }
        let params: Vec<(String, Value)> = g.params().map(|s| (s.name.clone(), s.value)).collect();
        let values: Vec<Value> = params.iter().map(|p| p.1).collect();
        let gradients = differentiate(&mut g, loss, &values, remat);
        g.check()?;
        Ok(CaseGraph {
            graph: g,
            outputs,
            cotangents,
            loss,
            params,
            gradients,
        })
    }
}

/// A small product with a value.
fn product(g: &mut Graph, value: Value) -> Value {
    let n = g.ty(value).len();
    let row = g.reshape(value, &[1, n]);
    let weights = Init::Normal(0.25 / n as f32).draw(&[n, 1], 2, "product");
    let weights = g.constant(&format!("product{}.{}", value.node, value.output), weights);
    let product = g.matmul(row, weights);
    g.reshape(product, &[])
}

/// A differentiable operand with roughly standard normal elements, produced by other ops.
pub(crate) fn operand(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    let x = g.param(name, shape, Init::Normal(1.0));
    let x = g.scale(x, 1.25);
    g.offset(x, 0.125)
}

/// A differentiable operand with elements in [1, 3].
pub(crate) fn positive(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    let x = g.param(name, shape, Init::Uniform(1.0));
    g.offset(x, 2.0)
}

/// A differentiable operand whose elements are at least about ½ apart and away from zero, so that
/// small steps do not cross a kink.
pub(crate) fn distinct(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    let n: usize = shape.iter().product();
    let mut ranks: Vec<usize> = (0..n).collect();
    Stream::named(0, name).shuffle(&mut ranks);
    let level = |&r: &usize| r as f32 - (n / 2) as f32 + 0.5;
    let levels = Tensor::f32(shape, ranks.iter().map(level).collect());
    let levels = g.constant(&format!("{name}.levels"), levels);
    let x = g.param(name, shape, Init::Normal(1.0));
    let x = g.scale(x, 0.125);
    g.add(x, levels)
}
