//! NumPy's `.npy` files of little-endian f32 in C order. The header is one line of text in a fixed form;
//! crates that read all forms of it need a parser generator and a C compiler.
//!
//! Source: `numpy/lib/format.py`, versions 1 to 3.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use samora_engine::Tensor;

use super::error::{DataError, Result};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header read; NumPy's own are far below it.
const MAX_HEADER: u32 = 1 << 16;

/// Reads an array of exactly this shape.
///
/// # Errors
/// A file that cannot be read, is no `.npy` file, or holds another type, order or shape.
pub fn read(path: &Path, shape: &[usize]) -> Result<Tensor> {
    let io = |e| DataError::io(path, "read", e);
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let header = header(&mut file).map_err(|problem| DataError::content(path, problem))?;
    let wanted = dictionary(shape);
    let squeezed = |text: &str| text.replace(char::is_whitespace, "");
    if squeezed(&header) != squeezed(&wanted) {
        let problem = format!(
            "holds {}, not {wanted}; save it with \
             np.save(path, np.ascontiguousarray(x, dtype=\"<f4\"))",
            header.trim()
        );
        return Err(DataError::content(path, problem));
    }
    let mut bytes = vec![0; 4 * shape.iter().product::<usize>()];
    file.read_exact(&mut bytes).map_err(|_| {
        let problem =
            format!("ends before the {shape:?} numbers its header promises; save it again");
        DataError::content(path, problem)
    })?;
    let words = bytes.as_chunks::<4>().0;
    let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
    Ok(Tensor::f32(shape, values))
}

/// Writes an f32 tensor.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, tensor: &Tensor) -> Result<()> {
    let mut header = dictionary(&tensor.shape);
    // The numbers begin at a multiple of 64 bytes, after a line feed.
    let before = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(
        ' ',
        before.next_multiple_of(64) - before,
    ));
    header.push('\n');
    let mut bytes = [MAGIC, &[1, 0]].concat();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(tensor.as_f32().iter().flat_map(|x| x.to_le_bytes()));
    std::fs::write(path, bytes).map_err(|e| DataError::io(path, "write", e))
}

/// What a header says of such an array, as NumPy writes it.
fn dictionary(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}{comma}), }}",
        extents.join(", ")
    )
}

/// The header's text; the reader is then at the numbers.
fn header(file: &mut impl Read) -> Result<String, String> {
    let mut start = [0; 8];
    let mut length = [0; 4];
    let not_npy = |_| "is not a NumPy .npy file".to_string();
    file.read_exact(&mut start).map_err(not_npy)?;
    if !start.starts_with(MAGIC) {
        return Err("is not a NumPy .npy file".into());
    }
    let short = if start[6] == 1 { 2 } else { 4 };
    file.read_exact(&mut length[..short]).map_err(not_npy)?;
    let length = u32::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(format!("claims a header of {length} bytes; save it again"));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(not_npy)?;
    String::from_utf8(text).map_err(|_| "has a header that is no text; save it again".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn arrays_return_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let tensor = Tensor::f32(&[1, 2, 3], vec![0.0, 1.5, -2.0, 3.0, 4.0, 5.0]);
        write(&path, &tensor).unwrap();
        assert_eq!(read(&path, &[1, 2, 3]).unwrap(), tensor);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 128 + 24);
        assert_eq!(bytes[127], b'\n');

        let refused = |shape: &[usize]| read(&path, shape).unwrap_err().to_string();
        assert!(refused(&[1, 3, 2]).contains("'shape': (1, 3, 2)"));
        std::fs::write(&path, &bytes[..140]).unwrap();
        assert!(refused(&[1, 2, 3]).contains("ends before"));
        std::fs::write(&path, b"\x93NUMPY\x02\0\xff\xff\xff\xff").unwrap();
        assert!(refused(&[1, 2, 3]).contains("claims a header"));
        std::fs::write(&path, "text").unwrap();
        assert!(refused(&[1, 2, 3]).contains("not a NumPy"));
    }
}
