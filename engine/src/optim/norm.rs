//! Norms of gradients.

use std::collections::BTreeMap;

use crate::{Graph, Value};

/// Elements of the largest gradients that are joined for the norm, and how many are: fewer than a kernel binds.
const SMALL: usize = 1 << 14;
const TOGETHER: usize = 8;

/// Scales all gradients by min(1, limit/(norm + 10⁻⁶)), as `torch.nn.utils.clip_grad_norm_`.
pub(super) fn clip(g: &mut Graph, pairs: &mut [(Value, Value)], norm: Value, limit: f64) {
    let limit = g.scalar(limit as f32);
    let safe = g.offset(norm, 1e-6);
    let ratio = g.div(limit, safe);
    let one = g.scalar(1.0);
    let factor = g.minimum(ratio, one);
    for (_, gradient) in pairs.iter_mut() {
        *gradient = g.mul(*gradient, factor);
    }
}

/// The L2 norm of all gradients together. A kernel takes several: squares of one shape are summed element by
/// element, small gradients of a shape of their own are joined.
pub(super) fn total_norm(g: &mut Graph, pairs: &[(Value, Value)]) -> Value {
    let mut by_shape: BTreeMap<Vec<usize>, Vec<Value>> = BTreeMap::new();
    for &(_, gradient) in pairs {
        let shape = g.shape(gradient).to_vec();
        by_shape.entry(shape).or_default().push(gradient);
    }
    let is_alone = |(shape, alike): &(Vec<usize>, Vec<Value>)| {
        alike.len() == 1 && shape.iter().product::<usize>() <= SMALL
    };
    let (alone, alike): (Vec<_>, Vec<_>) = by_shape.into_iter().partition(is_alone);
    let mut squares = Vec::new();
    for some in alone.chunks(TOGETHER) {
        let flat = some.iter().map(|(shape, gradient)| {
            let len = shape.iter().product();
            g.reshape(gradient[0], &[len])
        });
        let flat: Vec<Value> = flat.collect();
        let joined = g.concat(&flat, 0);
        squares.push(g.square(joined));
    }
    for (_, gradients) in alike {
        let each: Vec<Value> = gradients.into_iter().map(|v| g.square(v)).collect();
        squares.extend(each.into_iter().reduce(|a, b| g.add(a, b)));
    }
    let mut total = g.scalar(0.0);
    for square in squares {
        let sum = total_sum(g, square);
        total = g.add(total, sum);
    }
    g.sqrt(total)
}

pub(super) fn sum_of_squares(g: &mut Graph, x: Value) -> Value {
    let squares = g.square(x);
    total_sum(g, squares)
}

fn total_sum(g: &mut Graph, x: Value) -> Value {
    let axes: Vec<usize> = (0..g.shape(x).len()).collect();
    match axes.is_empty() {
        true => x,
        false => g.sum(x, &axes),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{Init, cpu};

    /// Some of one shape, some of a shape of their own, a scalar and a large one.
    #[test]
    fn the_norm_is_of_all_gradients() {
        let mut g = Graph::new();
        let shapes: [&[usize]; 8] = [
            &[2, 3],
            &[4],
            &[2, 3],
            &[],
            &[5],
            &[2, 3],
            &[129, 128],
            &[4],
        ];
        let (mut pairs, mut squares) = (Vec::new(), 0.0);
        for (i, shape) in shapes.into_iter().enumerate() {
            let values = Init::Normal(1.0).draw(shape, i as u64, "gradient");
            squares += values
                .as_f32()
                .iter()
                .map(|&x| f64::from(x).powi(2))
                .sum::<f64>();
            let param = g.param(&format!("w{i}"), shape, Init::Zeros);
            pairs.push((param, g.constant(&format!("g{i}"), values)));
        }
        let norm = total_norm(&mut g, &pairs);
        let got = cpu::evaluate(&g, &HashMap::new(), &[norm]).unwrap()[0].at(0);
        let want = squares.sqrt();
        assert!((got - want).abs() < 1e-5 * want, "{got}, not {want}");
    }
}
