//! Files that `torch.load` reads, `weights_only=True` included.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Error, Result, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::weights::replace::replace;
use crate::{Data, Tensor};

/// Bytes between which `torch.save` aligns storages.
const ALIGNMENT: u16 = 64;
/// Archives with more bytes need the zip format's 64-bit fields.
const LARGE: usize = 1 << 31;

/// A value in a file for PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i32),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Item<'a>>),
    /// A dictionary with string keys.
    Dict(Vec<(String, Item<'a>)>),
    /// A state dict.
    Tensors(&'a BTreeMap<String, Tensor>),
}

/// Writes `root` as `torch.save` does since PyTorch 1.6. f32 stays; u32 becomes int64.
///
/// # Errors
/// A folder that cannot be written, or a full disk.
pub fn write_torch(path: &Path, root: &Item<'_>) -> crate::Result<()> {
    replace(path, |temporary| write(temporary, root))
}

fn write(path: &Path, root: &Item<'_>) -> Result<()> {
    let mut pickle = Writer::default();
    pickle.bytes.extend([0x80, 2]);
    pickle.item(root)?;
    pickle.bytes.push(b'.');
    let mut archive = ZipWriter::new(BufWriter::new(File::create(path)?));
    let total: usize = pickle
        .storages
        .iter()
        .map(|tensor| tensor.bytes().len())
        .sum();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(ALIGNMENT)
        .large_file(total > LARGE);
    let mut record = |name: &str, bytes: &[u8]| {
        archive.start_file(format!("archive/{name}"), options)?;
        archive.write_all(bytes)
    };
    record("data.pkl", &pickle.bytes)?;
    record("byteorder", b"little")?;
    for (key, tensor) in pickle.storages.iter().enumerate() {
        let name = format!("data/{key}");
        match &tensor.data {
            Data::F32(_) => record(&name, tensor.bytes())?,
            Data::U32(x) => {
                let wide: Vec<u8> = x.iter().flat_map(|&x| i64::from(x).to_le_bytes()).collect();
                record(&name, &wide)?;
            }
        }
    }
    record("version", b"3\n")?;
    let file = archive.finish().map_err(Error::other)?;
    file.into_inner().map_err(|e| e.into_error())?.sync_all()
}

#[derive(Default)]
struct Writer<'a> {
    bytes: Vec<u8>,
    storages: Vec<&'a Tensor>,
}

impl<'a> Writer<'a> {
    fn item(&mut self, item: &Item<'a>) -> Result<()> {
        match item {
            Item::Bool(x) => self.bytes.push(if *x { 0x88 } else { 0x89 }),
            Item::Int(x) => self.int(*x),
            Item::Text(text) => self.text(text)?,
            Item::List(items) => {
                self.bytes.extend(b"](");
                for item in items {
                    self.item(item)?;
                }
                self.bytes.push(b'e');
            }
            Item::Dict(items) => {
                self.bytes.extend(b"}(");
                for (key, item) in items {
                    self.text(key)?;
                    self.item(item)?;
                }
                self.bytes.push(b'u');
            }
            Item::Tensors(tensors) => {
                self.bytes.extend(b"}(");
                for (name, tensor) in *tensors {
                    self.text(name)?;
                    self.tensor(tensor)?;
                }
                self.bytes.push(b'u');
            }
        }
        Ok(())
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
    fn tensor(&mut self, tensor: &'a Tensor) -> Result<()> {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.bytes.extend(b"((");
        self.text("storage")?;
        let class = match tensor.data {
            Data::F32(_) => "FloatStorage",
            Data::U32(_) => "LongStorage",
        };
        self.global("torch", class);
        self.text(&self.storages.len().to_string())?;
        self.text("cpu")?;
        self.extent(tensor.len())?;
        self.bytes.extend(b"tQ");
        self.storages.push(tensor);
        self.int(0);
        self.extents(&tensor.shape)?;
        let mut strides = vec![1; tensor.shape.len()];
        for axis in (1..tensor.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * tensor.shape[axis];
        }
        self.extents(&strides)?;
        self.bytes.push(0x89);
        self.global("collections", "OrderedDict");
        self.bytes.extend(b")RtR");
        Ok(())
    }

    fn extents(&mut self, extents: &[usize]) -> Result<()> {
        self.bytes.push(b'(');
        for &extent in extents {
            self.extent(extent)?;
        }
        self.bytes.push(b't');
        Ok(())
    }

    fn extent(&mut self, extent: usize) -> Result<()> {
        let extent = i32::try_from(extent).map_err(|_| Error::other("a tensor is too large"))?;
        self.int(extent);
        Ok(())
    }

    fn int(&mut self, x: i32) {
        self.bytes.push(b'J');
        self.bytes.extend(x.to_le_bytes());
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let length = u32::try_from(text.len()).map_err(|_| Error::other("a text is too long"))?;
        self.bytes.push(b'X');
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text.as_bytes());
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) {
        self.bytes.extend(format!("c{module}\n{name}\n").as_bytes());
    }
}
