//! Kernels that are wrong on purpose, each refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use samora_shaders::reference::element;
use samora_shaders::{
    Access, Attention, AttentionPass, Binary, Caps, Expr, Kernel, Leaf, Products, RowsOutput,
    Scalar, Tokens, emit,
};

use super::inputs::inputs;
use super::judge::Expected;
use super::trial::expected;
use super::{Candidate, Trial};
use crate::DeviceOptions;
use crate::gpu::Device;
use crate::gpu::pipeline::pipeline;
use crate::ops::attention::Attend;
use crate::optim::{Backward, OptimConfig, Rule, Schedule, minimise};
use crate::{DType, Error, Graph, Init, Planning, Remat, Step, Value, differentiate, plan};

/// A kernel, and how it can be wrong.
struct Case {
    family: &'static str,
    step: Step,
    wrong: Vec<(&'static str, Kernel)>,
}

impl Case {
    /// Elements of each binding, with room for kernels that are some off in what they read.
    fn room(&self) -> Vec<usize> {
        let bound = self.step.bound.iter().zip(self.step.kernel.bindings());
        bound
            .map(|(bound, b)| bound.len + 4 * usize::from(!b.write))
            .collect()
    }
}

fn steps(g: &Graph, wanted: &[Value]) -> Vec<Step> {
    plan(g, wanted, Planning::exact(true)).unwrap().steps
}

/// The only kernel of what `build` makes of an input of that shape.
fn single(shape: &[usize], build: impl Fn(&mut Graph, Value) -> Value) -> Step {
    let mut g = Graph::new();
    let x = g.input("x", shape, DType::F32);
    let y = build(&mut g, x);
    let mut steps = steps(&g, &[y]);
    assert_eq!(steps.len(), 1, "{steps:?}");
    steps.remove(0)
}

fn cases() -> Vec<Case> {
    let mut all = vec![map(), softmax(), column_sums(), product(), update()];
    all.extend(attention(false));
    all.extend(attention(true));
    all
}

/// Over a permuted tensor.
fn map() -> Case {
    let step = single(&[6, 5, 7], |g, x| {
        let y = g.permute(x, &[2, 0, 1]);
        let y = g.gelu(y);
        g.scale(y, 3.0)
    });
    let mut wrong = constants(&step.kernel, 42);
    wrong.push((
        "swapped axes",
        with_leaf(&step.kernel, |view| {
            *view = samora_shaders::View::contiguous(&[6, 5, 7]).permute(&[2, 1, 0]);
        }),
    ));
    wrong.push(("one element off", shifted(&step.kernel)));
    let family = "map";
    Case {
        family,
        step,
        wrong,
    }
}

fn softmax() -> Case {
    let step = single(&[8, 1024], |g, x| g.softmax(x));
    let mut wrong = constants(&step.kernel, 1024);
    wrong.push(("a missing term", without_first(&step.kernel)));
    wrong.push(("one element off", shifted(&step.kernel)));
    wrong.push((
        "swapped axes",
        with_leaf(&step.kernel, |view| {
            (view.shape, view.strides) = (vec![8, 1024], vec![1, 8]);
        }),
    ));
    wrong.push((
        "a stale row",
        with_leaf(&step.kernel, |view| {
            (view.shape, view.strides) = (vec![8, 1024], vec![0, 1]);
        }),
    ));
    let family = "rows";
    Case {
        family,
        step,
        wrong,
    }
}

/// As a bias gradient, over many rows.
fn column_sums() -> Case {
    let step = single(&[400, 64], |g, x| g.sum(x, &[0]));
    let mut wrong = constants(&step.kernel, 400);
    wrong.push(("a missing term", without_first(&step.kernel)));
    wrong.push(("one element off", shifted(&step.kernel)));
    let Kernel::Rows(mut mean) = step.kernel.clone() else {
        panic!("{:?}", step.kernel);
    };
    for output in &mut mean.outputs {
        let (RowsOutput::Row { value, .. } | RowsOutput::Element { value, .. }) = output;
        let count = mean.expr.push(Scalar::Const(400.0));
        *value = mean.expr.push(Scalar::Binary(Binary::Div, *value, count));
    }
    wrong.push(("a mean", Kernel::Rows(mean)));
    let family = "column sums";
    Case {
        family,
        step,
        wrong,
    }
}

fn product() -> Case {
    let mut g = Graph::new();
    let x = g.input("x", &[96, 96], DType::F32);
    let w = g.input("w", &[96, 96], DType::F32);
    let b = g.input("b", &[96], DType::F32);
    let y = g.matmul(x, w);
    let y = g.add(y, b);
    let y = g.gelu(y);
    let step = steps(&g, &[y]).remove(0);
    let Kernel::Gemm(right) = &step.kernel else {
        panic!("{:?}", step.kernel);
    };
    let mut wrong = constants(&step.kernel, 96);
    let mut edited = |what, edit: &dyn Fn(&mut samora_shaders::Gemm)| {
        let mut gemm = right.clone();
        edit(&mut gemm);
        wrong.push((what, Kernel::Gemm(gemm)));
    };
    edited("a missing term", &|g| {
        g.k -= 1;
        (g.a.view.shape[1], g.b.view.shape[0]) = (g.k, g.k);
    });
    edited("one element off", &|g| g.b.view.offset += 1);
    edited("swapped axes", &|g| g.b.view.strides.reverse());
    edited("no bias", &|g| {
        let first = g.leaves.len();
        assert_eq!(first, 1);
        let mut expr = g.expr.clone();
        let leaf = |s: &&mut Scalar| **s == Scalar::Leaf(0);
        expr.nodes
            .iter_mut()
            .filter(leaf)
            .for_each(|s| *s = Scalar::Const(0.0));
        g.expr = expr;
    });
    // The first 32 terms three times.
    edited("a stale tile", &|g| {
        g.k = 32;
        (g.a.view.shape[1], g.b.view.shape[0]) = (g.k, g.k);
        let mut expr = Expr::default();
        let acc = expr.push(Scalar::Acc);
        let three = expr.push(Scalar::Const(3.0));
        let product = expr.push(Scalar::Binary(Binary::Mul, acc, three));
        let shift = |id: usize| if id == 0 { product } else { id + 2 };
        for scalar in &g.expr.nodes[1..] {
            expr.nodes.push(match *scalar {
                Scalar::Unary(op, a) => Scalar::Unary(op, shift(a)),
                Scalar::Binary(op, a, b) => Scalar::Binary(op, shift(a), shift(b)),
                other => other,
            });
        }
        assert_eq!(g.expr.nodes[0], Scalar::Acc);
        g.outputs[0].value += 2;
        g.expr = expr;
    });
    let family = "gemm";
    Case {
        family,
        step,
        wrong,
    }
}

/// AdamW in place, at a rate at which the parameter hardly moves.
fn update() -> Case {
    let step = {
        let mut g = Graph::new();
        let x = g.input("x", &[64, 32], DType::F32);
        let w = g.param("w", &[64, 32], Init::Normal(1.0));
        let y = g.mul(w, x);
        let loss = g.sum(y, &[0, 1]);
        let optimiser = OptimConfig {
            learning_rate: 1e-4,
            rule: Rule::AdamW {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                weight_decay: 0.01,
                decay_vectors: true,
            },
            schedule: Schedule::Constant,
            clip_norm: None,
        };
        minimise(&mut g, loss, &[w], &optimiser, 10, Backward::default());
        let steps = steps(&g, &[loss]).into_iter();
        let mut updates = steps.filter(|s| {
            let written = s.kernel.bindings().iter().filter(|b| b.write).count();
            written >= 3 && s.lens().contains(&2048)
        });
        updates.next().expect("a kernel updates w, m and v")
    };
    let Kernel::Map(right) = &step.kernel else {
        panic!("{:?}", step.kernel);
    };
    let mut wrong = constants(&step.kernel, 2048);
    // The last that it reads is what weight decay leaves of the parameter.
    let mut kept = right.clone();
    let last = right
        .leaves
        .iter()
        .position(|l| l.buffer == right.bindings.len() - 1);
    let decay = |s: &&mut Scalar| **s == Scalar::Leaf(last.unwrap());
    kept.expr
        .nodes
        .iter_mut()
        .filter(decay)
        .for_each(|s| *s = Scalar::Const(1.0));
    wrong.push(("no weight decay", Kernel::Map(kept)));
    // What each output had before.
    let mut still = right.clone();
    for output in &mut still.outputs {
        let leaf = right.leaves.iter().position(|l| l.buffer == output.buffer);
        output.value = still.expr.push(Scalar::Leaf(leaf.unwrap()));
    }
    wrong.push(("no update", Kernel::Map(still)));
    let mut swapped = right.clone();
    let value = swapped.outputs[0].value;
    swapped.outputs[0].value = swapped.outputs[1].value;
    swapped.outputs[1].value = value;
    wrong.push(("swapped state", Kernel::Map(swapped)));
    wrong.push(("one element off", shifted(&step.kernel)));
    let family = "update";
    Case {
        family,
        step,
        wrong,
    }
}

/// The three passes over 48 tokens, in windows that overhang and with relative positions if `windows`.
fn attention(windows: bool) -> Vec<Case> {
    let mut g = Graph::new();
    let (n, c) = (48, 32);
    let [q, k, v] = ["q", "k", "v"].map(|name| g.input(name, &[2, n, c], DType::F32));
    let mut config = Attend::plain(
        2,
        Tokens::Sequence {
            queries: n,
            keys: n,
        },
    );
    let mut inputs = vec![q, k, v];
    if windows {
        config.tokens = Tokens::Grid {
            height: 6,
            width: 8,
            window_h: 4,
            window_w: 5,
        };
        let tables = (
            g.input("h", &[7, 16], DType::F32),
            g.input("w", &[9, 16], DType::F32),
        );
        let pads = (
            g.input("pk", &[c], DType::F32),
            g.input("pv", &[c], DType::F32),
        );
        inputs.extend([tables.0, tables.1, pads.0, pads.1]);
        (config.rel_pos, config.pad_kv) = (Some(tables), Some(pads));
    }
    let y = g.attention(q, k, v, config);
    let weights = g.input("weights", &[2, n, c], DType::F32);
    let loss = g.mul(y, weights);
    let loss = g.sum(loss, &[0, 1, 2]);
    let gradients = differentiate(&mut g, loss, &inputs, Remat::None);
    let wanted: Vec<Value> = gradients.into_iter().flatten().chain([loss]).collect();
    let steps = steps(&g, &wanted).into_iter();
    let passes = steps.filter(|s| matches!(s.kernel, Kernel::Attention(_)));
    let cases: Vec<Case> = passes.map(wrong_attention).collect();
    assert_eq!(cases.len(), 3);
    cases
}

fn wrong_attention(step: Step) -> Case {
    let Kernel::Attention(right) = step.kernel.clone() else {
        panic!("{:?}", step.kernel);
    };
    let mut wrong = Vec::new();
    let mut edited = |what, edit: &dyn Fn(&mut Attention)| {
        let mut attention = right.clone();
        edit(&mut attention);
        wrong.push((what, Kernel::Attention(attention)));
    };
    edited("equal weights", &|a| a.scale = 0.0);
    edited("half the scale", &|a| a.scale *= 0.5);
    edited("one element off", &|a| a.v.offset += 4);
    edited("keys for values", &|a| {
        (a.k.buffer, a.v.buffer) = (a.v.buffer, a.k.buffer);
    });
    edited("the first batch for all", &|a| {
        (a.q.batch, a.k.batch, a.v.batch) = (1, 1, 1);
    });
    if let Tokens::Grid { .. } = right.tokens {
        edited("swapped windows", &|a| {
            a.tokens = Tokens::Grid {
                height: 8,
                width: 6,
                window_h: 5,
                window_w: 4,
            };
            a.rel_pos = a.rel_pos.map(|(h, w)| (w, h));
        });
        edited("masked pads", &|a| a.pad_kv = None);
    } else {
        edited("a missing key", &|a| {
            a.tokens = Tokens::Sequence {
                queries: 48,
                keys: 47,
            };
        });
    }
    if !matches!(right.pass, AttentionPass::Forward { .. }) {
        edited("no delta", &|a| match &mut a.pass {
            AttentionPass::BackwardQ { saved, .. } | AttentionPass::BackwardKv { saved, .. } => {
                saved.delta = saved.lse;
            }
            AttentionPass::Forward { .. } => {}
        });
    }
    let family = match right.pass {
        AttentionPass::Forward { .. } => "attention",
        AttentionPass::BackwardQ { .. } => "attention dq",
        AttentionPass::BackwardKv { .. } => "attention dkv",
    };
    Case {
        family,
        step,
        wrong,
    }
}

/// Kernels that write 0, or 1/N, to everything.
fn constants(right: &Kernel, n: usize) -> Vec<(&'static str, Kernel)> {
    let constant = |c: f32| {
        let mut kernel = right.clone();
        match &mut kernel {
            Kernel::Map(k) => {
                let value = k.expr.push(Scalar::Const(c));
                k.outputs.iter_mut().for_each(|o| o.value = value);
            }
            Kernel::Gemm(k) => {
                let value = k.expr.push(Scalar::Const(c));
                k.outputs.iter_mut().for_each(|o| o.value = value);
            }
            Kernel::Rows(k) => {
                let constant = k.expr.push(Scalar::Const(c));
                for output in &mut k.outputs {
                    let (RowsOutput::Row { value, .. } | RowsOutput::Element { value, .. }) =
                        output;
                    *value = constant;
                }
            }
            Kernel::Attention(_) => {}
        }
        kernel
    };
    vec![("zero", constant(0.0)), ("1/N", constant(1.0 / n as f32))]
}

fn leaves(kernel: &mut Kernel) -> &mut [Leaf] {
    match kernel {
        Kernel::Map(k) => &mut k.leaves,
        Kernel::Rows(k) => &mut k.leaves,
        Kernel::Gemm(k) => &mut k.leaves,
        Kernel::Attention(_) => panic!("it has no leaves"),
    }
}

fn with_leaf(right: &Kernel, edit: impl Fn(&mut samora_shaders::View)) -> Kernel {
    let mut kernel = right.clone();
    let strided = leaves(&mut kernel)
        .iter_mut()
        .find_map(|leaf| match &mut leaf.access {
            Access::Strided(view) if view.len() > 1 => Some(view),
            _ => None,
        });
    edit(strided.unwrap());
    kernel
}

/// Reads whatever it does not write one element further on.
fn shifted(right: &Kernel) -> Kernel {
    let mut kernel = right.clone();
    let read = |leaf: &&mut Leaf| !right.bindings()[leaf.buffer].write;
    for leaf in leaves(&mut kernel).iter_mut().filter(read) {
        if let Access::Strided(view) = &mut leaf.access {
            view.offset += usize::from(view.strides.iter().any(|s| *s > 0));
        }
    }
    kernel
}

/// The first stage leaves out column 0.
fn without_first(right: &Kernel) -> Kernel {
    let Kernel::Rows(mut rows) = right.clone() else {
        panic!("{right:?}");
    };
    let (at, cols) = (rows.leaves.len(), rows.cols.simplified());
    let (shape, dim) = match cols.strides == [1] {
        true => (vec![rows.rows.len(), cols.len()], 1),
        false => (vec![cols.len(), rows.rows.len()], 0),
    };
    rows.leaves.push(Leaf {
        buffer: 0,
        access: Access::Coord { shape, dim },
    });
    let column = rows.expr.push(Scalar::Leaf(at));
    let zero = rows.expr.push(Scalar::Const(0.0));
    let first = rows.expr.push(Scalar::Binary(Binary::Eq, column, zero));
    let stage = rows.stages.last_mut().unwrap();
    stage.value = rows.expr.push(Scalar::Select(first, zero, stage.value));
    // Stages use values of the expression in order, outputs all of it.
    Kernel::Rows(rows)
}

/// By the host reference alone: what each wrong kernel would have written is refused, and what the right one writes,
/// rounded to f32, is not.
#[test]
fn wrong_kernels_are_refused() {
    let mut passing = Vec::new();
    for case in cases() {
        let (kernel, lens, family) = (&case.step.kernel, case.room(), case.family);
        let shader = emit(kernel, &Caps::portable());
        let candidate = Candidate {
            shader: &shader,
            kernel,
            label: "test",
            lens: lens.clone(),
        };
        let before = inputs(kernel, &shader.bindings, &lens);
        for products in [Products::Exact, Products::Half { size: 16 }] {
            let all = expected(&candidate, &before, products).unwrap();
            let rounded =
                |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
            let zeros = |e: &Expected| vec![0.0; e.places.len()];
            for e in &all {
                assert!(e.judge(&rounded(e.values())).is_none(), "{family}");
                assert!(e.judge(&zeros(e)).is_some(), "{family} may write 0");
            }
            for (what, wrong) in &case.wrong {
                let refused = all.iter().any(|e| {
                    let at = |i: &usize| element(wrong, &before, e.binding, *i);
                    let got = e.places.iter().map(|i| at(i).unwrap_or(f64::NAN));
                    e.judge(&rounded(&got.collect::<Vec<_>>())).is_some()
                });
                if !refused {
                    passing.push(format!("{family}: {what} ({products:?})"));
                }
            }
        }
    }
    assert!(passing.is_empty(), "{passing:#?}");
}

/// On the adapter.
#[test]
fn wrong_kernels_are_refused_on_the_adapter() {
    let mut passing = Vec::new();
    let adapter = std::env::var("SAMORA_ADAPTER").ok();
    let device = Device::open(&DeviceOptions {
        adapter,
        ..DeviceOptions::default()
    })
    .unwrap();
    for case in cases() {
        let lens = case.room();
        let test = |actual: &Kernel| {
            let shader = emit(actual, &device.adapter.caps);
            let candidate = Candidate {
                shader: &shader,
                kernel: &case.step.kernel,
                label: "test",
                lens: lens.clone(),
            };
            let pipeline = pipeline(&device, &shader, "test").unwrap();
            let trial = Trial::new(&device, &candidate).unwrap();
            trial.run(&shader, &pipeline, 1).unwrap();
            trial.verify(&shader)
        };
        let right = test(&case.step.kernel);
        right.unwrap_or_else(|e| panic!("{}: {e}", case.family));
        // One of each: most of the time goes into compiling.
        if let Some((what, wrong)) = case.wrong.last() {
            match test(wrong) {
                Err(Error::Adapter(_)) => {}
                other => passing.push(format!("{}: {what} ({other:?})", case.family)),
            }
        }
    }
    assert!(passing.is_empty(), "{passing:#?}");
}
