//! Times of attention at the sizes of ViT-B; `cargo test --profile … attention::benchmark -- --ignored --nocapture`.

use std::time::Instant;

use samora_shaders::Tokens;

use super::tests::{Shape, grid, sequence};

/// Repetitions of which the fastest counts.
const REPEATS: usize = 15;

#[test]
#[ignore = "measures"]
fn times() {
    let window = |padded, sizes| Shape {
        relative: true,
        pads: padded,
        ..grid(12, 64, sizes)
    };
    let shapes = [
        ("196 tokens", sequence(12, 64, 196, 196)),
        ("1024 tokens", sequence(12, 64, 1024, 1024)),
        ("SAM: a window of 14×14", window(false, [14, 14, 14, 14])),
        (
            "SAM: windows of 14×14 over 32×32",
            window(true, [32, 32, 14, 14]),
        ),
        ("SAM: 32×32 whole", window(false, [32, 32, 32, 32])),
        ("7 queries, 1024 keys", sequence(8, 16, 7, 1024)),
        ("1024 queries, 7 keys", sequence(8, 16, 1024, 7)),
    ];
    println!("{} threads", rayon::current_num_threads());
    for (name, shape) in shapes {
        shape.passes(|setup, pass| {
            let products = match pass {
                "forward" => 2,
                "gradient of queries" => 3,
                _ => 4,
            };
            let pairs = match shape.tokens {
                Tokens::Sequence { queries, keys } => queries * keys,
                Tokens::Grid {
                    height,
                    width,
                    window_h,
                    window_w,
                } => {
                    let lengths = |all: usize, window: usize| {
                        (0..all).step_by(window).map(move |at| window.min(all - at))
                    };
                    let rows = lengths(height, window_h);
                    let areas = rows.flat_map(|h| lengths(width, window_w).map(move |w| h * w));
                    areas.map(|area| area * area).sum()
                }
            };
            let flops = 2 * products * shape.heads * shape.width * pairs;
            let mut best = f64::INFINITY;
            let mut written = Vec::new();
            for _ in 0..REPEATS {
                let start = Instant::now();
                written = setup.run();
                best = best.min(start.elapsed().as_secs_f64());
            }
            let rate = flops as f64 / best / 1e9;
            println!(
                "{name:<34} {pass:<29} {:8.3} ms {rate:7.1} GFLOP/s",
                best * 1e3
            );
            written
        });
    }
}
