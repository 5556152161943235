//! What the fuzz targets do with their bytes: readers take files, so the bytes become one.

use std::path::PathBuf;

use samora_engine::weights::WeightFile;
use samora_runner::data::formats::{self, Arrays};
use samora_runner::pipeline;

/// Reads a scan of the format that the ending names: grid, image and labels.
pub fn scan(ending: &str, bytes: &[u8]) {
    let path = file(ending, bytes);
    let arrays = Arrays::default();
    // What is read, or why not, is of no matter here: no panic and no large allocation is.
    let grid = formats::read_grid(&path, arrays);
    let image = formats::read_image(&path, arrays);
    if let (Ok(grid), Ok(image)) = (grid, image) {
        assert_eq!(grid, image.grid, "the header and the volume agree");
    }
    let _ = formats::read_labels(&path, arrays);
}

/// Reads a pipeline file.
pub fn pipeline(bytes: &[u8]) {
    let path = file("ron", bytes);
    if let Ok(read) = pipeline::load_without_data(&path, &[]) {
        let written = pipeline::to_ron(&read).expect("what was read can be written");
        let again = pipeline::load_without_data(&file("resolved.ron", written.as_bytes()), &[]);
        assert!(again.is_ok_and(|again| again == read), "what was written can be read");
    }
}

/// Opens a checkpoint, PyTorch's or safetensors, and reads its tensors.
pub fn weights(bytes: &[u8]) {
    let path = file("weights", bytes);
    let Ok(file) = WeightFile::open(&path) else {
        return;
    };
    for entry in file.entries().values() {
        let _ = file.read(entry);
    }
}

/// A file in memory where the system has such a place.
fn file(ending: &str, bytes: &[u8]) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let path = folder.join(format!("fuzz-{}.{ending}", std::process::id()));
    std::fs::write(&path, bytes).expect("a scratch file can be written");
    path
}
