//! The zip archives that `torch.save` writes since PyTorch 1.6: `NAME/data.pkl` and the storages,
//! `NAME/data/KEY`, neither of them compressed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;

use zip::{CompressionMethod, ZipArchive};

use super::pickle;
use super::tensors::contents;
use crate::weights::contents::Contents;

/// Largest pickle read; that of a state dict has about 200 bytes for each tensor.
const MAX_PICKLE: u64 = 64 << 20;

/// Reads the pickle of an archive and finds its storages.
///
/// # Errors
/// An archive that is damaged, ambiguous, big-endian, or no state dict.
pub(in crate::weights) fn zip_contents(file: &File) -> Result<Contents, String> {
    let damaged = |e: zip::result::ZipError| {
        format!("is not a whole zip archive ({e}); download or copy it again")
    };
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let buffered = std::io::BufReader::new(file);
    let mut archive = ZipArchive::new(buffered).map_err(damaged)?;
    if archive.has_duplicate_names() {
        return Err("has two records of the same name".into());
    }
    let mut names = archive.file_names_raw();
    let pickle = names.find(|name| *name == b"data.pkl" || name.ends_with(b"/data.pkl"));
    let pickle = pickle.map(|name| String::from_utf8_lossy(name).into_owned());
    drop(names);
    let pickle = pickle.ok_or("is a zip archive without data.pkl, so not one of torch.save")?;
    let root = pickle.trim_end_matches("data.pkl").to_string();
    if archive
        .index_for_name(&format!("{root}byteorder"))
        .is_some()
        && record(&mut archive, &format!("{root}byteorder"))? == b"big"
    {
        return Err("was written on a big-endian machine; save it on a little-endian one".into());
    }
    let (pickle, _) = pickle::read(&record(&mut archive, &pickle)?)?;
    let mut known: HashMap<String, Range<u64>> = HashMap::new();
    contents(&pickle, |key, _| {
        if let Some(range) = known.get(key) {
            return Ok(range.clone());
        }
        let name = format!("{root}data/{key}");
        let record = archive
            .by_name(&name)
            .map_err(|e| format!("needs the record {name}: {e}"))?;
        if record.compression() != CompressionMethod::Stored || record.encrypted() {
            return Err(format!("is in {name}, which is compressed or encrypted"));
        }
        let start = record.data_start().unwrap_or(u64::MAX);
        let end = start
            .checked_add(record.size())
            .filter(|&end| end <= length);
        let end =
            end.ok_or_else(|| format!("is in {name}, which goes past the end of the file"))?;
        known.insert(key.into(), start..end);
        Ok(start..end)
    })
}

fn record(
    archive: &mut ZipArchive<std::io::BufReader<&File>>,
    name: &str,
) -> Result<Vec<u8>, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("has a damaged record {name}: {e}");
    let record = archive.by_name(name).map_err(|e| damaged(&e))?;
    let mut bytes = Vec::new();
    let read = record.take(MAX_PICKLE + 1).read_to_end(&mut bytes);
    match read {
        Err(e) => Err(damaged(&e)),
        Ok(count) if count as u64 > MAX_PICKLE => Err(format!(
            "has a record {name} of more than {MAX_PICKLE} bytes"
        )),
        Ok(_) => Ok(bytes),
    }
}
