//! Whether stages can be built, and whether their data suffices.

use std::collections::BTreeMap;

use super::{DataSet, Findings};
use crate::data::dataset::{Dataset, Part};
use crate::pipeline::{Pipeline, Stage};
use crate::stage::{StageGraph, stage_graph};

/// The graphs of the stages that can be built, by their names.
pub(super) type Graphs<'p> = BTreeMap<&'p str, (&'p Stage, StageGraph)>;

/// Looks at every stage, and builds it. Data that a stage has no use for may be meant where it is only looked
/// at, but not where it `runs`.
pub(super) fn examine<'p, 'a>(
    pipeline: &'p Pipeline,
    set: &dyn Fn(&str) -> Option<&'a DataSet>,
    runs: bool,
    findings: &mut Findings,
) -> Graphs<'p> {
    for stage in &pipeline.stages {
        let Some(data) = set(stage.data()).and_then(DataSet::data) else {
            continue;
        };
        let name = stage.name();
        for lack in lacks(stage, data) {
            match runs {
                true => findings.problem(format!("stage {name}: {lack}")),
                false => findings.warning(format!("stage {name}: {lack}; it cannot run")),
            }
        }
        repeats(stage, data, findings);
    }
    graphs(pipeline, findings)
}

/// Builds every stage.
pub(super) fn graphs<'p>(pipeline: &'p Pipeline, findings: &mut Findings) -> Graphs<'p> {
    let mut graphs = Graphs::new();
    for stage in &pipeline.stages {
        let has_classes = pipeline
            .data
            .get(stage.data())
            .is_some_and(|s| !s.classes().is_empty());
        // Without classes it lacks labels, which is another finding.
        if needs_labels(stage) && !has_classes {
            continue;
        }
        match stage_graph(pipeline, stage) {
            Ok(graph) => drop(graphs.insert(stage.name(), (stage, graph))),
            Err(error) => findings.problem(format!("stage {}: {error}", stage.name())),
        }
    }
    graphs
}

fn needs_labels(stage: &Stage) -> bool {
    matches!(stage, Stage::Finetune(_) | Stage::Evaluate(_))
}

/// The training slices that a stage sees, and what they are called; `None` if it sees test cases.
fn training_slices(stage: &Stage, data: &Dataset) -> Option<(usize, &'static str)> {
    let (part, what) = match stage {
        Stage::Evaluate(_) => return None,
        Stage::Finetune(_) => (Part::Labelled, "labelled training slices"),
        Stage::Pretrain(_) | Stage::Expert(_) => (Part::Train, "training slices"),
    };
    Some((data.slices(part).len(), what))
}

/// What a stage needs of its data set and does not find there.
fn lacks(stage: &Stage, data: &Dataset) -> Vec<String> {
    let set = stage.data();
    if let Some((slices, what)) = training_slices(stage, data) {
        // Unreadable ones are problems of their own.
        let unreadable = |case: &usize| data.unreadable(*case).is_some();
        let is_lacking = slices == 0 && !data.division().train.iter().any(unreadable);
        let lack = is_lacking.then(|| format!("data set `{set}` has no {what}"));
        return lack.into_iter().collect();
    }
    let test = &data.division().test;
    if test.is_empty() {
        return vec![format!(
            "data set `{set}` has no test cases; give it a `split` that leaves some"
        )];
    }
    let cases = test.iter().filter_map(|case| data.cases().get(*case));
    let mut unlabelled = cases.filter(|case| case.label.is_none());
    let first = unlabelled.next();
    let lack = first.map(|first| {
        format!(
            "{} of {} test cases of `{set}` have no label, such as {}",
            unlabelled.count() + 1,
            test.len(),
            first.name
        )
    });
    lack.into_iter().collect()
}

/// Warns of a batch that is more than all slices.
fn repeats(stage: &Stage, data: &Dataset, findings: &mut Findings) {
    let batch = stage.batch();
    if let Some((slices, what)) = training_slices(stage, data)
        && (1..batch).contains(&slices)
    {
        findings.warning(format!(
            "stage {}: a batch of {batch} is more than the {slices} {what} of `{}`; every step repeats some",
            stage.name(),
            stage.data()
        ));
    }
}
