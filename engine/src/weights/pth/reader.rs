//! Bytes of a pickle in order.

/// A position in a byte string.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..count).ok_or("it is cut short")?;
        self.position += count;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), String> {
        self.take(count).map(drop)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "it is cut short".into())
    }

    /// The text up to the end of a line.
    pub(super) fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.position..];
        let end = rest.iter().position(|&b| b == b'\n');
        let end = end.ok_or("it is cut short")?;
        self.position += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "a text is not UTF-8".into())
    }

    /// Bytes after their count, whose width depends on the instruction.
    pub(super) fn counted(&mut self, code: u8) -> Result<&'a [u8], String> {
        let count = match code {
            0x8c | b'U' | b'C' | 0x8a => u64::from(self.byte()?),
            0x8d | 0x8e => u64::from_le_bytes(self.array()?),
            _ => u64::from(u32::from_le_bytes(self.array()?)),
        };
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// The key of a memo instruction.
    pub(super) fn memo_key(&mut self, code: u8) -> Result<u64, String> {
        match code {
            b'q' | b'h' => Ok(u64::from(self.byte()?)),
            b'r' | b'j' => Ok(u64::from(u32::from_le_bytes(self.array()?))),
            _ => {
                let line = self.line()?;
                line.parse().map_err(|_| format!("{line:?} is no number"))
            }
        }
    }
}
