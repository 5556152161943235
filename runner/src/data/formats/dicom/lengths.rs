//! Lengths that a damaged file claims. The parser makes room for a value before it reads it, so a file with a
//! value longer than itself is refused before it is parsed; and so is one with a part of a number, which the
//! parser leaves unread and takes for the next element.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use dicom_object::Tag;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::{TransferSyntax, TransferSyntaxIndex, TransferSyntaxRegistry};

use super::file::Start;
use crate::data::error::{DataError, Result};

/// The element that says how the data set is encoded.
const TRANSFER_SYNTAX: Tag = Tag(2, 0x10);
/// Representations whose length has 16 bits; that of others, known or not, has 32.
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

/// Fails where an element claims a value longer than the file, or a part of a number. What is wrong otherwise
/// is left to the parser, and deflated data sets are not looked into.
pub(super) fn check(path: &Path, start: Start) -> Result<()> {
    let failed = |e| DataError::io(path, "read", e);
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let too_long = |(tag, length): (Tag, u64)| {
        let problem = format!(
            "element {tag} claims {length} bytes, the file has {size}: truncated or damaged; copy it again"
        );
        DataError::content(path, problem)
    };
    let mut file = BufReader::new(file);
    let meta = match start.before_meta() {
        Ok(bytes) => meta(&mut file, bytes, size),
        Err(syntax) => Ok(Meta::Syntax(syntax.into())),
    };
    // A file that ends here is the parser's to refuse.
    let Ok(meta) = meta else {
        return Ok(());
    };
    let syntax = match meta {
        Meta::TooLong(tag, length) => return Err(too_long((tag, length))),
        Meta::Syntax(uid) => uid,
    };
    let syntax = TransferSyntaxRegistry.get(syntax.trim_end_matches(['\0', ' ']));
    let plain = |s: &&TransferSyntax| s.is_codec_free() || s.is_encapsulated_pixel_data();
    let Some(syntax) = syntax.filter(plain) else {
        return Ok(());
    };
    let Ok(mut reader) = LazyDataSetReader::new_with_ts(file, syntax) else {
        return Ok(());
    };
    while let Some(Ok(token)) = reader.advance() {
        let (tag, length, number) = match &token {
            LazyDataToken::LazyValue { header, .. } => {
                let number = number_bytes(&header.vr.to_bytes());
                (header.tag, header.len.0, number)
            }
            LazyDataToken::LazyItemValue { len, .. } => (Tag(0xfffe, 0xe000), *len, 1),
            _ => continue,
        };
        if u64::from(length) > size {
            return Err(too_long((tag, length.into())));
        }
        if !length.is_multiple_of(number) {
            let problem = format!(
                "element {tag} claims {length} bytes of numbers of {number} bytes: damaged; copy it again"
            );
            return Err(DataError::content(path, problem));
        }
        if token.skip().is_err() {
            break;
        }
    }
    Ok(())
}

/// Bytes of each number of a value representation; 1 for text and bytes.
fn number_bytes(vr: &[u8; 2]) -> u32 {
    match vr {
        b"US" | b"SS" | b"OW" => 2,
        b"AT" | b"FL" | b"OF" | b"OL" | b"SL" | b"UL" => 4,
        b"FD" | b"OD" | b"OV" | b"SV" | b"UV" => 8,
        _ => 1,
    }
}

enum Meta {
    /// The transfer syntax; the data set follows.
    Syntax(String),
    /// An element that claims more bytes than the file has.
    TooLong(Tag, u64),
}

/// Walks over the file meta information, which is always explicit little endian, as far as its first element
/// says that it goes.
fn meta(file: &mut (impl Read + Seek), start: u64, size: u64) -> io::Result<Meta> {
    let mut first = [0; 12];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut first)?;
    let [.., a, b, c, d] = first;
    let end = start + first.len() as u64 + u64::from(u32::from_le_bytes([a, b, c, d]));
    let mut syntax = String::new();
    while file.stream_position()? < end {
        let mut header = [0; 8];
        file.read_exact(&mut header)?;
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let tag = Tag(half(0), half(2));
        let length = match SHORT.contains(&&[header[4], header[5]]) {
            true => u64::from(half(6)),
            false => {
                let mut length = [0; 4];
                file.read_exact(&mut length)?;
                u64::from(u32::from_le_bytes(length))
            }
        };
        if length > size {
            return Ok(Meta::TooLong(tag, length));
        }
        if tag == TRANSFER_SYNTAX {
            let mut value = vec![0; length as usize];
            file.read_exact(&mut value)?;
            syntax = String::from_utf8_lossy(&value).into_owned();
        } else {
            file.seek(SeekFrom::Current(length as i64))?;
        }
    }
    Ok(Meta::Syntax(syntax))
}
