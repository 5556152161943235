//! Pictures with a palette, whose pixels are numbers of colours: label maps often have one so that people see the
//! classes. Pixels of one bit are 0 and 1 likewise, though an image of them is black and white.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use image::ImageDecoder;
use image::codecs::bmp::BmpDecoder;
use png::{BitDepth, ColorType, Transformations};

use super::{Grey, unreadable};
use crate::data::error::{DataError, Result};
use crate::data::formats::payload::MAX_DEFLATE_RATIO;
use crate::data::formats::raw::Scalar;

/// The numbers that a PNG or BMP file stores, if it has a palette or pixels of one bit.
pub(super) fn read_indices(path: &Path) -> Result<Option<Grey>> {
    let io = |e| DataError::io(path, "read", e);
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut file = BufReader::new(file);
    let start = file.fill_buf().map_err(io)?;
    match start {
        [0x89, b'P', b'N', b'G', ..] => png_indices(path, file, size),
        [b'B', b'M', ..] => bmp_indices(path, file),
        _ => Ok(None),
    }
}

fn png_indices(path: &Path, file: BufReader<File>, size: u64) -> Result<Option<Grey>> {
    let failed = |e| unreadable(path, &e);
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(failed)?;
    let (colours, depth) = (reader.info().color_type, reader.info().bit_depth);
    let is_binary = (colours, depth) == (ColorType::Grayscale, BitDepth::One);
    if colours != ColorType::Indexed && !is_binary {
        return Ok(None);
    }
    let room = reader.output_buffer_size();
    let most = size.saturating_mul(MAX_DEFLATE_RATIO);
    let Some(room) = room.filter(|room| *room as u64 <= most) else {
        let problem = "promises more pixels than it can hold; copy it again";
        return Err(DataError::content(path, problem));
    };
    let mut packed = vec![0; room];
    let frame = reader.next_frame(&mut packed).map_err(failed)?;
    let (width, bits) = (frame.width as usize, frame.bit_depth as usize);
    let rows = packed.chunks_exact(frame.line_size.max(1));
    let rows = rows.take(frame.height as usize);
    Ok(Some(Grey {
        shape: [frame.width, frame.height, 1],
        scalar: Scalar::U8,
        bytes: rows
            .flat_map(|row| numbers(row, bits).take(width))
            .collect(),
    }))
}

/// Numbers of `bits` each, the first in the highest bits of a byte.
fn numbers(row: &[u8], bits: usize) -> impl Iterator<Item = u8> {
    let each = 8 / bits;
    (0..row.len() * each).map(move |i| row[i / each] << (bits * (i % each)) >> (8 - bits))
}

fn bmp_indices(path: &Path, mut file: BufReader<File>) -> Result<Option<Grey>> {
    let mut header = [0; 34];
    let read = file.read_exact(&mut header).and_then(|()| file.rewind());
    read.map_err(|e| DataError::io(path, "read", e))?;
    let [bits, compression] = [28, 30].map(|at| header[at]);
    // A header of 12 bytes, OS/2's, has these fields elsewhere; only colours are read of it.
    if header[14] < 40 || bits > 8 {
        return Ok(None);
    }
    if compression != 0 {
        let problem = "is a packed BMP file with a palette; save the label map as PNG";
        return Err(DataError::content(path, problem));
    }
    let failed = |e| unreadable(path, &e);
    let mut decoder = BmpDecoder::new(file).map_err(failed)?;
    decoder.set_indexed_color(true);
    let (width, height) = decoder.dimensions();
    let mut bytes = vec![0; width as usize * height as usize];
    decoder.read_image(&mut bytes).map_err(failed)?;
    Ok(Some(Grey {
        shape: [width, height, 1],
        scalar: Scalar::U8,
        bytes,
    }))
}
