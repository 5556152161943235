//! Outputs and gradients of a graph against those that PyTorch's autograd left in a fixture.

use std::collections::BTreeMap;

use samora_engine::{Graph, Remat, Tensor, Value, differentiate};

use super::{assert_all_fed, difference, error, everywhere};

/// Of outputs, as a part of the largest element of each.
const OUTPUTS: f64 = 1e-4;
/// As a part of the largest element of each gradient.
const GRADIENTS: f64 = 1e-3;
/// What rounding may leave of a gradient that is zero, as a part of the largest of all gradients.
const FLOOR: f64 = 1e-6;

/// Compares `outputs` by name, and the gradient of `loss` with respect to every parameter for which
/// `feeds` has a `grad.<parameter>`.
pub(super) fn assert_autograds(
    name: &str,
    g: &mut Graph,
    feeds: &BTreeMap<String, Tensor>,
    loss: Value,
    outputs: &[(&str, Value)],
) {
    assert_all_fed(g, feeds);
    let wanted_names: Vec<&str> = feeds
        .keys()
        .filter_map(|name| name.strip_prefix("grad."))
        .collect();
    assert!(!outputs.is_empty() && !wanted_names.is_empty());
    let trained: Vec<Value> = wanted_names
        .iter()
        .map(|name| g.params().find(|s| s.name == *name).expect(name).value)
        .collect();
    let gradients = differentiate(g, loss, &trained, Remat::None);
    let mut wanted: Vec<Value> = outputs.iter().map(|output| output.1).collect();
    wanted.extend(gradients.into_iter().map(Option::unwrap));
    let largest = wanted_names
        .iter()
        .flat_map(|name| feeds[&format!("grad.{name}")].as_f32())
        .fold(0.0f64, |m, x| m.max(f64::from(x.abs())));
    for got in everywhere(g, feeds, &wanted) {
        let (got_outputs, got_gradients) = got.split_at(outputs.len());
        let mut worst = 0.0f64;
        for ((output, _), got) in outputs.iter().zip(got_outputs) {
            let off = error(got, &feeds[*output]);
            assert!(off <= OUTPUTS, "{name}: {output} is off by {off:e}");
            worst = worst.max(off);
        }
        let count = outputs.len();
        println!("{name}, {count} outputs: {worst:.1e} of at most {OUTPUTS:.0e}");
        worst = 0.0;
        for (parameter, got) in wanted_names.iter().zip(got_gradients) {
            let want: &Tensor = &feeds[&format!("grad.{parameter}")];
            let own = want.as_f32().iter().fold(0.0f32, |m, x| m.max(x.abs()));
            let floor = FLOOR * largest;
            let off = (difference(got, want) - floor) / f64::from(own).max(floor);
            assert!(off <= GRADIENTS, "{name}: {parameter} is off by {off:e}");
            worst = worst.max(off);
        }
        let count = wanted_names.len();
        println!("{name}, {count} gradients: {worst:.1e} of at most {GRADIENTS:.0e}");
    }
}
