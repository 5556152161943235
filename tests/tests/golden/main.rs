//! Golden text: a few configurations of each kernel family, emitted exactly as `shaders/golden` has
//! them. `UPDATE_GOLDEN=1 cargo test -p samora-tests --test golden` rewrites the files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attention;
mod cases;
mod products;
mod rows;

use std::path::Path;

use samora_shaders::{Caps, Products, emit};
use samora_tests::naga_check::validate;

use attention::{Pass, wide_heads};

#[test]
fn modules_match_their_golden_text_and_every_backend_accepts_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shaders/golden");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let cases = cases::cases();
    let mut wrong = Vec::new();
    for (name, kernel, caps) in &cases {
        let source = emit(kernel, caps).source;
        let written = validate(&source).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(written.needs.beyond(caps), None, "{name}");
        let file = folder.join(format!("{name}.wgsl"));
        if update {
            std::fs::write(&file, &source).unwrap();
        } else if std::fs::read_to_string(&file).ok().as_ref() != Some(&source) {
            wrong.push(*name);
        }
    }
    assert!(wrong.is_empty(), "golden text differs: {wrong:?}");
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, cases.len(), "files without a case in {folder:?}");
}

/// Hiera's heads are 56, 72 or 96 numbers wide: not whole fragments, or too wide for cooperative matrices.
#[test]
fn hieras_heads_are_emitted_for_every_adapter() {
    let half = Caps {
        subgroups: Some((32, 32)),
        workgroup_memory: 49152,
        products: Products::Half { size: 16 },
        ..Caps::portable()
    };
    let discrete = Caps {
        products: Caps::portable().products,
        ..half
    };
    for width in [56, 72, 96] {
        for pass in [Pass::Forward, Pass::Queries, Pass::Keys] {
            let kernel = wide_heads(pass, width);
            for caps in [Caps::portable(), Caps::software(), discrete, half] {
                let source = emit(&kernel, &caps).source;
                let written = validate(&source).unwrap_or_else(|e| panic!("{width}: {e}"));
                assert_eq!(written.needs.beyond(&caps), None, "{width}");
            }
        }
    }
}
