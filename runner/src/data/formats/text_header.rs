//! What NRRD's and MetaImage's headers have in common: lines of text that give names a value.

use std::collections::BTreeMap;
use std::io::{BufRead, Take};
use std::path::Path;
use std::str::FromStr;

use super::channels::{Channels, Order};
use super::checked_shape;
use crate::data::error::{DataError, Result};
use crate::text_file::without_mark;

/// Longest header read; real ones are far below it.
const MAX_BYTES: u64 = 1 << 20;

/// Signs that take left, posterior and superior to right, anterior and superior, and back.
pub(super) const LPS: [f64; 3] = [-1.0, -1.0, 1.0];

/// The lines of a header. What follows the last that is asked for is not read.
pub(super) struct Lines<'a, R> {
    path: &'a Path,
    reader: Take<R>,
    is_first: bool,
}

impl<'a, R: BufRead> Lines<'a, R> {
    /// Of the file at `path`.
    pub(super) fn new(path: &'a Path, reader: R) -> Self {
        Self {
            path,
            reader: reader.take(MAX_BYTES),
            is_first: true,
        }
    }

    /// The next line without its end; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<String>> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line);
        let read = read.map_err(|e| DataError::io(self.path, "read", e))?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        let text = match std::mem::take(&mut self.is_first) {
            true => without_mark(text),
            false => text,
        };
        Ok((read > 0).then(|| text.to_owned()))
    }
}

/// A header's values by name.
pub(super) struct TextHeader<'a> {
    path: &'a Path,
    values: BTreeMap<String, String>,
}

impl<'a> TextHeader<'a> {
    /// The header of a file, as yet without values.
    pub(super) fn new(path: &'a Path) -> Self {
        Self {
            path,
            values: BTreeMap::new(),
        }
    }

    /// Adds a value.
    pub(super) fn insert(&mut self, name: &str, value: &str) {
        self.values.insert(name.trim().into(), value.trim().into());
    }

    /// The value of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The error of a value that cannot be used.
    pub(super) fn refuse(&self, name: &'static str, problem: impl Into<String>) -> DataError {
        DataError::header(self.path, name, problem)
    }

    /// Numbers between spaces; none without a value.
    pub(super) fn numbers<T: FromStr>(&self, name: &'static str) -> Result<Vec<T>> {
        let text = self.get(name).unwrap_or_default();
        let numbers: Option<Vec<T>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
        numbers.ok_or_else(|| self.refuse(name, format!("`{text}` is not a list of numbers")))
    }

    /// One number, if there is a value.
    pub(super) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>> {
        let mut numbers = self.numbers(name)?;
        match (numbers.pop(), numbers.len()) {
            (found, 0) => Ok(found),
            _ => Err(self.refuse(name, "is not one number")),
        }
    }

    /// So many values in each voxel.
    pub(super) fn channels(
        &self,
        field: &'static str,
        count: u64,
        order: Order,
    ) -> Result<Channels> {
        let count = usize::try_from(count).ok().filter(|count| *count > 0);
        let count = count.ok_or_else(|| self.refuse(field, "no values in a voxel"))?;
        Ok(Channels {
            count,
            order,
            field,
        })
    }

    /// The shape of a slice or volume of these extents along its axes.
    pub(super) fn shape(&self, name: &'static str, extents: &[u64]) -> Result<[usize; 3]> {
        let shape = match *extents {
            [x, y] => [x, y, 1],
            [x, y, z] => [x, y, z],
            _ => {
                let problem = format!(
                    "{extents:?} is not a slice or a volume; split it into volumes of one value each"
                );
                return Err(self.refuse(name, problem));
            }
        };
        checked_shape(shape).ok_or_else(|| {
            self.refuse(
                name,
                format!("{extents:?} is empty or more than a scan has"),
            )
        })
    }
}
