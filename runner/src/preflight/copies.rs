//! Images that are in training and in test, in different data sets.

use std::collections::BTreeMap;

use super::{DataSet, Findings};
use crate::data::survey::{CaseRole, CaseSurvey};
use crate::pipeline::{Pipeline, Stage};

/// Copies within a data set are found with the data set itself.
pub(super) fn find<'a>(
    pipeline: &Pipeline,
    set: &dyn Fn(&str) -> Option<&'a DataSet>,
    findings: &mut Findings,
) {
    let is_test = |stage: &&Stage| matches!(stage, Stage::Evaluate(_));
    let mut trained: BTreeMap<[u8; 32], Vec<(&str, &CaseSurvey)>> = BTreeMap::new();
    let names = |test: bool| {
        let stages = pipeline.stages.iter().filter(move |s| is_test(s) == test);
        let mut names: Vec<&str> = stages.map(Stage::data).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let cases = |name: &str| set(name).and_then(DataSet::survey).map(|s| &s.cases);
    for name in names(false) {
        for case in cases(name).into_iter().flatten() {
            if let Some(content) = case.facts.content.filter(|_| case.role.trains()) {
                trained.entry(content).or_default().push((name, case));
            }
        }
    }
    for name in names(true) {
        let test = cases(name).into_iter().flatten();
        for case in test.filter(|c| c.role == CaseRole::Test) {
            let same = case.facts.content.and_then(|content| trained.get(&content));
            let other = same.and_then(|same| same.iter().find(|(other, _)| *other != name));
            if let Some((other, copy)) = other {
                findings.problem(format!(
                    "{} case {} of {other} and test case {} of {name} hold the same image: the test would \
                     measure memory; remove one",
                    copy.role, copy.name, case.name
                ));
            }
        }
    }
}
