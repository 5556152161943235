//! The values that a pickle makes.

use crate::weights::element::Element;

/// Number of a value in [`Pickle::objects`]. Values refer to each other by number, so that neither
/// cycles nor deep nesting can hurt.
pub(super) type Id = usize;

/// A value.
#[derive(Debug)]
pub(super) enum Object {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Bytes, sets and large integers, which no state dict needs.
    Opaque,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(View),
}

/// What a pickle says.
#[derive(Debug)]
pub(super) struct Pickle {
    pub objects: Vec<Object>,
    pub root: Id,
}

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Size,
    /// A class of storage, and its elements if they are supported.
    Storage(Option<Element>),
}

/// A run of elements in the file.
#[derive(Debug)]
pub(super) struct Storage {
    /// Not there when the type is not supported.
    pub(super) element: Option<Element>,
    /// Its key, a text.
    pub(super) key: Id,
    /// Number of elements.
    pub(super) elements: u64,
}

/// A tensor: a strided part of a storage.
#[derive(Debug)]
pub(super) struct View {
    /// A [`Storage`].
    pub(super) storage: Id,
    /// First element.
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}
