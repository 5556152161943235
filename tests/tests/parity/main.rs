//! Numbers of engine and runner against those of PyTorch, medpy and scipy. The scripts in
//! `tests/reference` make the fixtures; what needs real weights finds them under `SAMORA_DATA` and is skipped
//! without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adamw;
mod autograd;
mod curves;
mod gradients;
mod hsam;
mod lite_medsam;
mod metrics;
mod resampling;
mod sam;
mod sam2;
mod teachers;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use samora_engine::weights::Weights;
use samora_engine::{Graph, Program, SourceKind, Tensor, Value, cpu, plan};
use samora_tests::devices;

/// A file that a script in `tests/reference` made.
fn fixture(name: &str) -> Weights {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    Weights::read(&folder.join(format!("{name}.safetensors"))).unwrap()
}

/// Values on the processor and on the adapter under test, with parameters and inputs by name.
fn on_devices(g: &Graph, feeds: &BTreeMap<String, Tensor>, wanted: &[Value]) -> [Vec<Tensor>; 2] {
    g.check().unwrap();
    devices().each_ref().map(|device| {
        let planned = plan(g, wanted, device.planning(true)).unwrap();
        let mut program = Program::new(device, g, planned, feeds).unwrap();
        let inputs: Vec<(&str, &Tensor)> = g
            .sources()
            .iter()
            .filter(|s| matches!(s.kind, SourceKind::Input))
            .map(|s| (s.name.as_str(), &feeds[&s.name]))
            .collect();
        program.step(&inputs).unwrap();
        let read = |value: &Value| program.read(*value).unwrap();
        wanted.iter().map(read).collect()
    })
}

/// Values by the engine's own reference, and on both devices.
fn everywhere(g: &Graph, feeds: &BTreeMap<String, Tensor>, wanted: &[Value]) -> [Vec<Tensor>; 3] {
    g.check().unwrap();
    let map: HashMap<String, Tensor> = feeds.clone().into_iter().collect();
    let host = cpu::evaluate(g, &map, wanted).unwrap();
    let [processor, adapter] = on_devices(g, feeds, wanted);
    [host, processor, adapter]
}

/// Every parameter of the graph is among the feeds, so that none is drawn.
fn assert_all_fed(g: &Graph, feeds: &BTreeMap<String, Tensor>) {
    for source in g.params() {
        assert!(
            feeds.contains_key(&source.name),
            "{} is absent",
            source.name
        );
    }
}

/// Largest difference, as a part of the largest magnitude wanted.
fn error(got: &Tensor, want: &Tensor) -> f64 {
    let largest = (0..want.len()).fold(0.0f64, |m, i| m.max(want.at(i).abs()));
    difference(got, want) / largest
}

fn difference(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.shape, want.shape);
    let each = (0..want.len()).map(|i| (got.at(i) - want.at(i)).abs());
    // `max` would drop what is not a number.
    each.fold(0.0, |m, d| if d > m || d.is_nan() { d } else { m })
}

fn assert_close(label: &str, got: &Tensor, want: &Tensor, tolerance: f64) {
    let error = error(got, want);
    println!("{label}: {error:.1e} of at most {tolerance:.0e}");
    assert!(error <= tolerance, "{label} is off by {error:e}");
}
