//! The cases of every op, forward and gradient: plans run through the element reference and on the
//! adapter give what the graph's own reference gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use samora_engine::ops::cases::feeds;
use samora_engine::{Planning, plan};
use samora_tests::cases::{compare, run};
use samora_tests::host::HostProgram;
use samora_tests::{device, portable_device};

/// Largest accepted error, relative to the largest element of the value.
const TOLERANCE: f32 = 2e-4;
/// Mesa's variable for the bits of a vector.
const VECTOR_BITS: &str = "LP_NATIVE_VECTOR_WIDTH";

#[test]
fn plans_on_the_host_agree_with_the_reference() {
    for fuse in [false, true] {
        compare(TOLERANCE, |built, wanted| {
            let planned = plan(&built.graph, wanted, Planning::exact(fuse)).expect("a plan");
            let mut program = HostProgram::new(&built.graph, planned, &feeds());
            program.step();
            wanted.iter().map(|v| program.read(*v)).collect()
        });
    }
}

#[test]
fn fused_plans_on_the_adapter_agree_with_the_reference() {
    if let Some(bits) = vector_bits() {
        let lanes = bits / 32;
        assert_eq!(device().adapter.caps.subgroups, Some((lanes, lanes)));
    }
    compare(TOLERANCE, |built, wanted| {
        run(device(), built, wanted, true)
    });
}

#[test]
fn unfused_plans_on_the_adapter_agree_with_the_reference() {
    compare(TOLERANCE, |built, wanted| {
        run(device(), built, wanted, false)
    });
}

#[test]
fn portable_kernels_on_the_adapter_agree_with_the_reference() {
    compare(TOLERANCE, |built, wanted| {
        run(portable_device(), built, wanted, true)
    });
}

/// Mesa's software adapter compiles kernels for the vectors of the processor it runs on, or for
/// others on request; other adapters have one width, which the tests above run at.
#[test]
fn plans_agree_at_every_vector_width_of_the_software_adapter() {
    let name = &device().adapter.info.name;
    if vector_bits().is_some() || !name.contains("llvmpipe") {
        println!("{name} has vectors of one width: others are not tested");
        return;
    }
    let tests = [
        "fused_plans_on_the_adapter_agree_with_the_reference",
        "portable_kernels_on_the_adapter_agree_with_the_reference",
    ];
    for bits in ["128", "256", "512"] {
        // Mesa 25 and 26 take kernels of another width from a cache that they share.
        let cache = format!("{}/mesa_{bits}", env!("CARGO_TARGET_TMPDIR"));
        let child = Command::new(std::env::current_exe().expect("this test"))
            .arg("--exact")
            .args(tests)
            .env(VECTOR_BITS, bits)
            .env("MESA_SHADER_CACHE_DIR", cache)
            .output()
            .expect("a child");
        let output = String::from_utf8_lossy(&child.stdout);
        let passed = child.status.success() && output.contains("2 passed");
        assert!(passed, "at {bits} bits: {output}");
    }
}

/// The width asked of Mesa's software adapter.
fn vector_bits() -> Option<u32> {
    std::env::var(VECTOR_BITS).ok()?.parse().ok()
}
