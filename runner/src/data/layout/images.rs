//! Trees of unlabelled images in any format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::names::is_of_labels;
use super::{Case, Result, entries, file_name, formats, insert, not_empty};
use crate::data::error::DataError;
use crate::data::formats::Scan;

/// Every scan below `roots`, named by its path from there, but for what is called like label maps and what a
/// pattern of `exclude` fits, and what the user should know of these.
pub(super) fn find(roots: &[PathBuf], exclude: &[String]) -> Result<(Vec<Case>, Vec<String>)> {
    let mut tree = Tree::new(roots, exclude)?;
    let mut files = BTreeMap::new();
    for root in roots {
        let mut found = BTreeMap::new();
        let is_in_another = tree.has_entered(root);
        tree.walk(root, &file_name(root), "", &mut found)?;
        if !is_in_another {
            not_empty(root, "images in a known format", &found)?;
        }
        for (name, path) in found {
            let name = match roots.len() {
                1 => name,
                _ => format!("{}/{name}", file_name(root)),
            };
            insert(root, &mut files, name, path)?;
        }
    }
    let case = |(name, path)| Case {
        name,
        image: Scan::File(path),
        label: None,
    };
    Ok((files.into_iter().map(case).collect(), tree.warnings()))
}

/// What is known of the folders while they are walked.
struct Tree<'a> {
    exclude: &'a [String],
    patterns: GlobSet,
    /// The patterns that fitted something.
    used: BTreeSet<usize>,
    /// Folders as they are without links: each is entered once.
    entered: BTreeSet<PathBuf>,
    /// Files and folders that are called like label maps.
    labels: Vec<PathBuf>,
}

impl<'a> Tree<'a> {
    fn new(roots: &[PathBuf], exclude: &'a [String]) -> Result<Self> {
        let root = roots.first().map_or(Path::new(""), PathBuf::as_path);
        let failed = |e: globset::Error| DataError::dataset(root, format!("exclude: {e}"));
        let mut patterns = GlobSetBuilder::new();
        for pattern in exclude {
            patterns.add(glob(pattern).map_err(failed)?);
        }
        Ok(Self {
            exclude,
            patterns: patterns.build().map_err(failed)?,
            used: BTreeSet::new(),
            entered: BTreeSet::new(),
            labels: Vec::new(),
        })
    }

    fn has_entered(&self, folder: &Path) -> bool {
        let identity = folder.canonicalize();
        identity.is_ok_and(|identity| self.entered.contains(&identity))
    }

    /// The DICOM slices of a folder are one scan, called `name`; what else lies in it is found besides.
    fn walk(
        &mut self,
        folder: &Path,
        name: &str,
        prefix: &str,
        files: &mut BTreeMap<String, PathBuf>,
    ) -> Result<()> {
        let identity = folder.canonicalize();
        let identity = identity.map_err(|e| DataError::io(folder, "list", e))?;
        if !self.entered.insert(identity) {
            return Ok(());
        }
        if formats::holds_slices(folder) {
            insert(folder, files, name.to_owned(), folder.to_owned())?;
        }
        for path in entries(folder)? {
            let file = file_name(&path);
            let is_folder = path.is_dir();
            let stem = match is_folder {
                true => Some(file.as_str()).filter(|file| !file.starts_with('.')),
                false => formats::stem(&file),
            };
            let Some(stem) = stem.filter(|_| !self.is_excluded(&format!("{prefix}{file}"))) else {
                continue;
            };
            if is_of_labels(stem) || file.to_lowercase().contains(".seg.") {
                self.labels.push(path);
                continue;
            }
            let name = format!("{prefix}{stem}");
            match is_folder {
                true => self.walk(&path, &name, &format!("{name}/"), files)?,
                false => insert(folder, files, name, path)?,
            }
        }
        Ok(())
    }

    /// Whether a pattern fits a path from the root.
    fn is_excluded(&mut self, path: &str) -> bool {
        let fitting = self.patterns.matches(path);
        self.used.extend(&fitting);
        !fitting.is_empty()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(first) = self.labels.first() {
            warnings.push(format!(
                "{} files or folders are called like label maps and left out, such as {}",
                self.labels.len(),
                first.display()
            ));
        }
        let unused = (0..self.exclude.len()).filter(|index| !self.used.contains(index));
        warnings.extend(unused.map(|index| {
            let pattern = &self.exclude[index];
            format!("exclude: `{pattern}` fits no file or folder")
        }));
        warnings
    }
}

/// As in `.gitignore`: a pattern without `/` fits names at any depth, others fit paths from the root.
fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    let path = pattern.trim_end_matches('/');
    let anywhere = match path.contains('/') {
        true => path.trim_start_matches('/').to_owned(),
        false => format!("**/{path}"),
    };
    GlobBuilder::new(&anywhere).literal_separator(true).build()
}
