//! Whether stages can be built, and whether their data suffices.

use std::collections::BTreeMap;

use super::{DataSet, Findings};
use crate::data::dataset::{Dataset, Part};
use crate::pipeline::{Pipeline, Stage};
use crate::stage::{StageGraph, stage_graph};

/// The graphs of the stages that can be built, by their names.
pub(super) type Graphs<'p> = BTreeMap<&'p str, (&'p Stage, StageGraph)>;

/// Looks at every stage, and builds it.
pub(super) fn examine<'p, 'a>(
    pipeline: &'p Pipeline,
    set: &dyn Fn(&str) -> Option<&'a DataSet>,
    findings: &mut Findings,
) -> Graphs<'p> {
    for stage in &pipeline.stages {
        if let Some(data) = set(stage.data()).and_then(DataSet::data) {
            data_suffices(stage, data, findings);
        }
    }
    graphs(pipeline, findings)
}

/// Builds every stage.
pub(super) fn graphs<'p>(pipeline: &'p Pipeline, findings: &mut Findings) -> Graphs<'p> {
    let mut graphs = Graphs::new();
    for stage in &pipeline.stages {
        match stage_graph(pipeline, stage) {
            Ok(graph) => drop(graphs.insert(stage.name(), (stage, graph))),
            Err(error) => findings.problem(format!("stage {}: {error}", stage.name())),
        }
    }
    graphs
}

fn data_suffices(stage: &Stage, data: &Dataset, findings: &mut Findings) {
    let (name, set) = (stage.name(), stage.data());
    let (part, what) = match stage {
        Stage::Evaluate(_) => return test_suffices(stage, data, findings),
        Stage::Finetune(_) => (Part::Labelled, "labelled training slices"),
        Stage::Pretrain(_) | Stage::Expert(_) => (Part::Train, "training slices"),
    };
    let slices = data.slices(part).len();
    let unreadable = |case: &usize| data.unreadable(*case).is_some();
    if slices == 0 && !data.division().train.iter().any(unreadable) {
        findings.problem(format!("stage {name}: data set `{set}` has no {what}"));
    } else if slices < stage.batch() && slices > 0 {
        findings.warning(format!(
            "stage {name}: a batch of {} is more than the {slices} {what} of `{set}`; every step repeats some",
            stage.batch()
        ));
    }
}

fn test_suffices(stage: &Stage, data: &Dataset, findings: &mut Findings) {
    let (name, set) = (stage.name(), stage.data());
    let test = &data.division().test;
    if test.is_empty() {
        findings.problem(format!(
            "stage {name}: data set `{set}` has no test cases; give it a `split` that leaves some"
        ));
    }
    let cases = test.iter().filter_map(|case| data.cases().get(*case));
    let lacking: Vec<&str> = cases
        .filter(|case| case.label.is_none())
        .map(|case| case.name.as_str())
        .collect();
    if let Some(first) = lacking.first() {
        findings.problem(format!(
            "stage {name}: {} of {} test cases of `{set}` have no label, such as {first}",
            lacking.len(),
            test.len()
        ));
    }
}
