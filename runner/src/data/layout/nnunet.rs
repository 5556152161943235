//! nnU-Net's raw datasets: `dataset.json`, `imagesTr/NAME_CCCC` for each channel, `labelsTr/NAME`.
//! The Medical Segmentation Decathlon's folders are its first version: `imagesTr/NAME`, with the channels
//! along a fourth axis.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::names::pair;
use super::{Case, Result, known_files};
use crate::data::error::DataError;
use crate::data::formats::Scan;
use crate::text_file;

/// What is read of `dataset.json`.
#[derive(Deserialize)]
struct Description {
    /// Value by name, or in the first version name by value.
    labels: BTreeMap<String, Value>,
}

/// What `dataset.json` says of the channels.
#[derive(Deserialize)]
struct Channels {
    /// Name by number, in the first version as `modality`.
    #[serde(alias = "modality")]
    channel_names: BTreeMap<String, String>,
}

/// Names of the channels 0, 1, …; none where `dataset.json` does not tell.
pub fn channel_names(root: &Path) -> Vec<String> {
    let text = text_file::read(&root.join("dataset.json")).unwrap_or_default();
    let Ok(channels) = serde_json::from_str::<Channels>(&text) else {
        return Vec::new();
    };
    let name = |number: usize| channels.channel_names.get(&number.to_string()).cloned();
    (0..).map_while(name).collect()
}

/// nnU-Net's name of the value of voxels that are not annotated.
const IGNORE: &str = "ignore";

/// Most channels; real scans have a handful. Higher numbers are part of a name.
const MAX_CHANNELS: usize = 100;

pub(super) fn find(root: &Path, channel: usize, classes: &[String]) -> Result<Vec<Case>> {
    let description = root.join("dataset.json");
    let described = described_classes(&description)?;
    let is_same = |(ours, theirs): (&String, &String)| ours.eq_ignore_ascii_case(theirs);
    if described.len() != classes.len() || !classes.iter().zip(&described).all(is_same) {
        let problem = format!("has the classes {described:?}, the pipeline {classes:?}");
        return Err(DataError::content(&description, problem));
    }
    let labels = known_files(&root.join("labelsTr"))?;
    let folder = root.join("imagesTr");
    let files = known_files(&folder)?;
    // An image that is called like a label is that case; only else are four digits a channel.
    let has_channels = !files.keys().any(|stem| labels.contains_key(stem))
        && files
            .keys()
            .any(|stem| numbered(stem).is_some_and(|(name, _)| labels.contains_key(name)));
    let images = of_channel(&folder, files, channel, has_channels)?;
    pair(root, images, labels)
}

/// The scans of a folder such as `imagesTs`, which has no labels to tell channels from names: names end in
/// a channel if all do so, each with channel 0 among them or all with the one that is asked for.
pub(super) fn scans(folder: &Path, channel: usize) -> Result<BTreeMap<String, Scan>> {
    let files = known_files(folder)?;
    let all: Option<Vec<(&str, usize)>> = files.keys().map(|stem| numbered(stem)).collect();
    let has_channels = all.is_some_and(|all| {
        let first = |name: &str| files.contains_key(&format!("{name}_0000"));
        let are_channels = |(name, number): &(&str, usize)| *number < MAX_CHANNELS && first(name);
        all.iter().all(|(_, number)| *number == channel) || all.iter().all(are_channels)
    });
    of_channel(folder, files, channel, has_channels)
}

/// The scans of one channel by their names.
fn of_channel(
    folder: &Path,
    files: BTreeMap<String, PathBuf>,
    channel: usize,
    has_channels: bool,
) -> Result<BTreeMap<String, Scan>> {
    let mut scans = BTreeMap::new();
    let mut lacking: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (stem, path) in files {
        let (name, number) = match numbered(&stem).filter(|_| has_channels) {
            Some((name, number)) => (name.to_owned(), number),
            None => (stem, channel),
        };
        match number == channel {
            true => drop(scans.insert(name, Scan::Channel(path, channel))),
            false => drop(lacking.insert(name, path)),
        }
    }
    lacking.retain(|name, _| !scans.contains_key(name));
    if let Some((name, path)) = lacking.first_key_value() {
        let problem = format!(
            "holds no image of channel {channel} for {} of its scans, such as {name}_{channel:04}.nii.gz beside \
             {}; check `channel` and the path",
            lacking.len(),
            super::file_name(path)
        );
        return Err(DataError::dataset(folder, problem));
    }
    Ok(scans)
}

/// `NAME` of `NAME_CCCC`, if that is the channel; the whole name else.
pub(super) fn without_channel(stem: &str, channel: usize) -> &str {
    match numbered(stem) {
        Some((name, number)) if number == channel && !name.is_empty() => name,
        _ => stem,
    }
}

/// `NAME` and `CCCC` of `NAME_CCCC`.
pub(crate) fn numbered(stem: &str) -> Option<(&str, usize)> {
    let (name, number) = stem.rsplit_once('_')?;
    let is_channel = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit());
    Some((name, number.parse().ok().filter(|_| is_channel)?))
}

/// Names of the classes 1, 2, ….
fn described_classes(path: &Path) -> Result<Vec<String>> {
    let text = text_file::read(path).map_err(|e| DataError::io(path, "read", e))?;
    let refused = |problem: String| DataError::content(path, problem);
    let description: Description = serde_json::from_str(&text)
        .map_err(|e| refused(format!("is not nnU-Net's description of a dataset: {e}")))?;
    let mut names = BTreeMap::new();
    for (key, value) in description.labels {
        let (number, name) = match (&value, key.parse::<u64>()) {
            (Value::Number(number), _) => (number.as_u64(), key),
            (Value::String(text), Ok(number)) => (Some(number), text.clone()),
            (Value::String(number), Err(_)) => (number.parse().ok(), key),
            _ => (None, key),
        };
        let Some(number) = number else {
            let problem = format!(
                "label {name} is {value}, not one whole number; regions are not read, list their parts"
            );
            return Err(refused(problem));
        };
        if name.eq_ignore_ascii_case(IGNORE) {
            let problem = format!(
                "label {number}, `{name}`, marks voxels that are not annotated, which can be left out neither of \
                 the loss nor of the scores: they would be learned as a class. Annotate them, or cut them off \
                 both images and labels, and take `{name}` out of the labels"
            );
            return Err(refused(problem));
        }
        names.insert(number, name);
    }
    names.remove(&0);
    let expected = 1..=names.len() as u64;
    if names.is_empty() || !names.keys().copied().eq(expected) {
        let found: Vec<String> = names.keys().map(u64::to_string).collect();
        let problem = format!(
            "the labels have the values [{}], not 1, 2, … without a gap",
            found.join(", ")
        );
        return Err(refused(problem));
    }
    Ok(names.into_values().collect())
}
