//! Formats whose headers are text.

use super::*;

#[test]
fn nrrd_is_read_attached_and_detached_plain_and_packed() {
    let folder = Folder::new();
    let (little, big) = (shorts(i16::to_le_bytes), shorts(i16::to_be_bytes));
    let head = |more: &str| format!("{NRRD}{more}\n\n").into_bytes();
    let plain = head("endian: little\nencoding: raw");
    assert_lps(&folder.image("a.nrrd", &[&plain, &little]).unwrap());
    let gzip = head("endian: big\nencoding: gzip");
    assert_lps(
        &folder
            .image("b.nrrd", &[&gzip, &packed(&big, true)])
            .unwrap(),
    );
    let windows = String::from_utf8(plain.clone())
        .unwrap()
        .replace('\n', "\r\n");
    assert_lps(
        &folder
            .image("c.nrrd", &[windows.as_bytes(), &little])
            .unwrap(),
    );

    folder.write("voxels.raw", &[b"one line\n", &[9; 3], &little]);
    let detached =
        head("endian: little\nencoding: raw\nline skip: 1\nbyte skip: 3\ndata file: voxels.raw");
    assert_lps(&folder.image("d.nhdr", &[&detached]).unwrap());

    // Without directions: spacings, left-posterior-superior.
    let bare =
        "NRRD0001\ntype: uchar\ndimension: 2\nsizes: 3 2\nspacings: 2 nan\nencoding: raw\n\n";
    let slice = folder
        .image("e.nrrd", &[bare.as_bytes(), &[0, 1, 2, 3, 4, 5]])
        .unwrap();
    assert_eq!(slice.grid.shape, [3, 2, 1]);
    assert_eq!(slice.grid.spacing_mm, [2.0, 1.0, 1.0]);
    assert_eq!(slice.voxels, [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
}

#[test]
fn nrrd_names_the_field_it_cannot_use() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let good = format!("{NRRD}endian: little\nencoding: raw\n\n");
    let refused = |from: &str, to: &str| {
        folder.refused("x.nrrd", &[good.replace(from, to).as_bytes(), &little])
    };
    for (from, to, expected) in [
        ("NRRD0004", "NRRX0004", "NRRX0004"),
        ("type: short", "type: block", "`block`"),
        ("sizes: 3 2 2", "sizes: 3 -2 2", "`3 -2 2`"),
        ("sizes: 3 2 2", "sizes: 3 0 2", "empty"),
        (
            "sizes: 3 2 2",
            "sizes: 99999999 99999999 99999999",
            "more than a scan",
        ),
        ("sizes: 3 2 2", "sizes: 30 20 20", "again"),
        ("sizes: 3 2 2", "sizes: 3 2", "dimension"),
        ("(0,0.75,0)", "none", "between those of space"),
        ("(0,0.75,0)", "nun", "space directions"),
        ("(0,0.75,0)", "(0,nan,0)", "space directions"),
        ("(0,0.75,0)", "(0.5,0,0)", "not invertible"),
        ("left-posterior-superior", "scanner-xyz", "scanner-xyz"),
        ("endian: little", "endian: middle", "middle"),
        ("encoding: raw", "encoding: bzip2", "bzip2"),
        (
            "encoding: raw",
            "encoding: raw\ndata file: ../../etc/passwd",
            "beside",
        ),
        (
            "encoding: raw",
            "encoding: raw\ndata file: /etc/passwd",
            "beside",
        ),
        (
            "encoding: raw",
            "encoding: raw\ndata file: gone.raw",
            "gone.raw",
        ),
        ("encoding: raw", "encoding: raw\nbyte skip: 5", "again"),
    ] {
        let message = refused(from, to);
        assert!(message.contains(expected), "{to}: {message}");
    }
}

/// As 3D Slicer and pynrrd write them: an axis that is none of space.
#[test]
fn segmentations_of_3d_slicer() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let axes = "(0.5,0,0) (0,0.75,0) (0,0,3)";
    let header = |sizes: &str, directions: &str, kinds: &str| {
        let dimension = format!("dimension: {}", sizes.split(' ').count());
        let text = format!("{NRRD}endian: little\nencoding: raw\n\n");
        let text = text.replace("sizes: 3 2 2", &format!("sizes: {sizes}"));
        let text = text.replace("dimension: 3", &dimension);
        let text = text.replace(&format!("space directions: {axes}\n"), directions);
        text.replace("kinds: domain domain domain\n", kinds)
    };
    let directions = |list: &str| format!("space directions: {list}\n");
    let (first, last) = (
        directions(&format!("none {axes}")),
        directions(&format!("{axes} none")),
    );
    let (list_first, list_last) = (
        "kinds: list domain domain domain\n",
        "kinds: domain domain domain list\n",
    );
    for (sizes, directions, kinds) in [
        ("1 3 2 2", &first, list_first),
        ("3 2 2 1", &last, list_last),
        ("1 3 2 2", &first, ""),
    ] {
        let text = header(sizes, directions, kinds);
        assert_lps(
            &folder
                .image("a.seg.nrrd", &[text.as_bytes(), &little])
                .unwrap(),
        );
    }
    let spacings = |list: &str| format!("spacings: {list}\n");
    for (sizes, spacings, kinds) in [
        ("1 3 2 2", spacings("nan 0.5 0.75 3"), list_first),
        ("1 3 2 2", spacings("nan 0.5 0.75 3"), ""),
        ("3 2 2 1", spacings("0.5 0.75 3 nan"), list_last),
        ("3 2 2 1", spacings("0.5 0.75 3 nan"), ""),
    ] {
        let text = header(sizes, &spacings, kinds);
        assert_lps(&folder.image("b.nrrd", &[text.as_bytes(), &little]).unwrap());
    }
    let text = header("2 3 2 1", &first, list_first);
    let message = folder.refused("c.seg.nrrd", &[text.as_bytes(), &little]);
    for part in ["2 values in a voxel", "sizes", "Export to labelmap"] {
        assert!(message.contains(part), "{message}");
    }
    // A sagittal slice: nothing is said of the axis across.
    let text = header("3 4", &directions("(0,0.5,0) (0,0,2)"), "");
    let slice = folder.image("d.nrrd", &[text.as_bytes(), &little]).unwrap();
    assert_eq!(slice.grid.shape, [1, 3, 4]);
    assert_eq!(slice.grid.spacing_mm, [1.0, 0.5, 2.0]);
}

#[test]
fn headers_that_others_read() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let nrrd = format!("{NRRD}endian: little\nencoding: raw\n\n");
    for (from, to) in [
        ("left-posterior-superior", "Left-Posterior-Superior"),
        ("left-posterior-superior", "lps"),
        ("type: short", "Type: SHORT"),
        ("encoding: raw", "Encoding: RAW"),
        ("endian: little", "endian: Little"),
        ("encoding: raw", "encoding: raw\nbyte skip: -1"),
    ] {
        let text = nrrd.replace(from, to);
        assert_lps(&folder.image("a.nrrd", &[text.as_bytes(), &little]).unwrap());
    }
    let zipped = nrrd.replace("encoding: raw", "encoding: gzip\nbyte skip: -1");
    let message = folder.refused("b.nrrd", &[zipped.as_bytes(), &little]);
    assert!(message.contains("byte skip"), "{message}");
    let last = nrrd.replace("encoding: raw", "encoding: raw\nbyte skip: -1");
    let message = folder.refused("c.nrrd", &[last.as_bytes(), &little[..20]]);
    assert!(message.contains("20 bytes are there"), "{message}");

    let local = format!("{META}HeaderSize = -1\nElementDataFile = LOCAL\n");
    assert_lps(&folder.image("a.mha", &[local.as_bytes(), &little]).unwrap());
    let message = folder.refused("b.mha", &[local.as_bytes(), &little[..20]]);
    assert!(message.contains("20 bytes are there"), "{message}");
    // Counted from the beginning of the file.
    let text = format!("{META}HeaderSize = 300\nElementDataFile = LOCAL\n");
    let gap = vec![7; 300 - text.len()];
    assert_lps(
        &folder
            .image("c.mha", &[text.as_bytes(), &gap, &little])
            .unwrap(),
    );
    let packed_file =
        format!("{META}CompressedData = True\nHeaderSize = 4\nElementDataFile = d.zraw\n");
    folder.write("d.zraw", &[&[7; 4], &packed(&little, false)]);
    assert_lps(&folder.image("d.mhd", &[packed_file.as_bytes()]).unwrap());
    // A negative spacing turns the axis, as in ITK.
    let turned = META.replace("1 0 0 0 1 0 0 0 1", "-1 0 0 0 1 0 0 0 1");
    let turned = turned.replace("= 0.5 0.75", "= -0.5 0.75");
    let turned = format!("{turned}ElementDataFile = LOCAL\n");
    assert_lps(
        &folder
            .image("e.mha", &[turned.as_bytes(), &little])
            .unwrap(),
    );
}

#[test]
fn metaimage_is_read_attached_and_detached_plain_and_packed() {
    let folder = Folder::new();
    let (little, big) = (shorts(i16::to_le_bytes), shorts(i16::to_be_bytes));
    let local = format!("{META}ElementDataFile = LOCAL\n");
    assert_lps(&folder.image("a.mha", &[local.as_bytes(), &little]).unwrap());
    let msb = format!(
        "BinaryDataByteOrderMSB = True\n{META}CompressedData = True\nElementDataFile = a.zraw\n"
    );
    folder.write("a.zraw", &[&packed(&big, false)]);
    assert_lps(&folder.image("a.mhd", &[msb.as_bytes()]).unwrap());
    let last = format!("{META}HeaderSize = -1\nElementDataFile = b.raw\n");
    folder.write("b.raw", &[&[7; 5], &little]);
    assert_lps(&folder.image("b.mhd", &[last.as_bytes()]).unwrap());

    // The matrix lists the direction of each axis: here the first stored axis runs to the posterior.
    let turned = META.replace("1 0 0 0 1 0 0 0 1", "0 1 0 1 0 0 0 0 1");
    let turned = format!("{turned}ElementDataFile = LOCAL\n");
    let volume = folder
        .image("t.mha", &[turned.as_bytes(), &little])
        .unwrap();
    assert_eq!(volume.grid.orientation.codes(), "PLS");
    assert_eq!(volume.grid.shape, [2, 3, 2]);
    assert_eq!(volume.grid.spacing_mm, [0.75, 0.5, 3.0]);
}

#[test]
fn metaimage_names_the_key_it_cannot_use() {
    let folder = Folder::new();
    let little = shorts(i16::to_le_bytes);
    let good = format!("{META}ElementDataFile = LOCAL\n");
    let refused = |from: &str, to: &str| {
        folder.refused("x.mha", &[good.replace(from, to).as_bytes(), &little])
    };
    for (from, to, expected) in [
        ("ElementDataFile = LOCAL", "", "ElementDataFile"),
        ("= LOCAL", "= LIST", "one file for each slice"),
        ("= LOCAL", "= ../secret.raw", "beside"),
        ("= LOCAL", "= gone.raw", "gone.raw"),
        ("MET_SHORT", "MET_ARRAY", "MET_ARRAY"),
        ("DimSize = 3 2 2", "DimSize = 3 2 -2", "`3 2 -2`"),
        ("DimSize = 3 2 2", "DimSize = 3 2 0", "empty"),
        ("DimSize = 3 2 2", "DimSize = 3 2 2 4 5", "split"),
        ("DimSize = 3 2 2", "DimSize = 3000 2000 20", "again"),
        ("0.5 0.75 3", "0.5 nan 3", "not finite"),
        ("0.5 0.75 3", "0.5 3", "2 numbers"),
        ("BinaryData = True", "BinaryData = False", "text"),
        ("BinaryData = True", "CompressedData = True", "damaged"),
        ("NDims = 3", "ElementNumberOfChannels = 3", "3 values"),
    ] {
        let message = refused(from, to);
        assert!(message.contains(expected), "{to}: {message}");
    }
}
