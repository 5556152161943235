//! TIFF files: grey pages of one size and type.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::{Grey, unreadable};
use crate::data::error::{DataError, Result};
use crate::data::formats::Role;
use crate::data::formats::raw::Scalar;

type Pages = Decoder<BufReader<File>>;

/// PhotometricInterpretation of pixels that are numbers of colours.
const PALETTE: u16 = 3;

/// Columns, rows and pages; `None` of other formats.
pub(super) fn shape(path: &Path) -> Result<Option<[u32; 3]>> {
    let Some(mut pages) = open(path)? else {
        return Ok(None);
    };
    let failed = |e| unreadable(path, &e);
    let (width, height) = pages.dimensions().map_err(failed)?;
    let mut count = 1;
    while pages.more_images() {
        pages.next_image().map_err(failed)?;
        count += 1;
        expect_size(path, &mut pages, count, [width, height])?;
    }
    Ok(Some([width, height, count]))
}

/// The pixels; `None` of other formats and of a single page in colours. Pixels of one bit are white, or a label 1.
pub(super) fn read_grey(path: &Path, role: Role) -> Result<Option<Grey>> {
    let Some(shape) = shape(path)? else {
        return Ok(None);
    };
    let Some(mut pages) = open(path)? else {
        return Ok(None);
    };
    let failed = |e| unreadable(path, &e);
    check_description(path, &mut pages, shape[2])?;
    let (mut scalar, mut bytes) = (None, Vec::new());
    for page in 1..=shape[2] {
        if page > 1 {
            pages.next_image().map_err(failed)?;
        }
        let photometric = pages.find_tag_unsigned(Tag::PhotometricInterpretation);
        if photometric.map_err(failed)? == Some(PALETTE) {
            let problem = "is a TIFF with a palette, which is not read; save it as PNG";
            return Err(DataError::content(path, problem));
        }
        let colours = pages.colortype().map_err(failed)?;
        let is_grey = matches!(colours, ColorType::Gray(1 | 8 | 16 | 32 | 64));
        if !is_grey && shape[2] == 1 {
            return Ok(None);
        }
        if !is_grey {
            let problem = format!(
                "has {colours:?} on page {page} of {}; the pages of a volume are grey",
                shape[2]
            );
            return Err(DataError::content(path, problem));
        }
        let pixels = pages.read_image().map_err(failed)?;
        let found = match colours {
            ColorType::Gray(1) => {
                let one = if role == Role::Label { 1 } else { 255 };
                bits(pixels, shape[0] as usize, one, &mut bytes)
            }
            _ => append(pixels, &mut bytes),
        };
        if *scalar.get_or_insert(found) != found {
            let problem = format!("has numbers of another type on page {page} than on the first");
            return Err(DataError::content(path, problem));
        }
    }
    Ok(scalar.map(|scalar| Grey {
        shape,
        scalar,
        bytes,
    }))
}

fn open(path: &Path) -> Result<Option<Pages>> {
    let io = |e| DataError::io(path, "read", e);
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let mut start = [0; 4];
    let is_tiff = match file.read_exact(&mut start) {
        Ok(()) => matches!(&start, b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+"),
        Err(_) => false,
    };
    if !is_tiff {
        return Ok(None);
    }
    file.rewind().map_err(io)?;
    Decoder::new(file)
        .map(Some)
        .map_err(|e| unreadable(path, &e))
}

fn expect_size(path: &Path, pages: &mut Pages, page: u32, [width, height]: [u32; 2]) -> Result<()> {
    let found = pages.dimensions().map_err(|e| unreadable(path, &e))?;
    if found == (width, height) {
        return Ok(());
    }
    let problem = format!(
        "has {width}×{height} pixels on page 1 and {}×{} on page {page}; the pages of a volume are alike, save them \
         apart",
        found.0, found.1
    );
    Err(DataError::content(path, problem))
}

/// Refuses what ImageJ writes otherwise than as one page for each slice.
fn check_description(path: &Path, pages: &mut Pages, count: u32) -> Result<()> {
    let description = pages.get_tag_ascii_string(Tag::ImageDescription);
    let description = description.unwrap_or_default();
    if !description.starts_with("ImageJ=") {
        return Ok(());
    }
    let number = |key: &str| -> u32 {
        let mut values = description.lines().filter_map(|line| line.split_once('='));
        let value =
            values.find_map(|(name, value)| (name == key).then(|| value.trim().parse().ok()));
        value.flatten().unwrap_or(1)
    };
    let [images, channels, frames] = ["images", "channels", "frames"].map(number);
    let problem = match images > count {
        true => format!(
            "has {count} pages for {images} slices, as ImageJ writes large stacks; save it as NRRD"
        ),
        false if channels > 1 || frames > 1 => {
            format!(
                "has slices of {channels} channels and {frames} frames; save one volume of them"
            )
        }
        false => return Ok(()),
    };
    Err(DataError::content(path, problem))
}

/// Appends pixels, the least significant byte first.
fn append(pixels: DecodingResult, bytes: &mut Vec<u8>) -> Scalar {
    macro_rules! append {
        ($($kind:ident as $scalar:ident),*) => {
            match pixels {
                $(DecodingResult::$kind(pixels) => {
                    bytes.extend(pixels.into_iter().flat_map(|pixel| pixel.to_le_bytes()));
                    Scalar::$scalar
                })*
                DecodingResult::F16(pixels) => {
                    bytes.extend(pixels.into_iter().flat_map(|pixel| pixel.to_f32().to_le_bytes()));
                    Scalar::F32
                }
            }
        };
    }
    append!(
        U8 as U8, I8 as I8, U16 as U16, I16 as I16, U32 as U32, I32 as I32, U64 as U64, I64 as I64,
        F32 as F32, F64 as F64
    )
}

/// Appends pixels of one bit, whose rows begin with a byte: 0 or `one`.
fn bits(pixels: DecodingResult, width: usize, one: u8, bytes: &mut Vec<u8>) -> Scalar {
    let mut packed = Vec::new();
    append(pixels, &mut packed);
    for row in packed.chunks_exact(width.div_ceil(8)) {
        let bit = |x: usize| row[x / 8] >> (7 - x % 8) & 1;
        bytes.extend((0..width).map(|x| one * bit(x)));
    }
    Scalar::U8
}
