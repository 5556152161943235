//! Left atrium (LA 2018): the challenge's folders, or UA-MT's HDF5 files.

use std::collections::BTreeMap;

use super::{Case, Layout, Result, Source, entries, file_name, formats, not_empty};
use crate::data::error::DataError;
use crate::data::formats::Scan;

/// `NAME/lgemri.nrrd` with `NAME/laendo.nrrd`, `NAME/mri_norm2.h5`, or `NAME.h5`, where the name may
/// begin with `train_` or `test_`.
pub(super) fn find(source: &Source) -> Result<Layout> {
    let root = source.root();
    let mut cases = BTreeMap::new();
    let mut is_original = false;
    for path in entries(root)? {
        let file = file_name(&path);
        let (image, label) = (path.join("lgemri.nrrd"), path.join("laendo.nrrd"));
        let norm = path.join("mri_norm2.h5");
        let (name, image, label) = if image.is_file() {
            is_original = true;
            (file, image, label.is_file().then_some(label))
        } else if norm.is_file() {
            (file, norm.clone(), Some(norm))
        } else if let Some(stem) = formats::stem(&file).filter(|_| file.ends_with(".h5")) {
            let mut prefixes = ["train_", "test_"].iter();
            let name = prefixes.find_map(|prefix| stem.strip_prefix(prefix));
            (name.unwrap_or(stem).to_owned(), path.clone(), Some(path))
        } else {
            continue;
        };
        let case = Case {
            name: name.clone(),
            image: Scan::File(image),
            label: label.map(Scan::File),
        };
        if let Some(other) = cases.insert(name.clone(), case) {
            let other = other.image.path().display();
            let problem = format!("case {name} is there twice, once as {other}; keep one");
            return Err(DataError::dataset(root, problem));
        }
    }
    let wanted = "NAME/lgemri.nrrd, NAME/mri_norm2.h5 or NAME.h5 files";
    not_empty(root, wanted, &cases)?;
    let mut layout = Layout::new(cases.into_values().collect(), 1, source);
    if is_original {
        layout.values.insert(255, 1);
    }
    Ok(layout)
}
