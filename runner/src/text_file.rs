//! Text files that people write, on any system.

use std::io;
use std::path::Path;

/// Reads a file of UTF-8 text, without the byte order mark that editors of Windows put before it.
///
/// # Errors
/// A file that cannot be read, or that is not UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let text = decode(std::fs::read(path)?);
    text.map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
}

/// The text of a file's bytes, without a byte order mark.
///
/// # Errors
/// Bytes that are not UTF-8.
pub(crate) fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|e| match e.as_bytes() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16 text; save it as UTF-8".to_owned(),
        bytes => {
            let before = bytes.get(..e.utf8_error().valid_up_to()).unwrap_or(bytes);
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            format!("line {line} is not UTF-8 text; save the file as UTF-8")
        }
    })?;
    Ok(without_mark(&text).to_owned())
}

/// A text without the byte order mark before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for (bytes, text) in [
            ("\u{feff}a\r\n".as_bytes(), "a\r\n"),
            (b"a", "a"),
            (b"", ""),
            ("a\u{feff}".as_bytes(), "a\u{feff}"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read(&path).unwrap(), text);
        }
        // UTF-16, as editors of Windows also write it.
        std::fs::write(&path, b"\xff\xfea\0").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("UTF-16"));
        std::fs::write(&path, b"a\n\xe4\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("line 2"));
    }
}
