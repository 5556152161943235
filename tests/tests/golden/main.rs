//! Golden text: a few configurations of each kernel family, emitted exactly as `shaders/golden` has
//! them. `UPDATE_GOLDEN=1 cargo test -p samora-tests --test golden` rewrites the files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attention;
mod cases;
mod products;
mod rows;

use std::path::Path;

use samora_shaders::emit;
use samora_tests::naga_check::validate;

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
