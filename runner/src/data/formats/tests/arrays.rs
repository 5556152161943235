//! Arrays: NumPy and HDF5.

use hdf5_pure::Datatype;

use super::*;
use crate::data::volume::Orientation;

/// Voxels in the order of the file.
const RAS: Arrays = Arrays {
    axes: ArrayAxes::Zyx,
    directions: Orientation::CANONICAL,
    spacing_mm: [1.0; 3],
};

#[test]
fn numpy_arrays_are_read_in_any_type_and_order() {
    let folder = Folder::new();
    let (little, big) = (shorts(i16::to_le_bytes), shorts(i16::to_be_bytes));
    let image =
        |name: &str, bytes: Vec<u8>| read_image(&folder.write(name, &[&bytes]), RAS).unwrap();
    let wanted: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let c_order = image("c.npy", npy("<i2", "False", "2, 2, 3", &little));
    assert_eq!((c_order.grid.shape, &c_order.voxels), ([3, 2, 2], &wanted));
    let big = image("b.npy", npy(">i2", "False", "2, 2, 3", &big));
    assert_eq!(big.voxels, wanted);
    // In Fortran order the first axis, the slices, is the fastest.
    let fortran = image("f.npy", npy("<i2", "True", "3, 2, 2", &little));
    assert_eq!(fortran.grid.shape, [2, 2, 3]);
    assert_eq!(fortran.voxels[1], 6.0);
    let slice = image("s.npy", npy("|b1", "False", "2, 3", &[0, 1, 0, 1, 1, 1]));
    assert_eq!(slice.grid.shape, [3, 2, 1]);

    let label = npy("|u1", "False", "2, 2, 3", &[1; 12]);
    for method in [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ] {
        let entries = [
            ("label", label.clone()),
            ("image", npy("<i2", "False", "2, 2, 3", &little)),
        ];
        let path = folder.write("case.npz", &[&npz(&entries, method)]);
        assert_eq!(read_image(&path, RAS).unwrap().voxels, wanted);
        assert_eq!(read_labels(&path, RAS).unwrap().voxels, [1; 12]);
        assert_eq!(read_grid(&path, RAS).unwrap(), c_order.grid);
    }
}

/// Twelve half floats, and what they are.
fn halves(bytes: fn(half::f16) -> [u8; 2]) -> (Vec<u8>, Vec<f32>) {
    let values: Vec<f32> = (0..12).map(|n| n as f32 - 2.5).collect();
    let halves = values.iter().map(|v| half::f16::from_f32(*v));
    (halves.flat_map(bytes).collect(), values)
}

#[test]
fn arrays_of_booleans_and_halves() {
    use hdf5_pure::{DatatypeByteOrder, EnumTypeBuilder, FloatingPointLayout, make_u8_type};
    let folder = Folder::new();
    let (little, values) = halves(half::f16::to_le_bytes);
    let (big, _) = halves(half::f16::to_be_bytes);
    let image =
        |name: &str, bytes: Vec<u8>| read_image(&folder.write(name, &[&bytes]), RAS).unwrap();
    assert_eq!(
        image("a.npy", npy("<f2", "False", "2, 2, 3", &little)).voxels,
        values
    );
    assert_eq!(
        image("b.npy", npy(">f2", "False", "2, 2, 3", &big)).voxels,
        values
    );
    let archive = [("image", npy("<f2", "False", "2, 2, 3", &little))];
    let archive = npz(&archive, zip::CompressionMethod::Deflated);
    assert_eq!(image("c.npz", archive).voxels, values);
    let short = npy("<f2", "False", "2, 2, 3", &little[..23]);
    assert!(folder.refused("d.npy", &[&short]).contains("24 bytes"));

    // A network's axes of batch and channel.
    for (shape, fortran) in [
        ("1, 2, 2, 3", "False"),
        ("1, 1, 2, 2, 3", "False"),
        ("2, 2, 3, 1", "False"),
        ("1, 3, 2, 2", "True"),
    ] {
        let volume = image("e.npy", npy("<f2", fortran, shape, &little));
        let want = if fortran == "True" {
            [2, 2, 3]
        } else {
            [3, 2, 2]
        };
        assert_eq!(volume.grid.shape, want, "{shape}");
        assert_eq!(volume.voxels.len(), 12);
    }
    let slice = image("f.npy", npy("<f2", "False", "1, 3, 4", &little));
    assert_eq!(slice.grid.shape, [4, 3, 1]);

    let path = folder.0.path().join("a.h5");
    let bits: Vec<u8> = (0..12).map(|n| n % 2).collect();
    let boolean = EnumTypeBuilder::with_base(make_u8_type());
    let boolean = boolean.value("FALSE", 0).value("TRUE", 1).build().unwrap();
    let layout = FloatingPointLayout {
        bit_offset: 0,
        bit_precision: 16,
        exponent_location: 10,
        exponent_size: 5,
        mantissa_location: 0,
        mantissa_size: 10,
        exponent_bias: 15,
    };
    for (byte_order, bytes) in [
        (DatatypeByteOrder::LittleEndian, &little),
        (DatatypeByteOrder::BigEndian, &big),
    ] {
        let half = Datatype::FloatingPoint {
            size: 2,
            byte_order,
            layout,
        };
        let mut file = FileBuilder::new();
        file.create_dataset("image")
            .with_raw_data(half, bytes.clone(), 12)
            .with_shape(&[1, 2, 2, 3]);
        file.create_dataset("label")
            .with_enum_u8_data(boolean.clone(), &bits)
            .with_shape(&[2, 2, 3]);
        file.write(&path).unwrap();
        assert_eq!(read_image(&path, RAS).unwrap().voxels, values);
        assert_eq!(read_labels(&path, RAS).unwrap().voxels, bits);
        assert_eq!(
            read_grid(&path, Arrays::default()).unwrap().shape,
            [3, 2, 2]
        );
    }
}

#[test]
fn bad_arrays_are_named() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    for (bytes, expected) in [
        (
            npy("|O", "False", "2, 2, 3", &little),
            "not an array of real numbers",
        ),
        (
            npy("<i2", "False", "2, 2, 3, 2", &little),
            "shape [2, 2, 3, 2]",
        ),
        (npy("<i2", "False", "2, 0, 3", &little), "shape [2, 0, 3]"),
        (npy("<i2", "False", "2, -2, 3", &little), "not NumPy's"),
        (npy("<i2", "False", "200, 2, 3", &little), "promised"),
        (
            npy("<i2", "False", "99999999999, 99999999999", &little),
            "shape",
        ),
        (b"\x93NUMPY\x01\0\xff".to_vec(), "not a NumPy"),
    ] {
        let message = folder.refused("x.npy", &[&bytes]);
        assert!(message.contains(expected), "{message}");
    }
    let array = npy("<i2", "False", "2, 2, 3", &little);
    let two = [("a", array.clone()), ("b", array)];
    let archive = npz(&two, zip::CompressionMethod::Deflated);
    let message = folder.refused("x.npz", &[&archive]);
    assert!(
        message.contains("[a, b]") && message.contains("`image`"),
        "{message}"
    );
    let mut damaged = npz(&two[..1], zip::CompressionMethod::Stored);
    assert_eq!(folder.image("x.npz", &[&damaged]).unwrap().voxels[2], 3.0);
    damaged[150] ^= 1;
    assert!(folder.refused("x.npz", &[&damaged]).contains("again"));
    assert!(folder.refused("x.npz", &[&damaged[..40]]).contains(".npz"));
}

#[test]
fn hdf5_arrays_are_read_with_either_order_of_axes() {
    let folder = Folder::new();
    let path = folder.0.path().join("case0001.npy.h5");
    let mut file = FileBuilder::new();
    let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
    file.create_dataset("image")
        .with_f32_data(&values)
        .with_shape(&[2, 3, 4]);
    file.create_dataset("label")
        .with_u8_data(&[1; 24])
        .with_shape(&[2, 3, 4]);
    file.write(&path).unwrap();
    let slices = read_image(&path, RAS).unwrap();
    assert_eq!(slices.grid.shape, [4, 3, 2]);
    assert_eq!(slices.voxels, values);
    let ua_mt = Arrays {
        axes: ArrayAxes::Xyz,
        spacing_mm: [0.5, 1.0, 2.0],
        ..RAS
    };
    let image = read_image(&path, ua_mt).unwrap();
    assert_eq!(image.grid.shape, [2, 3, 4]);
    assert_eq!(image.grid.spacing_mm, [0.5, 1.0, 2.0]);
    // (x, y, z) = (1, 0, 0) is stored at 12.
    assert_eq!(image.voxels[1], 12.0);
    assert_eq!(read_labels(&path, ua_mt).unwrap().voxels, [1; 24]);
    assert_eq!(read_grid(&path, ua_mt).unwrap(), image.grid);

    let bytes = std::fs::read(&path).unwrap();
    let half = folder.refused("half.h5", &[&bytes[..bytes.len() / 2]]);
    assert!(half.contains("HDF5"), "{half}");
}

/// Voxel (x, y, z) of the file is where the directions of x, y and z say, whatever the order of the axes.
#[test]
fn arrays_lie_as_is_declared() {
    let folder = Folder::new();
    let numbers: Vec<u8> = (0..24).collect();
    for (axes, shape) in [(ArrayAxes::Zyx, "4, 3, 2"), (ArrayAxes::Xyz, "2, 3, 4")] {
        let path = folder.write("a.npy", &[&npy("|u1", "False", shape, &numbers)]);
        for codes in ["RAS", "LPS", "LAS", "PSR", "ILA"] {
            let arrays = Arrays {
                axes,
                directions: codes.parse().unwrap(),
                spacing_mm: [0.5, 1.0, 2.0],
            };
            let volume = read_image(&path, arrays).unwrap();
            assert_eq!(volume.grid.spacing_mm, arrays.spacing_mm);
            let shape = volume.grid.shape;
            let directions = arrays.directions;
            assert_eq!(
                shape,
                directions.axes.map(|axis| [2, 3, 4][axis]),
                "{codes}"
            );
            for (index, value) in volume.voxels.iter().enumerate() {
                let [nx, ny, _] = shape;
                let at = [index % nx, index / nx % ny, index / nx / ny];
                let mut letters = [0; 3];
                for world in 0..3 {
                    letters[directions.axes[world]] = match directions.flipped[world] {
                        true => shape[world] - 1 - at[world],
                        false => at[world],
                    };
                }
                let [x, y, z] = letters;
                let stored = match axes {
                    ArrayAxes::Zyx => x + 2 * (y + 3 * z),
                    ArrayAxes::Xyz => z + 4 * (y + 3 * x),
                };
                assert_eq!(usize::from(*value as u8), stored, "{codes} {axes:?} {at:?}");
            }
        }
    }
    // As SimpleITK gives the slices of most scanners.
    let path = folder.write("a.npy", &[&npy("|u1", "False", "4, 3, 2", &numbers)]);
    let volume = read_image(&path, Arrays::default()).unwrap();
    assert_eq!(volume.grid.orientation.codes(), "LPS");
    assert_eq!(volume.voxels[0], 5.0);
}
