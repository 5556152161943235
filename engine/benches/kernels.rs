//! Kernel rates on the adapter in use: `cargo bench -p samora-engine`, or `… -- gemm` for the rows whose
//! name contains `gemm`.
//!
//! Each row runs alternately with the baseline, a plain hand-unrolled 8×16 register tile at 512³, so
//! that the ratio survives a busy machine. Medians over the rounds; GFLOP/s or GB/s.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use samora_engine::DeviceOptions;
use samora_engine::gpu::{Device, Program};
use samora_engine::ops::attention::Attend;
use samora_engine::{Graph, Init, Planning, Tensor, Value, plan};
use samora_shaders::Tokens;

const ROUNDS: usize = 9;

struct Row {
    name: &'static str,
    /// Work per step in units of 10⁹ (FLOP or bytes), and its name.
    work: f64,
    unit: &'static str,
    build: fn(&mut Graph) -> Value,
}

fn main() {
    let device = Device::open(&DeviceOptions::default()).expect("an adapter");
    println!(
        "adapter: {} ({}, {})",
        device.adapter.info.name, device.adapter.info.backend, device.adapter.info.driver
    );
    let baseline = baseline::RegisterTile::new(&device);
    let matmul = |m: usize, n: usize, k: usize| 2e-9 * (m * n * k) as f64;
    let rows = [
        Row {
            name: "gemm NN 512x512x512",
            work: matmul(512, 512, 512),
            unit: "GFLOP/s",
            build: |g| nn(g, 512, 512, 512),
        },
        Row {
            name: "gemm NT 512x512x512",
            work: matmul(512, 512, 512),
            unit: "GFLOP/s",
            build: |g| nt(g, 512, 512, 512),
        },
        Row {
            name: "gemm TN 512x512x512",
            work: matmul(512, 512, 512),
            unit: "GFLOP/s",
            build: |g| tn(g, 512, 512, 512),
        },
        Row {
            name: "gemm NT 392x2304x768",
            work: matmul(392, 2304, 768),
            unit: "GFLOP/s",
            build: |g| nt(g, 392, 2304, 768),
        },
        Row {
            name: "gemm NT 392x768x3072",
            work: matmul(392, 768, 3072),
            unit: "GFLOP/s",
            build: |g| nt(g, 392, 768, 3072),
        },
        Row {
            name: "gemm NT 784x384x96",
            work: matmul(784, 384, 96),
            unit: "GFLOP/s",
            build: |g| nt(g, 784, 384, 96),
        },
        Row {
            name: "gemm NT 1536x48x48",
            work: matmul(1536, 48, 48),
            unit: "GFLOP/s",
            build: |g| nt(g, 1536, 48, 48),
        },
        Row {
            name: "gemm NN 1536x48x48",
            work: matmul(1536, 48, 48),
            unit: "GFLOP/s",
            build: |g| nn(g, 1536, 48, 48),
        },
        Row {
            name: "gemm TN 48x48x1536",
            work: matmul(48, 48, 1536),
            unit: "GFLOP/s",
            build: |g| tn(g, 48, 48, 1536),
        },
        Row {
            name: "gemm NT 1536x192x48",
            work: matmul(1536, 192, 48),
            unit: "GFLOP/s",
            build: |g| nt(g, 1536, 192, 48),
        },
        Row {
            name: "gemm TN 192x48x1536",
            work: matmul(192, 48, 1536),
            unit: "GFLOP/s",
            build: |g| tn(g, 192, 48, 1536),
        },
        Row {
            name: "gemm NN 24576x216x24 (windows' gradient)",
            work: matmul(24576, 216, 24),
            unit: "GFLOP/s",
            build: |g| nn(g, 24576, 216, 24),
        },
        Row {
            name: "gemm NT 1024x4x768 (LoRA down)",
            work: matmul(1024, 4, 768),
            unit: "GFLOP/s",
            build: |g| nt(g, 1024, 4, 768),
        },
        Row {
            name: "gemm TN 4x768x1024 (LoRA gradient)",
            work: matmul(4, 768, 1024),
            unit: "GFLOP/s",
            build: |g| tn(g, 4, 768, 1024),
        },
        Row {
            name: "attention 2x12x196x64",
            work: 4e-9 * (2 * 12 * 196 * 196 * 64) as f64,
            unit: "GFLOP/s",
            build: attention,
        },
        Row {
            name: "layer_norm 2048x768",
            work: 8e-9 * (2048 * 768) as f64,
            unit: "GB/s",
            build: layer_norm,
        },
        Row {
            name: "softmax 2048x768",
            work: 8e-9 * (2048 * 768) as f64,
            unit: "GB/s",
            build: softmax,
        },
        Row {
            name: "gelu 2048x768",
            work: 8e-9 * (2048 * 768) as f64,
            unit: "GB/s",
            build: gelu,
        },
        Row {
            name: "column sum 2048x768",
            work: 4e-9 * (2048 * 768) as f64,
            unit: "GB/s",
            build: column_sum,
        },
    ];
    println!(
        "{:36} {:>10} {:>16} {:>10} {:>8}",
        "kernel", "ms", "rate", "baseline", "ratio"
    );
    let wanted = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let wanted = wanted.unwrap_or_default();
    for row in rows.iter().filter(|r| r.name.contains(&wanted)) {
        let mut graph = Graph::new();
        let y = (row.build)(&mut graph);
        let planned = plan(&graph, &[y], Planning::exact(true)).expect("a plan");
        let tensors: BTreeMap<String, Tensor> = graph
            .params()
            .map(|p| {
                (
                    p.name.clone(),
                    Init::Uniform(1.0).draw(graph.shape(p.value), 1, &p.name),
                )
            })
            .collect();
        let mut program = Program::new(&device, &graph, planned, &tensors).expect("a program");
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for round in 0..ROUNDS + 2 {
            let repeats = (0.05 / row.work).clamp(1.0, 20.0) as usize;
            let start = Instant::now();
            for _ in 0..repeats {
                program.step(&[]).expect("a step");
            }
            device.wait().expect("a device");
            let seconds = start.elapsed().as_secs_f64() / repeats as f64;
            let base = baseline.run(&device);
            if round >= 2 {
                ours.push(seconds);
                theirs.push(base);
            }
        }
        let (t, b) = (median(&mut ours), median(&mut theirs));
        let (rate, base) = (row.work / t, matmul(512, 512, 512) / b);
        println!(
            "{:36} {:>10.3} {:>8.1} {:7} {:>10.1} {:>8.2}",
            row.name,
            t * 1e3,
            rate,
            row.unit,
            base,
            rate / base
        );
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn nn(g: &mut Graph, m: usize, n: usize, k: usize) -> Value {
    let (a, b) = (weight(g, "a", &[m, k]), weight(g, "b", &[k, n]));
    g.matmul(a, b)
}

fn nt(g: &mut Graph, m: usize, n: usize, k: usize) -> Value {
    let (a, b) = (weight(g, "a", &[m, k]), weight(g, "b", &[n, k]));
    let b = g.transpose(b);
    g.matmul(a, b)
}

fn tn(g: &mut Graph, m: usize, n: usize, k: usize) -> Value {
    let (a, b) = (weight(g, "a", &[k, m]), weight(g, "b", &[k, n]));
    let a = g.transpose(a);
    g.matmul(a, b)
}

fn attention(g: &mut Graph) -> Value {
    let qkv = weight(g, "qkv", &[2, 196, 2304]);
    let [q, k, v] = [0, 768, 1536].map(|at| g.slice(qkv, 2, at, 768));
    let tokens = Tokens::Sequence {
        queries: 196,
        keys: 196,
    };
    g.attention(q, k, v, Attend::plain(12, tokens))
}

fn layer_norm(g: &mut Graph) -> Value {
    let x = weight(g, "x", &[2048, 768]);
    let (gamma, beta) = (weight(g, "gamma", &[768]), weight(g, "beta", &[768]));
    g.layer_norm(x, gamma, beta, 1e-6)
}

fn softmax(g: &mut Graph) -> Value {
    let x = weight(g, "x", &[2048, 768]);
    g.softmax(x)
}

fn gelu(g: &mut Graph) -> Value {
    let x = weight(g, "x", &[2048, 768]);
    g.gelu(x)
}

fn column_sum(g: &mut Graph) -> Value {
    let x = weight(g, "x", &[2048, 768]);
    g.sum(x, &[0])
}

fn weight(g: &mut Graph, name: &str, shape: &[usize]) -> Value {
    g.param(name, shape, Init::Uniform(1.0))
}

mod baseline {
    //! The reference point: one multiply of 512×512 matrices by a plain register-tile kernel.

    use super::*;

    pub(super) struct RegisterTile {
        pipeline: wgpu::ComputePipeline,
        group: wgpu::BindGroup,
    }

    impl RegisterTile {
        pub(super) fn new(device: &Device) -> Self {
            let wgpu = device.raw();
            let module = wgpu.0.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source().into()),
            });
            let pipeline = wgpu
                .0
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: None,
                    layout: None,
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: Default::default(),
                    cache: None,
                });
            let buffers: Vec<wgpu::Buffer> = (0..3)
                .map(|_| {
                    wgpu.0.create_buffer(&wgpu::BufferDescriptor {
                        label: None,
                        size: 4 * 512 * 512,
                        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                        mapped_at_creation: false,
                    })
                })
                .collect();
            let entries: Vec<_> = (0..)
                .zip(&buffers)
                .map(|(binding, b)| wgpu::BindGroupEntry {
                    binding,
                    resource: b.as_entire_binding(),
                })
                .collect();
            let layout = pipeline.get_bind_group_layout(0);
            let group = wgpu.0.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &layout,
                entries: &entries,
            });
            Self { pipeline, group }
        }

        /// Seconds of one product.
        pub(super) fn run(&self, device: &Device) -> f64 {
            let wgpu = device.raw();
            let start = Instant::now();
            let mut encoder = wgpu.0.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&self.pipeline);
                pass.set_bind_group(0, &self.group, &[]);
                pass.dispatch_workgroups(4, 8, 1);
            }
            wgpu.1.submit([encoder.finish()]);
            device.wait().expect("a device");
            start.elapsed().as_secs_f64()
        }
    }

    /// Each of 8×8 invocations computes 8 rows × 16 columns, reading B as vec4, nothing shared.
    fn source() -> String {
        let mut s = String::from(
            "@group(0) @binding(0) var<storage, read> a: array<f32>;\n\
             @group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;\n\
             @group(0) @binding(2) var<storage, read_write> c: array<vec4<f32>>;\n\
             @compute @workgroup_size(8, 8)\n\
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
             let row = id.y * 8u; let col = id.x * 4u;\n",
        );
        for r in 0..8 {
            for q in 0..4 {
                let _ = writeln!(s, "var c{r}_{q} = vec4<f32>();");
            }
        }
        s.push_str("for (var k = 0u; k < 512u; k++) {\n");
        for q in 0..4 {
            let _ = writeln!(s, "let b{q} = b[k * 128u + col + {q}u];");
        }
        for r in 0..8 {
            let _ = writeln!(s, "let a{r} = a[(row + {r}u) * 512u + k];");
            for q in 0..4 {
                let _ = writeln!(s, "c{r}_{q} = fma(vec4<f32>(a{r}), b{q}, c{r}_{q});");
            }
        }
        s.push_str("}\n");
        for r in 0..8 {
            for q in 0..4 {
                let _ = writeln!(s, "c[(row + {r}u) * 128u + col + {q}u] = c{r}_{q};");
            }
        }
        s.push_str("}\n");
        s
    }
}
