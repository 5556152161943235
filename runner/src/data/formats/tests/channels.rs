//! Several values in each voxel, of which one is read.

use super::*;

/// Voxel i of channel c is 100·c + i; of each voxel all values one after the other, or one volume after the other.
fn values(channels: i16, interleaved: bool) -> Vec<u8> {
    let value = |c: i16, i: i16| (100 * c + i).to_le_bytes();
    let all: Vec<[u8; 2]> = match interleaved {
        true => (0..12)
            .flat_map(|i| (0..channels).map(move |c| value(c, i)))
            .collect(),
        false => (0..channels)
            .flat_map(|c| (0..12).map(move |i| value(c, i)))
            .collect(),
    };
    all.concat()
}

/// Each channel is read alone, and none without being asked for or where it is not.
fn check(path: &Path, channels: usize) {
    let lies_as = |channel: usize| {
        let scan = Scan::Channel(path.to_owned(), channel);
        let mut volume = scan.read_image(Arrays::default()).unwrap();
        assert_eq!(scan.read_grid(Arrays::default()).unwrap(), volume.grid);
        let first = 100.0 * channel as f32;
        volume.voxels.iter_mut().for_each(|v| *v -= first);
        assert_lps(&volume);
    };
    (0..channels).for_each(lies_as);
    let beyond = Scan::Channel(path.to_owned(), channels);
    for message in [
        beyond.read_image(Arrays::default()).map(drop).unwrap_err(),
        beyond.read_grid(Arrays::default()).map(drop).unwrap_err(),
    ] {
        let message = message.to_string();
        let lacking = format!("there is no channel {channels}");
        assert!(message.contains(&lacking), "{message}");
    }
    let unasked = [
        read_image(path, Arrays::default()).map(drop).unwrap_err(),
        read_grid(path, Arrays::default()).map(drop).unwrap_err(),
        read_labels(path, Arrays::default()).map(drop).unwrap_err(),
    ];
    for message in unasked {
        let message = message.to_string();
        let count = format!("{channels} values in a voxel");
        for part in [
            count.as_str(),
            "NnUnet(…, channel: …)",
            "Export to labelmap",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn nrrd_channels_first_and_last_plain_and_packed() {
    let folder = Folder::new();
    let axes = "(0.5,0,0) (0,0.75,0) (0,0,3)";
    for (name, sizes, directions, kinds, interleaved) in [
        (
            "a",
            "3 3 2 2",
            format!("none {axes}"),
            "vector domain domain domain",
            true,
        ),
        (
            "b",
            "3 2 2 3",
            format!("{axes} none"),
            "domain domain domain list",
            false,
        ),
    ] {
        let text = NRRD
            .replace("dimension: 3", "dimension: 4")
            .replace("sizes: 3 2 2", &format!("sizes: {sizes}"))
            .replace(axes, &directions)
            .replace("domain domain domain", kinds);
        let voxels = values(3, interleaved);
        let head = |more: &str| format!("{text}endian: little\n{more}\n\n").into_bytes();
        let file = |ending: &str, parts: &[&[u8]]| folder.write(&format!("{name}{ending}"), parts);
        check(&file(".nrrd", &[&head("encoding: raw"), &voxels]), 3);
        let gzip = head("encoding: gzip");
        check(&file(".seg.nrrd", &[&gzip, &packed(&voxels, true)]), 3);
        let last = head("encoding: raw\nbyte skip: -1\ndata file: voxels.raw");
        folder.write("voxels.raw", &[b"something before", &voxels]);
        check(&file(".nhdr", &[&last]), 3);
        // Cut off in the middle of a voxel.
        let cut = file("_cut.nrrd", &[&gzip, &packed(&voxels[..50], true)]);
        let cut = Scan::Channel(cut, 2).read_image(Arrays::default());
        let message = cut.map(drop).unwrap_err().to_string();
        assert!(message.contains("end early or are damaged"), "{message}");
    }
    // Without kinds, the axis whose spacing is no number.
    let text = NRRD
        .replace("dimension: 3", "dimension: 4")
        .replace("sizes: 3 2 2", "sizes: 3 3 2 2")
        .replace(
            &format!("space directions: {axes}\n"),
            "spacings: nan 0.5 0.75 3\n",
        )
        .replace(
            "kinds: domain domain domain\n",
            "endian: little\nencoding: raw\n",
        );
    check(
        &folder.write(
            "c.nrrd",
            &[format!("{text}\n").as_bytes(), &values(3, true)],
        ),
        3,
    );
}

#[test]
fn nrrd_values_between_the_axes_of_space_are_refused() {
    let folder = Folder::new();
    let text = NRRD
        .replace("dimension: 3", "dimension: 4")
        .replace("sizes: 3 2 2", "sizes: 3 2 2 2")
        .replace("(0.5,0,0) (0", "(0.5,0,0) none (0");
    let text = format!("{text}endian: little\nencoding: raw\n\n");
    let message = folder.refused("a.nrrd", &[text.as_bytes(), &values(2, false)]);
    assert!(message.contains("the first or the last"), "{message}");
}

#[test]
fn metaimage_channels_and_volumes_plain_and_packed() {
    let folder = Folder::new();
    let several = format!("{META}ElementNumberOfChannels = 2\n");
    let volumes = META
        .replace("NDims = 3", "NDims = 4")
        .replace("1 0 0 0 1 0 0 0 1", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1")
        .replace("10 -20 30", "10 -20 30 0")
        .replace("0.5 0.75 3", "0.5 0.75 3 1")
        .replace("= 3 2 2", "= 3 2 2 2");
    for (name, text, interleaved) in [("a", &several, true), ("b", &volumes, false)] {
        let voxels = values(2, interleaved);
        let local = format!("{text}ElementDataFile = LOCAL\n");
        let path = folder.write(&format!("{name}.mha"), &[local.as_bytes(), &voxels]);
        check(&path, 2);
        let zipped = format!("{text}CompressedData = True\nElementDataFile = {name}.zraw\n");
        folder.write(&format!("{name}.zraw"), &[&packed(&voxels, false)]);
        check(
            &folder.write(&format!("{name}.mhd"), &[zipped.as_bytes()]),
            2,
        );
    }
    let both = format!("{volumes}ElementNumberOfChannels = 2\nElementDataFile = LOCAL\n");
    let message = folder.refused("c.mha", &[both.as_bytes(), &values(2, true)]);
    assert!(message.contains("save one volume"), "{message}");
    let none = format!("{META}ElementNumberOfChannels = 0\nElementDataFile = LOCAL\n");
    let message = folder.refused("d.mha", &[none.as_bytes(), &values(1, true)]);
    assert!(message.contains("no values in a voxel"), "{message}");
}

#[test]
fn files_of_one_value_have_no_other() {
    let folder = Folder::new();
    let head = format!("{NRRD}endian: little\nencoding: raw\n\n");
    let voxels = values(1, false);
    let read = |name: &str, channel: usize| {
        let path = folder.write(name, &[head.as_bytes(), &voxels]);
        let image = Scan::Channel(path, channel).read_image(Arrays::default());
        image.map_err(|e| e.to_string())
    };
    assert_lps(&read("a.nrrd", 0).unwrap());
    assert_lps(&read("a_0001.nrrd", 1).unwrap());
    let message = read("a.nrrd", 1).unwrap_err();
    assert!(message.contains("there is no channel 1"), "{message}");
}
