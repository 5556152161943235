//! `runner check`: everything that can be known of a run without a device.

use super::run::announce;
use crate::cli::PipelineArgs;
use crate::data::dataset::Part;
use crate::error::Result;
use crate::journal::print_result;
use crate::preflight::{Keeping, Preflight};

/// Reads every volume of every data set and all weights, builds every stage, and prints what was found.
///
/// # Errors
/// A pipeline that is wrong, or one that cannot run; all problems are listed.
pub fn check(args: &PipelineArgs) -> Result<()> {
    let pipeline = args.load()?;
    announce(&pipeline);
    let found = Preflight::new(&[pipeline], None, Keeping::Nothing);
    for set in found.sets() {
        let name = &set.name;
        let (Some(data), Some(survey)) = (set.data(), set.survey()) else {
            print_result(set.findings());
            continue;
        };
        let division = data.division();
        let slices = |part| data.slices(part).len();
        print_result(format_args!(
            "{name}: {} training and {} test cases, {} labelled and {} unlabelled training slices\n\n",
            division.train.len(),
            division.test.len(),
            slices(Part::Labelled),
            slices(Part::Unlabelled),
        ));
        print_result(survey);
    }
    print_result(found.findings());
    found.refuse()
}
