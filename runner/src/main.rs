//! Runner binary.
fn main() {}
