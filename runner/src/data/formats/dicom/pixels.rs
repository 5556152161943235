//! The stored pixels of a slice. The DICOM library leaves JPEG 2000 and JPEG-LS to libraries in C and C++; here they
//! are decoded in Rust.

use std::borrow::Cow;
use std::error::Error;

use dicom_object::DefaultDicomObject;
use dicom_pixeldata::PixelDecoder;
use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::jpeg_ls;
use super::slice::PIXEL_DATA;
use crate::data::formats::payload::MAX_DEFLATE_RATIO;

/// JPEG 2000, lossless and lossy.
const JPEG_2000: [&str; 2] = ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"];
/// JPEG-LS, lossless and near-lossless.
const JPEG_LS: [&str; 2] = ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"];
const RLE: &str = "1.2.840.10008.1.2.5";
/// An RLE frame begins with the number of its segments (DICOM PS3.5, G.5).
const MOST_SEGMENTS: u32 = 15;

/// The pixels of the only frame of `width`×`height`, each of so many `bytes`, the least significant first.
pub(super) fn decode(
    object: &DefaultDicomObject,
    (width, height): (usize, usize),
    bytes: usize,
) -> Result<Vec<u8>, Box<dyn Error>> {
    let syntax = object.meta().transfer_syntax();
    let frame = || frame(object, width * height);
    let samples: Vec<i32> = if JPEG_2000.contains(&syntax) {
        jpeg_2000(&frame()?, width, height)?
    } else if JPEG_LS.contains(&syntax) {
        let samples = jpeg_ls::decode(&frame()?, width, height)?;
        samples.into_iter().map(i32::from).collect()
    } else {
        if syntax == RLE {
            check_segments(&frame()?)?;
        }
        return Ok(object.decode_pixel_data()?.data().to_vec());
    };
    let bytes_of = |sample: i32| sample.to_le_bytes().into_iter().take(bytes);
    Ok(samples.into_iter().flat_map(bytes_of).collect())
}

/// Fails where an RLE frame claims more segments than there can be: the library makes room for all of them.
fn check_segments(frame: &[u8]) -> Result<(), Box<dyn Error>> {
    let segments = frame.first_chunk().map(|n| u32::from_le_bytes(*n));
    match segments {
        Some(..=MOST_SEGMENTS) => Ok(()),
        _ => Err(format!("RLE with more than the {MOST_SEGMENTS} segments there can be").into()),
    }
}

/// The encoded frame, which may lie in pieces.
fn frame(object: &DefaultDicomObject, pixels: usize) -> Result<Cow<'_, [u8]>, Box<dyn Error>> {
    let fragments = object.element(PIXEL_DATA)?.value().fragments();
    let frame = match fragments.ok_or("no compressed pixels, as the transfer syntax says")? {
        [whole] => Cow::Borrowed(whole.as_slice()),
        pieces => Cow::Owned(pieces.concat()),
    };
    // Empty slices become very small.
    if pixels as u64 > (1 << 20) + MAX_DEFLATE_RATIO * frame.len() as u64 {
        return Err("fewer bytes than so many pixels need".into());
    }
    Ok(frame)
}

fn jpeg_2000(data: &[u8], width: usize, height: usize) -> Result<Vec<i32>, Box<dyn Error>> {
    let image = Image::new(data, &DecodeSettings::default())?;
    if [image.width() as usize, image.height() as usize] != [width, height] {
        return Err("a JPEG 2000 picture of another size than the image's".into());
    }
    let mut context = DecoderContext::default();
    let picture = image.decode(&mut context)?;
    let [grey] = picture.components() else {
        return Err("a JPEG 2000 picture of several components; grey images are read".into());
    };
    // The decoder brings signed samples into the range of unsigned ones.
    let shift = match is_signed(data) {
        true => 1 << (grey.bit_depth() - 1),
        false => 0,
    };
    let samples = grey.samples().iter();
    Ok(samples.map(|s| s.round() as i32 - shift).collect())
}

/// Whether the first component is signed, as the codestream's SIZ marker segment says, which comes first
/// (ISO/IEC 15444-1, A.5.1).
fn is_signed(data: &[u8]) -> bool {
    const START: &[u8] = b"\xff\x4f\xff\x51";
    const DEPTH: usize = 42;
    let mut places = data.windows(START.len());
    let start = places.position(|place| place == START);
    start.is_some_and(|start| {
        data.get(start + DEPTH)
            .is_some_and(|depth| depth & 0x80 != 0)
    })
}
