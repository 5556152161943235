//! `runner check`: the pipeline's schema and all of its data.

use rayon::prelude::*;

use crate::cli::PipelineArgs;
use crate::data::dataset::{Dataset, Part};
use crate::data::error::DataError;
use crate::error::{Error, Result};
use crate::journal::Table;

/// Memory for decoded volumes; each is read once, so none needs to be kept.
const CACHE_BYTES: usize = 0;

/// Reads every volume of every data set, and prints what was found.
///
/// # Errors
/// A pipeline that is wrong, or unusable data; all unusable files are listed.
pub fn check(args: &PipelineArgs) -> Result<()> {
    let pipeline = args.load()?;
    let mut table = Table::new(&[
        "data set",
        "training cases",
        "test cases",
        "labelled slices",
        "unlabelled slices",
        "classes",
    ]);
    let mut problems = Vec::new();
    for (name, source) in &pipeline.data {
        let data = Dataset::open(source, CACHE_BYTES)?;
        let division = data.division();
        table.row([
            name.clone(),
            division.train.len().to_string(),
            division.test.len().to_string(),
            data.slices(Part::Labelled).len().to_string(),
            data.slices(Part::Unlabelled).len().to_string(),
            data.classes().len().to_string(),
        ]);
        if !division.missing.is_empty() {
            eprintln!(
                "warning: {name}: {} entries of the published lists are not on disk, such as {}",
                division.missing.len(),
                division.missing[0]
            );
        }
        let found: Vec<DataError> = (0..data.cases().len())
            .into_par_iter()
            .filter_map(|case| read(&data, case).err())
            .collect();
        problems.extend(found);
    }
    print!("{table}");
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(Error::Usage("1 case is unusable".into())),
        n => Err(Error::Usage(format!("{n} cases are unusable"))),
    }
}

fn read(data: &Dataset, case: usize) -> Result<(), DataError> {
    data.image(case)?;
    if data.cases().get(case).is_some_and(|c| c.label.is_some()) {
        data.label(case)?;
    }
    Ok(())
}
