//! Gradients against central differences of the reference executor.

use std::collections::HashMap;

use super::{Case, CaseGraph, cases, feeds};
use crate::cpu::evaluate;
use crate::{SourceKind, Tensor};

/// Elements of each parameter that are varied.
const SAMPLES: usize = 24;
/// Step of the differences, which are accurate to its fourth power.
const STEP: f32 = 0.02;
/// Largest accepted error, relative to the largest gradient of the parameter (at least ⅛).
const TOLERANCE: f64 = 2e-3;

#[test]
fn gradients_match_finite_differences() {
    let failures: Vec<String> = cases().iter().filter_map(check).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// What is wrong with the gradients of a case.
fn check(case: &Case) -> Option<String> {
    let built = match case.graph() {
        Ok(built) => built,
        Err(error) => return Some(format!("{}: {error}", case.name)),
    };
    let mut feeds = feeds();
    let sources = built.graph.sources().iter();
    for source in sources {
        if let SourceKind::Param(init) = source.kind {
            let start = init.draw(built.graph.shape(source.value), 0, &source.name);
            feeds.insert(source.name.clone(), start);
        }
    }
    for ((name, value), gradient) in built.params.iter().zip(&built.gradients) {
        let shape = built.graph.shape(*value);
        let gradient = match gradient {
            Some(gradient) => match evaluate(&built.graph, &feeds, &[*gradient]) {
                Ok(tensors) => tensors[0].clone(),
                Err(error) => return Some(format!("{}: {error}", case.name)),
            },
            None => Tensor::full(shape, 0.0),
        };
        if gradient.shape != shape {
            let got = &gradient.shape;
            return Some(format!("{}: d{name} is {got:?}, not {shape:?}", case.name));
        }
        let start = feeds[name].clone();
        let largest = gradient
            .as_f32()
            .iter()
            .fold(0.125f32, |m, v| m.max(v.abs()));
        for at in (0..start.len()).step_by(start.len().div_ceil(SAMPLES)) {
            let mut loss = |steps: f32| {
                let mut data = start.as_f32().to_vec();
                data[at] += steps * STEP;
                feeds.insert(name.clone(), Tensor::f32(shape, data));
                loss(&built, &feeds)
            };
            let near = loss(1.0) - loss(-1.0);
            let far = loss(2.0) - loss(-2.0);
            let expected = (8.0 * near - far) / (12.0 * f64::from(STEP));
            let error = (gradient.at(at) - expected).abs();
            if error.is_nan() || error > TOLERANCE * f64::from(largest) {
                return Some(format!(
                    "{}: d{name}[{at}] is {}, differences say {expected}",
                    case.name,
                    gradient.at(at)
                ));
            }
        }
        feeds.insert(name.clone(), start);
    }
    None
}

/// The loss in f64, without the rounding of the graph's own sum; NaN when it has no value.
fn loss(built: &CaseGraph, feeds: &HashMap<String, Tensor>) -> f64 {
    let product = |(y, c): (&Tensor, &Tensor)| (0..y.len()).map(|i| y.at(i) * c.at(i)).sum::<f64>();
    evaluate(&built.graph, feeds, &built.outputs).map_or(f64::NAN, |outputs| {
        outputs.iter().zip(&built.cotangents).map(product).sum()
    })
}
