//! nnU-Net's raw datasets: `dataset.json`, `imagesTr/NAME_CCCC` for each channel, `labelsTr/NAME`.
//! The Medical Segmentation Decathlon's folders are its first version.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Case, Result, pair, scans};
use crate::data::error::DataError;

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
    let text = std::fs::read_to_string(root.join("dataset.json")).unwrap_or_default();
    let Ok(channels) = serde_json::from_str::<Channels>(&text) else {
        return Vec::new();
    };
    let name = |number: usize| channels.channel_names.get(&number.to_string()).cloned();
    (0..).map_while(name).collect()
}

pub(super) fn find(root: &Path, channel: usize, classes: &[String]) -> Result<Vec<Case>> {
    let description = root.join("dataset.json");
    let described = described_classes(&description)?;
    if described != classes {
        let problem = format!("has the classes {described:?}, the pipeline {classes:?}");
        return Err(DataError::content(&description, problem));
    }
    let suffix = format!("_{channel:04}");
    let has_channel = |stem: &str| {
        let number = stem.rsplit_once('_').map(|(_, number)| number);
        number.is_some_and(|n| n.len() == 4 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let image = |stem: &str| match stem.strip_suffix(&suffix) {
        Some(name) => Some(name.to_owned()),
        None => (channel == 0 && !has_channel(stem)).then(|| stem.to_owned()),
    };
    let (images, labels) = (root.join("imagesTr"), root.join("labelsTr"));
    let wanted = format!("images of channel {channel}, such as NAME{suffix}.nii.gz");
    let images = scans(&images, &wanted, image)?;
    let labels = scans(&labels, "label files", |stem| Some(stem.to_owned()))?;
    pair(root, images, labels)
}

/// Names of the classes 1, 2, ….
fn described_classes(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|e| DataError::io(path, "read", e))?;
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
