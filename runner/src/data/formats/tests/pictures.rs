//! Pictures.

use super::*;

use tiff::encoder::{TiffEncoder, colortype};

#[test]
fn pictures_are_slices_seen_by_a_radiologist() {
    let folder = Folder::new();
    let path = folder.0.path().join("slice.png");
    let grey = image::GrayImage::from_fn(3, 2, |x, y| image::Luma([(10 * y + x) as u8]));
    grey.save(&path).unwrap();
    let volume = read_image(&path, Arrays::default()).unwrap();
    assert_eq!(volume.grid.shape, [3, 2, 1]);
    // The picture's top left is right and anterior.
    assert_eq!(volume.voxels, [12.0, 11.0, 10.0, 2.0, 1.0, 0.0]);
    assert_eq!(read_labels(&path, Arrays::default()).unwrap().voxels[0], 12);
    assert_eq!(read_grid(&path, Arrays::default()).unwrap(), volume.grid);
    for name in ["slice.tiff", "slice.bmp"] {
        let path = folder.0.path().join(name);
        grey.save(&path).unwrap();
        assert_eq!(
            read_image(&path, Arrays::default()).unwrap().voxels,
            volume.voxels
        );
    }
    let colours = folder.0.path().join("colour.png");
    let red = image::RgbImage::from_pixel(3, 2, image::Rgb([1, 0, 0]));
    red.save(&colours).unwrap();
    assert!(read_image(&colours, Arrays::default()).is_ok());
    let message = read_labels(&colours, Arrays::default())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(message.contains("a label map is grey"), "{message}");
    assert!(folder.refused("x.png", &[b"\x89PNG"]).contains("picture"));
}

/// A PNG of 3×2 pixels with a palette of eight colours.
fn indexed_png(depth: png::BitDepth, rows: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(depth);
    encoder.set_palette(vec![
        0, 0, 0, 255, 255, 255, 128, 128, 128, 128, 0, 0, 0, 128, 0, 0, 0, 128, 1, 1, 1, 0, 0, 0,
    ]);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(rows).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn palette_label_pictures() {
    use png::BitDepth::{Eight, Four, One, Two};
    let folder = Folder::new();
    // Canonical order is from the lower right to the upper left.
    for (depth, rows, expected) in [
        (Eight, &[0, 1, 2, 3, 4, 7][..], [7, 4, 3, 2, 1, 0]),
        (Four, &[0x01, 0x20, 0x34, 0x70], [7, 4, 3, 2, 1, 0]),
        (Two, &[0b00_01_10_00, 0b11_00_01_00], [1, 0, 3, 2, 1, 0]),
        (One, &[0b010_00000, 0b110_00000], [0, 1, 1, 0, 1, 0]),
    ] {
        let path = folder.write("a.png", &[&indexed_png(depth, rows)]);
        let labels = read_labels(&path, Arrays::default()).unwrap();
        assert_eq!(labels.grid.shape, [3, 2, 1]);
        assert_eq!(labels.voxels, expected, "{depth:?}");
        // An image is what people see.
        let image = read_image(&path, Arrays::default()).unwrap();
        let white = expected.map(|n| n == 1);
        assert_eq!(
            image.voxels.iter().map(|v| *v == 255.0).collect::<Vec<_>>(),
            white
        );
        assert_eq!(read_grid(&path, Arrays::default()).unwrap(), image.grid);
    }
    let damaged = &indexed_png(Eight, &[0; 6])[..60];
    let path = folder.write("b.png", &[damaged]);
    assert!(read_labels(&path, Arrays::default()).is_err());
}

/// A BMP of 3×2 pixels of 8 bits, the lowest row first, with the palette of VOC.
#[test]
fn palette_label_pictures_may_be_bmp() {
    let folder = Folder::new();
    let palette = [[0, 0, 0, 0], [0, 0, 128, 0], [0, 128, 0, 0]].concat();
    let mut bytes = b"BM".to_vec();
    let numbers = |numbers: &[u32]| {
        numbers
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let offset = 54 + palette.len() as u32;
    bytes.extend(numbers(&[offset + 8, 0, offset, 40, 3, 2]));
    bytes.extend([1, 0, 8, 0]);
    bytes.extend(numbers(&[0, 8, 0, 0, 3, 0]));
    bytes.extend(&palette);
    bytes.extend([0, 1, 2, 0, 2, 1, 0, 0]);
    let path = folder.write("a.bmp", &[&bytes]);
    assert_eq!(
        read_labels(&path, Arrays::default()).unwrap().voxels,
        [2, 1, 0, 0, 1, 2]
    );
    assert!(read_image(&path, Arrays::default()).unwrap().voxels[0] > 2.0);
    bytes[30] = 1;
    let path = folder.write("b.bmp", &[&bytes]);
    let message = read_labels(&path, Arrays::default())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(message.contains("PNG"), "{message}");
}

/// A TIFF of such pages of 3×2 pixels.
macro_rules! pages {
    ($kind:ty, $pages:expr) => {
        pages!($kind, $pages, 1)
    };
    ($kind:ty, $pages:expr, $samples:expr) => {{
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut file = TiffEncoder::new(&mut bytes).unwrap();
        for page in &$pages {
            file.write_image::<$kind>(3, page.len() as u32 / 3 / $samples, page)
                .unwrap();
        }
        bytes.into_inner()
    }};
}

#[test]
fn tiff_stacks() {
    let folder = Folder::new();
    let path = folder.write(
        "a.tif",
        &[&pages!(
            colortype::Gray8,
            [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
        )],
    );
    let labels = read_labels(&path, Arrays::default()).unwrap();
    assert_eq!(
        (labels.grid.shape, labels.grid.orientation.codes()),
        ([3, 2, 2], "LPS".into())
    );
    assert_eq!(labels.to_stored(), (0..12).collect::<Vec<u8>>());
    assert_eq!(read_grid(&path, Arrays::default()).unwrap(), labels.grid);

    let image = |name: &str, bytes: Vec<u8>| folder.image(name, &[&bytes]).unwrap().to_stored();
    let words = pages!(colortype::Gray16, [[0, 1, 2, 3, 4, 65535], [9; 6]]);
    assert_eq!(image("b.tiff", words)[5..7], [65535.0, 9.0]);
    let signed = pages!(
        colortype::GrayI16,
        [[-1000, 1, 2, 3, 4, 5], [9; 6], [-7; 6]]
    );
    assert_eq!(image("c.tif", signed)[0], -1000.0);
    let floats = pages!(colortype::Gray32Float, [[0.5_f32, 1.0, 2.0, 3.0, 4.0, 5.0]]);
    assert_eq!(image("d.tif", floats)[0], 0.5);

    let sizes = pages!(colortype::Gray8, [&[0; 6][..], &[0; 6], &[0; 9]]);
    let message = folder.refused("e.tif", &[&sizes]);
    assert!(
        message.contains("3×2 pixels on page 1 and 3×3 on page 3"),
        "{message}"
    );
    let colours = pages!(colortype::RGB8, [[0; 18], [0; 18]], 3);
    let message = folder.refused("f.tif", &[&colours]);
    assert!(message.contains("page 1 of 2"), "{message}");
}

#[test]
fn tiff_stacks_of_imagej_that_are_not_one_page_a_slice_are_refused() {
    let folder = Folder::new();
    for (text, expected) in [
        (
            "ImageJ=1.53t\nimages=40\nslices=40\n",
            "1 pages for 40 slices",
        ),
        ("ImageJ=1.53t\nimages=1\nchannels=2\n", "2 channels"),
    ] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut file = TiffEncoder::new(&mut bytes).unwrap();
        let mut page = file.new_image::<colortype::Gray8>(3, 2).unwrap();
        let tag = tiff::tags::Tag::ImageDescription;
        page.encoder().write_tag(tag, text).unwrap();
        page.write_data(&[0; 6]).unwrap();
        let message = folder.refused("a.tif", &[&bytes.into_inner()]);
        assert!(message.contains(expected), "{message}");
    }
}

/// Booleans: 0 and 1 as labels, black and white as an image.
#[test]
fn pictures_of_one_bit() {
    let folder = Folder::new();
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, 3, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&[0b0110_0000, 0b1000_0000])
        .unwrap();
    writer.finish().unwrap();
    // Little endian: width, height, bits, no packing, black is 0, where the one strip lies, its rows and bytes.
    let fields: [(u16, u16); 8] = [
        (256, 3),
        (257, 2),
        (258, 1),
        (259, 1),
        (262, 1),
        (273, 8),
        (278, 2),
        (279, 2),
    ];
    let mut tiff = b"II*\0\x0a\0\0\0".to_vec();
    tiff.extend([0b0110_0000, 0b1000_0000]);
    tiff.extend(8_u16.to_le_bytes());
    for (tag, value) in fields {
        tiff.extend([tag, 3, 1, 0, value, 0].map(u16::to_le_bytes).concat());
    }
    tiff.extend([0; 4]);
    for (name, bytes) in [("a.png", png), ("a.tif", tiff)] {
        let path = folder.write(name, &[&bytes]);
        let labels = read_labels(&path, Arrays::default()).unwrap();
        assert_eq!(labels.to_stored(), [0, 1, 1, 1, 0, 0], "{name}");
        let image = read_image(&path, Arrays::default()).unwrap();
        let white = labels.voxels.iter().map(|v| 255.0 * f32::from(*v));
        assert_eq!(image.voxels, white.collect::<Vec<_>>(), "{name}");
    }
}
