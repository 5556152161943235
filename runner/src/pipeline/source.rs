//! A pipeline text put together from several files, in which every byte still knows where it was
//! written.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Where some text was written: a file, or an override of the command line.
#[derive(Debug, PartialEq)]
pub(super) struct Origin {
    /// Path of the file as the user would write it, or `--set`.
    pub name: String,
    /// Its whole text.
    pub text: String,
    /// The folder of the file.
    pub folder: Option<PathBuf>,
}

/// Text assembled from pieces of origins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq)]
struct Piece {
    text: String,
    origin: Arc<Origin>,
    /// Where in the origin the piece stands.
    written: Range<usize>,
}

impl Source {
    /// The whole of one origin.
    pub(super) fn new(origin: Arc<Origin>) -> Self {
        let text = origin.text.clone();
        let written = 0..text.len();
        let piece = Piece {
            text,
            origin,
            written,
        };
        Self {
            pieces: vec![piece],
        }
    }

    /// A text with all defaults spelled out, which no user has written.
    pub(super) fn spelled_out(text: String) -> Self {
        Self::new(Arc::new(Origin {
            name: "the resolved pipeline".into(),
            text,
            folder: None,
        }))
    }

    /// `text`, standing for what was written at `written` of `origin`.
    pub(super) fn standing_for(text: String, origin: Arc<Origin>, written: Range<usize>) -> Self {
        let piece = Piece {
            text,
            origin,
            written,
        };
        Self {
            pieces: vec![piece],
        }
    }

    /// The assembled text.
    pub(super) fn text(&self) -> String {
        self.pieces.iter().map(|p| p.text.as_str()).collect()
    }

    /// The part in `range` of the assembled text.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let mut pieces = Vec::new();
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.text.len();
            let from = range.start.clamp(start, end) - start;
            let to = range.end.clamp(start, end) - start;
            if from < to {
                pieces.push(piece.slice(from..to));
            }
            start = end;
        }
        Self { pieces }
    }

    /// Replaces `range` of the assembled text.
    pub(super) fn splice(&mut self, range: Range<usize>, replacement: Self) {
        let mut pieces = self.slice(0..range.start).pieces;
        pieces.extend(replacement.pieces);
        pieces.extend(self.slice(range.end..usize::MAX).pieces);
        self.pieces = pieces;
    }

    /// The origin and place of a range of the assembled text. A range over several pieces gives
    /// the part in its first piece.
    pub(super) fn locate(&self, range: Range<usize>) -> Option<(Arc<Origin>, Range<usize>)> {
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.text.len();
            if range.start < end {
                let to = range.end.clamp(range.start, end) - start;
                let part = piece.slice(range.start - start..to);
                return Some((part.origin, part.written));
            }
            start = end;
        }
        let last = self.pieces.last()?;
        let end = last.written.end;
        Some((last.origin.clone(), end..end))
    }
}

impl Piece {
    fn slice(&self, range: Range<usize>) -> Self {
        let verbatim = self.written.len() == self.text.len();
        let written = match verbatim {
            true => self.written.start + range.start..self.written.start + range.end,
            false => self.written.clone(),
        };
        Self {
            text: self.text[range].to_string(),
            origin: self.origin.clone(),
            written,
        }
    }
}
