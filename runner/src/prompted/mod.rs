//! Segment Anything itself: an image, boxes and points in, a mask out; and its image encoder alone.

mod frame;
mod image;
mod model;
mod network;
mod picture;
mod prompts;

pub use image::Image;
pub use model::Model;
pub use network::{Embedder, IMAGE_EMBED, Segmentation, Segmenter, import};
pub use picture::{Picture, PictureFile, Window};
pub use prompts::{Point, Prompts, Rectangle, numbers};
