//! What a network is shown.

use samora_engine::Tensor;

use super::Picture;

/// What a network is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Image {
    /// A picture, which is prepared as the network's weights need it.
    Picture(Picture),
    /// The encoder's input itself, `[1, 3, size, size]`.
    Prepared(Tensor),
}

impl Image {
    /// Rows and columns, of which prompts and mask are.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Picture(picture) => picture.size(),
            Self::Prepared(tensor) => match tensor.shape.as_slice() {
                &[_, _, height, width] => (height, width),
                _ => (0, 0),
            },
        }
    }
}
