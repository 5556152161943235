#![allow(clippy::expect_used, clippy::panic)]

use pulp::Arch;
use samora_shaders::reference::{Words, element};
use samora_shaders::{Attention, AttentionPass, HeadRows, Kernel, Part, Saved, Tokens};

use super::run;
use crate::ops::attention::CASES;
use crate::{Lowering, Value, cpu};

/// Allowed difference, relative to the largest element.
const TOLERANCE: f64 = 1e-5;

/// A made-up attention.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) heads: usize,
    pub(super) width: usize,
    pub(super) tokens: Tokens,
    /// Of the result, of queries, of keys, of values.
    pub(super) batches: [usize; 4],
    pub(super) relative: bool,
    pub(super) biased: bool,
    pub(super) pads: bool,
}

/// Numbers of a pass: what each binding holds, and the lengths of those that are written.
pub(super) struct Setup {
    kernel: Attention,
    reads: Vec<Vec<f32>>,
    writes: Vec<usize>,
}

impl Setup {
    pub(super) fn run(&self) -> Vec<Vec<f32>> {
        self.written(|a, reads, writes| run(Arch::new(), a, reads, writes))
    }

    fn written(&self, run: impl Fn(&Attention, &[&[f32]], &mut [&mut [f32]])) -> Vec<Vec<f32>> {
        let reads: Vec<&[f32]> = self.reads.iter().map(|r| &r[..]).collect();
        let mut written: Vec<Vec<f32>> = self.writes.iter().map(|n| vec![f32::NAN; *n]).collect();
        let mut writes: Vec<&mut [f32]> = written.iter_mut().map(|w| &mut w[..]).collect();
        run(&self.kernel, &reads, &mut writes);
        written
    }

    /// Compares all that is written, by all vectors that the processor has, with the reference, and returns it.
    fn check(&self, name: &str) -> Vec<Vec<f32>> {
        let kernel = Kernel::Attention(self.kernel.clone());
        let words: Vec<Words> = self.reads.iter().cloned().map(Words::F32).collect();
        let by = |arch: Arch| self.written(move |a, reads, writes| run(arch, a, reads, writes));
        let by_arch: Vec<_> = archs().into_iter().map(|arch| (arch, by(arch))).collect();
        let outputs: Vec<usize> = self
            .kernel
            .clone()
            .outputs_mut()
            .iter()
            .map(|o| **o)
            .collect();
        for (k, (output, len)) in outputs.into_iter().zip(&self.writes).enumerate() {
            let want: Vec<f64> = (0..*len)
                .map(|i| element(&kernel, &words, output, i).expect("an element"))
                .collect();
            assert_eq!(
                element(&kernel, &words, output, *len),
                None,
                "{name}: length"
            );
            let largest = want.iter().fold(0.1f64, |most, x| most.max(x.abs()));
            for (arch, written) in &by_arch {
                for (i, (got, want)) in written[k].iter().zip(&want).enumerate() {
                    let off = (f64::from(*got) - want).abs() / largest;
                    assert!(
                        off <= TOLERANCE,
                        "{name}, {arch:?}: element {i} of binding {output} is {got}, not {want}: \
                         {off:.1e} of {largest}"
                    );
                }
            }
        }
        self.run()
    }
}

/// Vectors of the processor at hand: the widest, none, and what lies between.
fn archs() -> Vec<Arch> {
    let mut archs = vec![Arch::new(), Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    archs.extend(pulp::x86::V3::try_new().map(Arch::V3));
    archs
}

fn random(len: usize, seed: usize) -> Vec<f32> {
    let mut state = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

impl Shape {
    fn counts(&self) -> (usize, usize) {
        match self.tokens {
            Tokens::Sequence { queries, keys } => (queries, keys),
            Tokens::Grid { height, width, .. } => (height * width, height * width),
        }
    }

    /// The three passes in order, each checked, the later ones on what the first saved. Queries lie apart, with
    /// room between them; keys and values share a buffer; small operands lie behind others.
    fn check(&self, name: &str) {
        self.passes(|setup, pass| setup.check(&format!("{name}, {pass}")));
    }

    pub(super) fn passes(&self, mut each: impl FnMut(&Setup, &str) -> Vec<Vec<f32>>) {
        let (c, (queries, keys)) = (self.heads * self.width, self.counts());
        let [batch, of_q, of_k, of_v] = self.batches;
        let (s_y, s_x, windows) = match self.tokens {
            Tokens::Sequence { .. } => (1, 1, 1),
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => {
                let windows = height.div_ceil(window_h) * width.div_ceil(window_w);
                (window_h, window_w, windows)
            }
        };
        let (h_rows, w_rows) = ((2 * s_y - 1) * self.width, (2 * s_x - 1) * self.width);
        let part = |buffer, offset: usize| Part { buffer, offset };
        // q, k and v, tables, bias, pads, dout, lse and delta, rel
        let mut reads = vec![
            random(4 + of_q * queries * (c + 4), 1),
            random(of_k.max(of_v) * keys * 2 * c, 2),
            random(4 + h_rows.next_multiple_of(4) + w_rows, 3),
            random(self.heads * s_y * s_x, 4),
            random(2 * c.next_multiple_of(4), 5),
        ];
        let rows = |buffer, offset, row_stride, batch| HeadRows {
            buffer,
            offset,
            row_stride,
            batch,
        };
        let rel_len = batch * self.heads * queries * (s_y + s_x);
        let mut kernel = Attention {
            pass: AttentionPass::Forward {
                out: 5,
                lse: 6,
                rel: self.relative.then_some(7),
            },
            batch,
            heads: self.heads,
            head_dim: self.width,
            tokens: self.tokens,
            scale: 0.7 / (self.width as f32).sqrt(),
            q: rows(0, 4, c + 4, of_q),
            k: rows(1, 0, 2 * c, of_k),
            v: rows(1, c, 2 * c, of_v),
            rel_pos: self
                .relative
                .then(|| (part(2, 4), part(2, 4 + h_rows.next_multiple_of(4)))),
            distance_bias: self.biased.then(|| part(3, 0)),
            pad_kv: self
                .pads
                .then(|| (part(4, 0), part(4, c.next_multiple_of(4)))),
            bindings: Vec::new(),
        };
        let (out_len, row_len) = (batch * queries * c, batch * self.heads * queries);
        let mut writes = vec![out_len, row_len];
        writes.extend(self.relative.then_some(rel_len));
        let forward = Setup {
            kernel: kernel.clone(),
            reads: [&reads[..], &vec![Vec::new(); writes.len()]].concat(),
            writes,
        };
        let mut saved = each(&forward, "forward").into_iter();
        let (out, lse) = (saved.next().expect("out"), saved.next().expect("lse"));
        let dout = random(out_len, 6);
        let product = |i: usize| -> f32 {
            let (b, h, n) = (
                i / queries / self.heads,
                i / queries % self.heads,
                i % queries,
            );
            let at = (b * queries + n) * c + h * self.width;
            let of = |x: &[f32]| x[at..][..self.width].to_vec();
            of(&out).iter().zip(of(&dout)).map(|(a, b)| a * b).sum()
        };
        let delta: Vec<f32> = (0..row_len).map(product).collect();
        let room = row_len.next_multiple_of(4);
        let lse_room = vec![0.0; room - row_len];
        reads.push(dout);
        reads.push([lse, lse_room, delta].concat());
        reads.push(saved.next().unwrap_or_default());
        let saved = Saved {
            dout: 5,
            lse: part(6, 0),
            delta: part(6, room),
            rel: self.relative.then(|| part(7, 0)),
        };
        kernel.pass = AttentionPass::BackwardQ {
            saved,
            dq: 8,
            drel: self.relative.then_some(9),
        };
        let mut writes = vec![out_len];
        writes.extend(self.relative.then_some(rel_len));
        let setup = |kernel: &Attention, writes: Vec<usize>| Setup {
            kernel: kernel.clone(),
            reads: [&reads[..], &vec![Vec::new(); writes.len()]].concat(),
            writes,
        };
        each(&setup(&kernel, writes), "gradient of queries");
        kernel.pass = AttentionPass::BackwardKv {
            saved,
            dk: 8,
            dv: 9,
            dpad: self.pads.then_some(10),
        };
        kernel.rel_pos = None;
        let mut writes = vec![batch * keys * c; 2];
        writes.extend(self.pads.then_some(batch * windows * 2 * c));
        each(&setup(&kernel, writes), "gradient of keys and values");
    }
}

pub(super) fn sequence(heads: usize, width: usize, queries: usize, keys: usize) -> Shape {
    Shape {
        heads,
        width,
        tokens: Tokens::Sequence { queries, keys },
        batches: [1; 4],
        relative: false,
        biased: false,
        pads: false,
    }
}

pub(super) fn grid(
    heads: usize,
    width: usize,
    [height, columns, window_h, window_w]: [usize; 4],
) -> Shape {
    Shape {
        tokens: Tokens::Grid {
            height,
            width: columns,
            window_h,
            window_w,
        },
        ..sequence(heads, width, 0, 0)
    }
}

#[test]
fn heads_of_every_width() {
    for width in [1, 3, 5, 8, 16, 32, 56, 64, 72, 80, 96] {
        sequence(2, width, 11, 9).check(&format!("heads of {width}"));
    }
}

#[test]
fn numbers_of_tokens_around_those_of_vectors_tiles_and_pieces() {
    for queries in [1, 7, 16, 17, 33, 49, 64, 97, 130] {
        sequence(1, 4, queries, 5).check(&format!("{queries} queries"));
    }
    for keys in [1, 7, 8, 63, 64, 65, 100, 130] {
        sequence(1, 4, 5, keys).check(&format!("{keys} keys"));
    }
    sequence(1, 16, 70, 75).check("70 queries and 75 keys");
}

#[test]
fn operands_of_smaller_batches() {
    for batches in [[4, 2, 4, 1], [3, 1, 3, 3], [2, 2, 1, 1]] {
        let shape = Shape {
            batches,
            ..sequence(2, 8, 9, 20)
        };
        shape.check(&format!("batches {batches:?}"));
    }
}

#[test]
fn windows_that_fit_and_that_overhang() {
    let grids = [
        [4, 6, 2, 3],
        [9, 8, 9, 8],
        [5, 7, 3, 4],
        [3, 3, 5, 4],
        [7, 20, 7, 14],
        [1, 70, 1, 70],
    ];
    for sizes in grids {
        for pads in [false, true] {
            for relative in [false, true] {
                let shape = Shape {
                    pads,
                    relative,
                    batches: [2, 1, 2, 2],
                    ..grid(1, 8, sizes)
                };
                shape.check(&format!("grid {sizes:?}, pads {pads}, relative {relative}"));
            }
        }
    }
    let shape = Shape {
        pads: true,
        relative: true,
        ..grid(2, 64, [4, 5, 4, 4])
    };
    shape.check("heads of 64 in overhanging windows");
}

#[test]
fn a_bias_by_distance() {
    for sizes in [[4, 6, 2, 3], [7, 14, 7, 7], [10, 9, 10, 9]] {
        let shape = Shape {
            biased: true,
            batches: [2, 2, 1, 2],
            ..grid(2, 4, sizes)
        };
        shape.check(&format!("grid {sizes:?}"));
    }
}

#[test]
fn scores_far_from_zero() {
    let mut shape = sequence(1, 4, 20, 70);
    shape.batches = [1; 4];
    shape.passes(|setup, pass| {
        let mut kernel = setup.kernel.clone();
        kernel.scale = 120.0;
        let setup = Setup {
            kernel,
            reads: setup.reads.clone(),
            writes: setup.writes.clone(),
        };
        match pass {
            "forward" => setup.check(pass),
            // Rounding of scores of 100 is 1e-5 in weights.
            _ => setup.run(),
        }
    });
}

#[test]
fn every_case_of_the_op() {
    let mut passes = 0;
    for case in CASES {
        let graph = case.graph().expect("a graph");
        let feeds = crate::cases::feeds();
        for node in graph.graph.nodes() {
            let types: Vec<_> = node
                .inputs
                .iter()
                .map(|v| graph.graph.ty(*v).clone())
                .collect();
            if !node.op.name().starts_with("attention") {
                continue;
            }
            let Lowering::Attention(kernel) = node.op.lower(&types, &node.types) else {
                panic!("{} is no attention", node.op.name());
            };
            let inputs: Vec<Value> = node.inputs.clone();
            let inputs = cpu::evaluate(&graph.graph, &feeds, &inputs).expect("inputs");
            let mut reads: Vec<Vec<f32>> = inputs.iter().map(|t| t.as_f32().to_vec()).collect();
            reads.extend(node.types.iter().map(|_| Vec::new()));
            let writes = node
                .types
                .iter()
                .map(|t| t.shape.iter().product())
                .collect();
            let setup = Setup {
                kernel,
                reads,
                writes,
            };
            setup.check(&format!("{}: {}", case.name, node.op.name()));
            passes += 1;
        }
    }
    assert!(passes >= 3 * CASES.len(), "{passes} passes");
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let shape = Shape {
        pads: true,
        relative: true,
        batches: [2, 2, 1, 2],
        ..grid(3, 12, [20, 17, 14, 14])
    };
    let all = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let mut bits: Vec<Vec<u32>> = Vec::new();
        pool.expect("a pool").install(|| {
            shape.passes(|setup, _| {
                let written = setup.run();
                bits.extend(
                    written
                        .iter()
                        .map(|w| w.iter().map(|x| x.to_bits()).collect()),
                );
                written
            });
        });
        bits
    };
    let one = all(1);
    assert!(
        one.iter()
            .flatten()
            .all(|bits| f32::from_bits(*bits).is_finite())
    );
    for threads in [2, 5] {
        assert!(one == all(threads), "{threads} threads write other bytes");
    }
}
