//! Numbers and texts of the pickle language.

use super::object::Object;
use super::reader::Reader;

/// The number that an instruction with this code makes; integers beyond 64 bits are opaque.
///
/// # Errors
/// Input that is cut short or no number.
pub(super) fn number(input: &mut Reader<'_>, code: u8) -> Result<Object, String> {
    Ok(match code {
        b'J' => Object::Int(i64::from(i32::from_le_bytes(input.array()?))),
        b'K' => Object::Int(i64::from(input.byte()?)),
        b'M' => Object::Int(i64::from(u16::from_le_bytes(input.array()?))),
        0x8a | 0x8b => match long(input.counted(code)?) {
            Some(n) => Object::Int(n),
            None => Object::Opaque,
        },
        b'G' => Object::Float(f64::from_be_bytes(input.array()?)),
        _ => {
            let line = input.line()?;
            let wrong = || format!("{line:?} is no number");
            match (code, line) {
                (b'I', "00" | "01") => Object::Bool(line == "01"),
                (b'F', _) => Object::Float(line.parse().map_err(|_| wrong())?),
                _ => Object::Int(line.trim_end_matches('L').parse().map_err(|_| wrong())?),
            }
        }
    })
}

/// The text that an instruction with this code makes.
///
/// # Errors
/// Input that is cut short or not UTF-8.
pub(super) fn text(input: &mut Reader<'_>, code: u8) -> Result<String, String> {
    Ok(match code {
        b'V' => input.line()?.to_string(),
        b'S' => input.line()?.trim_matches(['\'', '"']).to_string(),
        _ => {
            let bytes = input.counted(code)?;
            String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8")?
        }
    })
}

/// A little-endian integer in two's complement, if it fits.
fn long(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}
