#![allow(clippy::unwrap_used)]

mod arrays;
mod channels;
mod headers;
mod pictures;

use std::path::PathBuf;

use hdf5_pure::FileBuilder;
use samora_engine::random::Stream;

use super::*;

/// Scratch files that are written and read back.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, parts: &[&[u8]]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, parts.concat()).unwrap();
        path
    }

    fn image(&self, name: &str, parts: &[&[u8]]) -> Result<Volume<f32>> {
        read_image(&self.write(name, parts), Arrays::default())
    }

    /// The message of an error, which names the file.
    fn refused(&self, name: &str, parts: &[&[u8]]) -> String {
        let message = self.image(name, parts).map(drop).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    }
}

/// Twelve voxels 0…11 of a 3×2×2 volume.
fn shorts(bytes: fn(i16) -> [u8; 2]) -> Vec<u8> {
    (0..12).flat_map(bytes).collect()
}

fn packed(bytes: &[u8], gzip: bool) -> Vec<u8> {
    use flate2::Compression;
    use std::io::Write;
    if gzip {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        return encoder.finish().unwrap();
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A `.npy` file.
fn npy(descr: &str, fortran: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\0".as_slice(),
        &length,
        header.as_bytes(),
        numbers,
    ]
    .concat()
}

fn npz(entries: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Axes left, posterior and superior: the first voxel is the last but one plane's end in RAS+.
fn assert_lps(volume: &Volume<f32>) {
    let grid = &volume.grid;
    assert_eq!(grid.orientation.codes(), "LPS");
    assert_eq!(grid.shape, [3, 2, 2]);
    assert_eq!(grid.spacing_mm, [0.5, 0.75, 3.0]);
    assert_eq!(volume.voxels[0], 5.0);
    assert_eq!(volume.voxels[11], 6.0);
    // The stored origin (10, -20, 30) in LPS is (-10, 20, 30) in RAS.
    let origin = [0, 1, 2].map(|row| grid.stored_affine[row][3]);
    assert_eq!(origin, [-10.0, 20.0, 30.0]);
}

const NRRD: &str = "NRRD0004
# A comment
type: short
dimension: 3
space: left-posterior-superior
sizes: 3 2 2
space directions: (0.5,0,0) (0,0.75,0) (0,0,3)
kinds: domain domain domain
space origin: (10,-20,30)
note:=key: value
";

const META: &str = "ObjectType = Image
NDims = 3
BinaryData = True
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 10 -20 30
ElementSpacing = 0.5 0.75 3
DimSize = 3 2 2
ElementType = MET_SHORT
";

#[test]
fn names_without_a_known_ending_are_refused() {
    let folder = Folder::new();
    assert!(folder.refused("scan.dat", &[b"x"]).contains(".nii.gz"));
    assert_eq!(stem("case.0001.NII.GZ"), Some("case.0001"));
    assert_eq!(stem("case0001.npy.h5"), Some("case0001"));
    assert_eq!(stem("case0001.seg.nrrd"), Some("case0001"));
    assert_eq!(stem(".hidden.nii"), None);
    assert_eq!(stem("notes.txt"), None);
}

#[test]
fn gzip_with_something_behind_it() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let header = format!("{NRRD}endian: little\nencoding: gzip\n\n");
    let nrrd = |name: &str, parts: &[&[u8]]| {
        let parts = [&[header.as_bytes()], parts].concat();
        folder.image(name, &parts)
    };
    let whole = packed(&little, true);
    for behind in [&[0; 512][..], &[0; 70_000], b"sixteen more of it", &[]] {
        assert_lps(&nrrd("a.nrrd", &[&whole, behind]).unwrap());
    }
    // Members in a row are one stream, with zeros between them or not.
    let halves = [packed(&little[..7], true), packed(&little[7..], true)];
    assert_lps(&nrrd("b.nrrd", &[&halves[0], &halves[1]]).unwrap());
    assert_lps(&nrrd("c.nrrd", &[&halves[0], &[0; 9], &halves[1], &[0; 9]]).unwrap());
    // Skipped lines lie before what is packed.
    let skip = header.replace("encoding", "line skip: 1\nencoding");
    let parts: [&[u8]; 3] = [skip.as_bytes(), b"a line\n", &whole];
    assert_lps(&folder.image("d.nrrd", &parts).unwrap());

    let nifti = folder.0.path().join("e.nii.gz");
    let image = nrrd("a.nrrd", &[&whole]).unwrap();
    nifti::write(&nifti, &image).unwrap();
    let bytes = std::fs::read(&nifti).unwrap();
    let padded = folder.image("e.nii.gz", &[&bytes, &[0; 512]]).unwrap();
    assert_eq!(padded.voxels, image.voxels);

    let refused = |parts: &[&[u8]]| nrrd("f.nrrd", parts).map(drop).unwrap_err().to_string();
    let no_checksum = &whole[..whole.len() - 8];
    assert!(refused(&[no_checksum]).contains("damaged"));
    assert!(refused(&[no_checksum, &[0; 512]]).contains("damaged"));
    assert!(refused(&[&halves[0], &halves[1][..9]]).contains("damaged"));
    assert!(refused(&[&halves[0], b"rubbish", &halves[1]]).contains("7 bytes are there"));
}

/// Programs that scale label maps when they save them, or save them as floats.
#[test]
fn labels_a_little_off_whole_numbers() {
    let folder = Folder::new();
    let of = |off: f32| (0..12).map(|n| (n % 3) as f32 + off).collect::<Vec<f32>>();
    let bytes = |off: f32| {
        of(off)
            .into_iter()
            .flat_map(f32::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let grid = Grid::axis_aligned([3, 2, 2], [1.0; 3]);
    for (off, is_label) in [
        (0.003_9, true),
        (-0.003_9, true),
        (0.25, false),
        (-0.25, false),
    ] {
        let volume = Volume::new(grid.clone(), of(off), PathBuf::new()).unwrap();
        let path = |name: &str| folder.0.path().join(name);
        nifti::write(&path("a.nii.gz"), &volume).unwrap();
        nrrd::write(&path("a.nrrd"), &volume).unwrap();
        metaimage::write(&path("a.mha"), &volume).unwrap();
        folder.write("a.npy", &[&npy("<f4", "False", "2, 2, 3", &bytes(off))]);
        let mut file = FileBuilder::new();
        file.create_dataset("label")
            .with_f32_data(&of(off))
            .with_shape(&[2, 2, 3]);
        file.write(path("a.h5")).unwrap();
        for name in ["a.nii.gz", "a.nrrd", "a.mha", "a.npy", "a.h5"] {
            match read_labels(&path(name), Arrays::default()) {
                Ok(labels) => {
                    assert!(is_label, "{name}");
                    assert!(
                        labels
                            .to_stored()
                            .iter()
                            .enumerate()
                            .all(|(i, v)| usize::from(*v) == i % 3)
                    );
                }
                Err(error) => {
                    assert!(!is_label, "{error}");
                    assert!(error.to_string().contains("label value"), "{error}");
                }
            }
        }
    }
}

/// Changed bytes are read or refused, never a panic, and never cost more memory than the file explains.
#[test]
fn damaged_files_never_panic() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let grey = image::GrayImage::from_fn(3, 2, |x, y| image::Luma([(10 * y + x) as u8]));
    let picture = folder.0.path().join("p.png");
    grey.save(&picture).unwrap();
    let h5 = folder.0.path().join("h.h5");
    let mut file = FileBuilder::new();
    file.create_dataset("image")
        .with_f32_data(&[1.0; 24])
        .with_shape(&[2, 3, 4]);
    file.write(&h5).unwrap();
    let array = npy("<i2", "False", "2, 2, 3", &little);
    let files = [
        (
            "a.nrrd",
            [
                format!("{NRRD}endian: little\nencoding: gzip\n\n").as_bytes(),
                &packed(&little, true),
            ]
            .concat(),
        ),
        (
            "a.mha",
            [
                format!("{META}ElementDataFile = LOCAL\n").as_bytes(),
                &little,
            ]
            .concat(),
        ),
        ("a.npy", array.clone()),
        (
            "a.npz",
            npz(&[("image", array)], zip::CompressionMethod::Deflated),
        ),
        ("a.png", std::fs::read(picture).unwrap()),
        ("a.h5", std::fs::read(h5).unwrap()),
    ];
    let mut stream = Stream::named(4, "damage");
    for (name, good) in files {
        assert!(folder.image(name, &[&good]).is_ok(), "{name}");
        let mut refused = 0;
        for _ in 0..300 {
            let mut bytes = good.clone();
            for _ in 0..=stream.below(4) {
                let at = stream.below(bytes.len());
                bytes[at] = stream.bits() as u8;
            }
            if stream.below(4) == 0 {
                bytes.truncate(stream.below(bytes.len()));
            }
            let path = folder.write(name, &[&bytes]);
            refused += usize::from(read_image(&path, Arrays::default()).is_err());
            refused += usize::from(read_labels(&path, Arrays::default()).is_err());
        }
        assert!(refused > 50, "{name}: {refused}");
    }
}

#[test]
fn written_volumes_return_in_their_own_orientation() {
    let folder = Folder::new();
    let affine = [
        [-0.5, 0.01, 0.0, 10.0],
        [0.01, -0.75, 0.0, -20.0],
        [0.0, 0.0, 3.0, 30.125],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let grid = Grid::from_stored([3, 2, 2], affine).unwrap();
    let labels = Volume::new(grid, (0..12).collect(), PathBuf::new()).unwrap();
    for name in ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a.mhd"] {
        let path = folder.0.path().join(name);
        write_labels(&path, &labels).unwrap();
        let read = read_labels(&path, Arrays::default()).unwrap();
        assert_eq!(read.voxels, labels.voxels, "{name}");
        assert_eq!(read.grid.orientation.codes(), "LPS", "{name}");
        let ours = read.grid.stored_affine.iter().flatten();
        for (found, wanted) in ours.zip(affine.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-6, "{name}");
        }
    }
    let picture = write_labels(&folder.0.path().join("a.png"), &labels);
    assert!(picture.unwrap_err().to_string().contains(".nrrd"));
}

/// What fuzzing found: files for which a reader panicked, ran on or made room for what is not there.
#[test]
fn damaged_files_that_fuzzing_found_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/found");
    let found: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(found.len() >= 6, "{found:?}");
    for entry in found {
        let path = entry.unwrap().path();
        let image = read_image(&path, Arrays::default());
        assert!(image.is_err(), "{}", path.display());
        let label = read_labels(&path, Arrays::default());
        assert!(label.is_err(), "{}", path.display());
    }
}
