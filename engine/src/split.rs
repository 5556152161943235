//! Sums and products with few results become several kernels, so that a device has enough to do at once.
//!
//! A pass of its own, since only the device says what is enough: neither graphs nor gradients know one.

use crate::{Graph, Value};

/// The same computation for a device that does `workers` things at once, and where each node's outputs are in it.
pub(crate) fn split(graph: &Graph, workers: usize) -> (Graph, Vec<Vec<Value>>) {
    graph.rewritten(|g, node, inputs| {
        let whole = node.op.split(g, inputs, workers)?;
        // None of the ops that split has a second output that anyone reads.
        Some(vec![whole; node.types.len()])
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::split;
    use crate::{Graph, Init, Remat, Tensor, Value, cpu, differentiate};

    const WORKERS: usize = 192;

    fn ops(g: &Graph, name: &str) -> usize {
        g.nodes().iter().filter(|n| n.op.name() == name).count()
    }

    /// Values of the graph and of what it is split into.
    fn both(g: &Graph, wanted: &[Value]) -> (Graph, [Vec<Tensor>; 2]) {
        g.check().unwrap();
        let (new, moved) = split(g, WORKERS);
        let at: Vec<Value> = wanted.iter().map(|v| moved[v.node][v.output]).collect();
        let values = [(g, wanted), (&new, &at)]
            .map(|(g, wanted)| cpu::evaluate(g, &HashMap::new(), wanted).unwrap());
        (new, values)
    }

    #[test]
    fn long_sums_become_sums_of_sums() {
        for (shape, axes) in [
            (vec![1, 4099], vec![0, 1]),
            (vec![4099, 1], vec![0, 1]),
            (vec![63, 2048], vec![0, 1]),
            (vec![2, 1031], vec![1]),
            (vec![2, 800, 3], vec![0, 1]),
        ] {
            let mut g = Graph::new();
            let n: usize = shape.iter().product();
            let data = (0..n).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
            let x = g.constant("x", Tensor::f32(&shape, data));
            let y = g.sum(x, &axes);
            assert_eq!(ops(&g, "sum"), 1, "{shape:?}");
            let (new, [whole, parts]) = both(&g, &[y]);
            assert_eq!(ops(&new, "sum"), 2, "{shape:?}");
            // Small whole numbers.
            assert_eq!(whole, parts, "{shape:?}");
        }
    }

    #[test]
    fn gradients_of_weights_are_sums_of_products() {
        let mut g = Graph::new();
        let x = g.param("x", &[4096, 6], Init::Normal(1.0));
        let w = g.param("w", &[5, 6], Init::Normal(1.0));
        let t = g.transpose(w);
        let y = g.matmul(x, t);
        let y = g.mul(y, y);
        let loss = g.mean(y, &[0, 1]);
        let gradients = differentiate(&mut g, loss, &[x, w], Remat::None);
        let wanted: Vec<Value> = gradients.into_iter().flatten().collect();
        assert_eq!(ops(&g, "matmul"), 4, "one as a product of transposes");
        let (new, [whole, parts]) = both(&g, &wanted);
        let batched = |n: &&crate::Node| n.op.name() == "matmul" && n.types[0].shape.len() == 3;
        assert!(new.nodes().iter().filter(batched).count() >= 1);
        for (whole, parts) in whole.iter().zip(&parts) {
            for (a, b) in whole.as_f32().iter().zip(parts.as_f32()) {
                assert!((a - b).abs() < 1e-5, "{a} and {b}");
            }
        }
    }

    #[test]
    fn what_has_enough_results_stays() {
        let mut g = Graph::new();
        let x = g.param("x", &[64, 2048], Init::Normal(1.0));
        let y = g.sum(x, &[1]);
        let (new, moved) = split(&g, WORKERS);
        assert_eq!(ops(&new, "sum"), 1);
        assert_eq!(new.shape(moved[y.node][0]), [64]);
        assert_eq!(new.sources().len(), 1);
        assert_eq!(new.sources()[0].name, "x");
    }
}
