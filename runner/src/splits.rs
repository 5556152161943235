//! `splits/`: which cases train and test, and which training slices keep their labels, as lists that
//! `Lists` and `List` of a pipeline read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::data::dataset::{Dataset, Part};
use crate::error::Result;
use crate::run_dir::RunDir;

/// Writes `splits/DATA_train.txt`, `DATA_test.txt` and `DATA_labelled.txt` of each data set.
///
/// # Errors
/// A file that cannot be written.
pub fn record(run: &RunDir, data: &BTreeMap<String, Arc<Dataset>>) -> Result<()> {
    for (name, data) in data {
        let case = |index: usize| data.cases()[index].name.as_str();
        let cases = |indices: &[usize]| indices.iter().map(|&i| format!("{}\n", case(i))).collect();
        let labelled = data.slices(Part::Labelled).into_iter();
        let labelled = labelled.map(|s| format!("{}_slice{:03}\n", case(s.case), s.index));
        let division = data.division();
        let lists: [(&str, String); 3] = [
            ("train", cases(&division.train)),
            ("test", cases(&division.test)),
            ("labelled", labelled.collect()),
        ];
        for (part, list) in lists {
            run.write(&format!("splits/{name}_{part}.txt"), list.as_bytes())?;
        }
    }
    Ok(())
}
