//! `runner check`: the pipeline's schema and all of its data.

use crate::cli::PipelineArgs;
use crate::data::dataset::{Dataset, Part};
use crate::data::survey::survey;
use crate::error::{Error, Result};
use crate::journal::print_result;

/// Memory for decoded volumes; each is read once, so none needs to be kept.
const MEMORY: usize = 0;

/// Reads every volume of every data set, and prints what was found.
///
/// # Errors
/// A pipeline that is wrong, or unusable data; all unusable cases are listed.
pub fn check(args: &PipelineArgs) -> Result<()> {
    let pipeline = args.load()?;
    let mut unusable = Vec::new();
    for (name, source) in &pipeline.data {
        let data = Dataset::open(source, MEMORY)?;
        let division = data.division();
        let slices = |part| data.slices(part).len();
        print_result(format_args!(
            "{name}: {} training and {} test cases, {} labelled and {} unlabelled training slices\n\n",
            division.train.len(),
            division.test.len(),
            slices(Part::Labelled),
            slices(Part::Unlabelled),
        ));
        let found = survey(&data);
        print_result(&found);
        if found.has_problems() {
            unusable.push(name.as_str());
        }
    }
    match unusable.as_slice() {
        [] => Ok(()),
        names => Err(Error::Unusable(names.join(", "))),
    }
}
