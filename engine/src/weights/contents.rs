//! What the header of a weight file says, whatever its format.

use std::collections::BTreeMap;
use std::ops::Range;

use super::element::Element;

/// A tensor's place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Element type in the file.
    pub element: Element,
    /// Elements between neighbours along each axis, unless the tensor is dense and row-major.
    pub(super) strides: Option<Vec<usize>>,
    /// From the first to the last of its elements.
    pub(super) bytes: Range<u64>,
}

/// What the header of a file says.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub entries: BTreeMap<String, Entry>,
    pub metadata: BTreeMap<String, String>,
}

impl Entry {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
