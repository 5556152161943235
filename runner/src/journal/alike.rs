//! Scope paths as tables group them.

/// A path with its numbers as `*`, the same for all blocks of a kind, without what marks the backward pass; and
/// whether that was there.
pub fn alike(path: &str) -> (String, bool) {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts = path.split('.').filter(|part| *part != "backward");
    let parts = parts.map(|part| if is_number(part) { "*" } else { part });
    let backward = path.split('.').any(|part| part == "backward");
    (parts.collect::<Vec<_>>().join("."), backward)
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn blocks_are_alike() {
        let cases = [
            ("blocks.11.attn.qkv.add", "blocks.*.attn.qkv.add", false),
            (
                "blocks.3.attn.backward.matmul",
                "blocks.*.attn.matmul",
                true,
            ),
            ("backward.sum", "sum", true),
        ];
        for (path, name, backward) in cases {
            assert_eq!(alike(path), (name.to_string(), backward), "{path}");
        }
    }
}
