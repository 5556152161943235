//! The files and folders that a data set's declaration names.

use std::path::{Path, PathBuf};

use super::source::{Labelled, Source, Split};

impl Source {
    /// The paths it names, with the key of each and whether it must be a folder.
    pub fn paths(&self) -> Vec<(&'static str, bool, &Path)> {
        let mut paths: Vec<(&'static str, bool, &Path)> = match self {
            Self::Synapse { root, .. }
            | Self::La { root, .. }
            | Self::Promise12 { root, .. }
            | Self::NnUnet { root, .. } => vec![("root", true, root)],
            Self::Folder { images, labels, .. } => {
                let labels = labels.as_deref().map(|path| ("labels", true, path));
                [("images", true, images.as_path())]
                    .into_iter()
                    .chain(labels)
                    .collect()
            }
            Self::Images { roots, .. } => {
                let roots = roots.iter().map(PathBuf::as_path);
                roots.map(|root| ("roots", true, root)).collect()
            }
        };
        if let Split::Lists { train, test } = self.split() {
            paths.push(("split.train", false, train));
            paths.push(("split.test", false, test));
        }
        if let Labelled::List(list) = self.labelled() {
            paths.push(("labelled", false, list));
        }
        paths
    }

    /// What is wrong with the first path that leads nowhere or to the wrong kind of thing, for the data set
    /// that the pipeline calls `name`.
    pub fn missing(&self, name: &str) -> Option<String> {
        let paths = self.paths().into_iter();
        let mut wrong = paths.filter_map(|(key, folder, path)| {
            let problem = match (folder, path.exists()) {
                (_, true) if path.is_dir() == folder => return None,
                (true, true) => format!("{} is a file, not a folder", path.display()),
                (false, true) => format!("{} is a folder, not a file", path.display()),
                (true, false) => format!("there is no folder {}{}", path.display(), nearest(path)),
                (false, false) => format!("there is no file {}{}", path.display(), nearest(path)),
            };
            Some(format!("data.{name}.{key}: {problem}"))
        });
        wrong.next()
    }
}

/// Up to where a path exists, and what there is called nearly as it goes on.
fn nearest(path: &Path) -> String {
    let exists = |path: &&Path| path.exists() && !path.as_os_str().is_empty();
    let Some(parent) = path.ancestors().skip(1).find(exists) else {
        return String::new();
    };
    let rest = path.strip_prefix(parent).ok();
    let wanted = rest.and_then(|rest| rest.components().next());
    let wanted = wanted.map(|part| part.as_os_str().to_string_lossy().to_lowercase());
    let names = parent.read_dir().into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let scored = names.map(|name| {
        let distance = wanted.as_ref().map_or(usize::MAX, |wanted| {
            strsim::damerau_levenshtein(wanted, &name.to_lowercase())
        });
        (distance, name)
    });
    match scored.min() {
        Some((distance, name)) if distance <= 2 => {
            format!("; {} is there", parent.join(name).display())
        }
        _ => format!("; {} is there, but not what follows", parent.display()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder_of(images: &Path, split: Split) -> Source {
        Source::Folder {
            images: images.to_owned(),
            labels: None,
            classes: vec!["vessel".into()],
            label_map: Default::default(),
            names: None,
            arrays: Default::default(),
            split,
            labelled: Labelled::All,
            intensity: Default::default(),
            slices: Default::default(),
        }
    }

    #[test]
    fn a_missing_path_is_named_with_its_key_and_kind() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        let wrong = |images: &Path, split| folder_of(images, split).missing("scans");
        assert_eq!(wrong(&images, Split::AllTrain), None);

        let text = wrong(&folder.path().join("imges"), Split::AllTrain).unwrap();
        assert!(
            text.starts_with("data.scans.images: there is no folder "),
            "{text}"
        );
        assert!(
            text.ends_with(&format!("; {} is there", images.display())),
            "{text}"
        );

        let list = folder.path().join("train.txt");
        let lists = |train: &Path| Split::Lists {
            train: train.to_owned(),
            test: list.clone(),
        };
        let text = wrong(&images, lists(&list)).unwrap();
        assert!(
            text.starts_with("data.scans.split.train: there is no file "),
            "{text}"
        );
        std::fs::write(&list, "a").unwrap();
        assert_eq!(wrong(&images, lists(&list)), None);
        let text = wrong(&images, lists(&images)).unwrap();
        assert!(text.ends_with("is a folder, not a file"), "{text}");
        let text = wrong(&list, Split::AllTrain).unwrap();
        assert!(text.ends_with("is a file, not a folder"), "{text}");
        let text = wrong(&folder.path().join("far/away"), Split::AllTrain).unwrap();
        assert!(text.contains("is there, but not what follows"), "{text}");
    }
}
