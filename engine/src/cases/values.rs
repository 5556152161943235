//! Values known from PyTorch's definitions, and ops against their plain formulation.

use std::collections::HashMap;

use samora_shaders::Tokens;

use super::{cases, operand};
use crate::cpu::evaluate;
use crate::nn::loss;
use crate::ops::attention::Attend;
use crate::{Graph, Init, Tensor, Value, random};

/// Evaluates one value of a graph whose inputs are `feeds`.
fn value(g: &mut Graph, feeds: &[(&str, Tensor)], wanted: Value) -> Vec<f32> {
    g.check().expect("a valid graph");
    let feeds: HashMap<String, Tensor> = feeds
        .iter()
        .map(|(n, t)| (n.to_string(), t.clone()))
        .collect();
    evaluate(g, &feeds, &[wanted]).expect("a value")[0]
        .as_f32()
        .to_vec()
}

fn constant(g: &mut Graph, name: &str, shape: &[usize], data: &[f32]) -> Value {
    g.constant(name, Tensor::f32(shape, data.to_vec()))
}

fn assert_close(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        let close = (a - b).abs() <= 2e-5 * b.abs().max(1.0);
        assert!(close, "element {i} is {a}, not {b}");
    }
}

#[test]
fn case_names_are_unique() {
    let mut names: Vec<&str> = cases().iter().map(|c| c.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
}

#[test]
fn row_ops_have_their_textbook_values() {
    let mut g = Graph::new();
    let x = constant(&mut g, "x", &[1, 4], &[1.0, 2.0, 3.0, 4.0]);
    let (gamma, beta) = (g.fill(&[4], 2.0), g.fill(&[4], 1.0));
    let y = g.softmax(x);
    let want = [0.032_058_604, 0.087_144_32, 0.236_882_82, 0.643_914_3];
    assert_close(&value(&mut g, &[], y), &want);
    let y = g.log_softmax(x);
    let want = [-3.440_189_8, -2.440_189_8, -1.440_189_8, -0.440_189_72];
    assert_close(&value(&mut g, &[], y), &want);
    let y = g.layer_norm(x, gamma, beta, 1e-5);
    let want = [-1.683_271, 0.105_576_4, 1.894_423_6, 3.683_271];
    assert_close(&value(&mut g, &[], y), &want);
    let y = g.l2_normalize(x, 1e-12);
    let want = [0.182_574_19, 0.365_148_37, 0.547_722_6, 0.730_296_73];
    assert_close(&value(&mut g, &[], y), &want);
    let y = g.gelu(x);
    let want = [0.841_344_7, 1.954_499_7, 2.995_950_2, 3.999_873_3];
    assert_close(&value(&mut g, &[], y), &want);
}

#[test]
fn softmax_of_huge_logits_is_finite() {
    let mut g = Graph::new();
    let x = constant(&mut g, "x", &[3], &[3.0e38, 0.0, -3.0e38]);
    let (p, log) = (g.softmax(x), g.log_softmax(x));
    assert_close(&value(&mut g, &[], p), &[1.0, 0.0, 0.0]);
    assert!(value(&mut g, &[], log)[0] == 0.0);
}

#[test]
fn resize_samples_between_pixel_centres() {
    let mut g = Graph::new();
    let x = constant(&mut g, "x", &[1, 1, 4, 1], &[0.0, 1.0, 2.0, 3.0]);
    let up = g.resize_bilinear(x, 1, 8);
    let want = [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0];
    assert_close(&value(&mut g, &[], up), &want);
    let down = g.resize_bilinear(x, 1, 2);
    assert_close(&value(&mut g, &[], down), &[0.5, 2.5]);
    let odd = g.resize_bilinear(x, 2, 3);
    let want = [1.0 / 6.0, 1.5, 17.0 / 6.0];
    assert_close(&value(&mut g, &[], odd), &[want, want].concat());
}

#[test]
fn convolution_is_the_sum_over_the_window() {
    let ([b, h, w, c], [out, _, kh, kw]) = ([2, 5, 6, 3], [4, 3, 3, 2]);
    let (stride, [top, bottom, left, right]) = (2, [1, 0, 0, 2]);
    let x = Init::Normal(1.0).draw(&[b, h, w, c], 0, "x");
    let k = Init::Normal(1.0).draw(&[out, c, kh, kw], 0, "k");
    let mut g = Graph::new();
    let (xv, kv) = (g.constant("x", x.clone()), g.constant("k", k.clone()));
    let y = g.conv2d(xv, kv, None, stride, [top, bottom, left, right]);
    let (oh, ow) = (
        (h + top + bottom - kh) / stride + 1,
        (w + left + right - kw) / stride + 1,
    );
    assert_eq!(g.shape(y), [b, oh, ow, out]);
    let mut want = Vec::new();
    for i in 0..b * oh * ow * out {
        let (n, oy, ox, o) = (i / out / ow / oh, i / out / ow % oh, i / out % ow, i % out);
        let mut sum = 0.0;
        for t in 0..c * kh * kw {
            let (ic, ky, kx) = (t / kw / kh, t / kw % kh, t % kw);
            let (Some(iy), Some(ix)) = (
                (oy * stride + ky).checked_sub(top).filter(|&v| v < h),
                (ox * stride + kx).checked_sub(left).filter(|&v| v < w),
            ) else {
                continue;
            };
            let pixel = x.at(((n * h + iy) * w + ix) * c + ic);
            sum += pixel * k.at(((o * c + ic) * kh + ky) * kw + kx);
        }
        want.push(sum as f32);
    }
    assert_close(&value(&mut g, &[], y), &want);
}

#[test]
fn transposed_convolution_spreads_each_pixel() {
    let mut g = Graph::new();
    let x = constant(&mut g, "x", &[1, 1, 2, 1], &[1.0, 10.0]);
    let w = constant(&mut g, "w", &[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let bias = g.fill(&[1], 0.5);
    let y = g.conv_transpose2x2(x, w, Some(bias));
    assert_eq!(g.shape(y), [1, 2, 4, 1]);
    let want = [1.5, 2.5, 10.5, 20.5, 3.5, 4.5, 30.5, 40.5];
    assert_close(&value(&mut g, &[], y), &want);
}

#[test]
fn pooling_ignores_or_counts_the_border() {
    let mut g = Graph::new();
    let x = constant(&mut g, "x", &[1, 2, 2, 1], &[-1.0, -2.0, -3.0, -4.0]);
    let largest = g.max_pool(x, 3, 2, [1, 1, 1, 1]);
    assert_close(&value(&mut g, &[], largest), &[-1.0]);
    let mean = g.avg_pool(x, 2, 2, [0, 0, 1, 1]);
    assert_close(&value(&mut g, &[], mean), &[-1.0, -1.5]);
}

/// Attention from products and a softmax over `[b, heads, n, m]`; `bias` is added to the logits.
fn plain_attention(g: &mut Graph, qkv: [Value; 3], heads: usize, bias: Option<Value>) -> Value {
    let [b, n, c] = g.dims::<3>(qkv[0]);
    let [q, k, v] = qkv.map(|x| {
        let tokens = g.shape(x)[1];
        let split = g.reshape(x, &[b, tokens, heads, c / heads]);
        g.permute(split, &[0, 2, 1, 3])
    });
    let kt = g.transpose(k);
    let logits = g.matmul(q, kt);
    let mut logits = g.scale(logits, 1.0 / ((c / heads) as f32).sqrt());
    if let Some(bias) = bias {
        logits = g.add(logits, bias);
    }
    let p = g.softmax(logits);
    let y = g.matmul(p, v);
    let y = g.permute(y, &[0, 2, 1, 3]);
    g.reshape(y, &[b, n, c])
}

#[test]
fn attention_is_softmax_of_products() {
    let mut g = Graph::new();
    let q = operand(&mut g, "q", &[2, 3, 8]);
    let (k, v) = (
        operand(&mut g, "k", &[2, 5, 8]),
        operand(&mut g, "v", &[2, 5, 8]),
    );
    let cfg = Attend {
        heads: 2,
        tokens: Tokens::Sequence {
            queries: 3,
            keys: 5,
        },
        rel_pos: None,
        distance_bias: None,
        pad_kv: None,
        scale: None,
    };
    let fast = g.attention(q, k, v, cfg);
    let plain = plain_attention(&mut g, [q, k, v], 2, None);
    assert_close(&value(&mut g, &[], fast), &value(&mut g, &[], plain));
}

/// SAM's block: tokens are padded to whole windows after the norm, so that pads carry the qkv bias,
/// each window attends to itself with `rel[i, j] = q·R_h[y_i − y_j + s − 1] + q·R_w[…]`, and pads
/// are dropped.
#[test]
fn windowed_attention_is_sam_with_padding() {
    let (h, w, s, c, heads) = (3, 5, 2, 6, 2);
    let (ph, pw) = (4, 6);
    let mut g = Graph::new();
    let x = operand(&mut g, "x", &[1, h, w, 3 * c]);
    let bias = operand(&mut g, "bias", &[3 * c]);
    let tables = ["rh", "rw"].map(|n| operand(&mut g, n, &[2 * s - 1, c / heads]));

    let qkv = g.add(x, bias);
    let flat = g.reshape(qkv, &[1, h * w, 3 * c]);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(flat, 2, i * c, c));
    let [_, pad_k, pad_v] = [0, 1, 2].map(|i| g.slice(bias, 0, i * c, c));
    let cfg = Attend {
        heads,
        tokens: Tokens::Grid {
            height: h,
            width: w,
            window_h: s,
            window_w: s,
        },
        rel_pos: Some((tables[0], tables[1])),
        distance_bias: None,
        pad_kv: Some((pad_k, pad_v)),
        scale: None,
    };
    let fast = g.attention(q, k, v, cfg);

    let windows = |g: &mut Graph, x: Value| {
        let channels = g.shape(x)[3];
        let split = g.reshape(x, &[ph / s, s, pw / s, s, channels]);
        let split = g.permute(split, &[0, 2, 1, 3, 4]);
        g.reshape(split, &[ph / s * pw / s, s * s, channels])
    };
    let padded = g.pad(x, 1, 0, ph - h);
    let padded = g.pad(padded, 2, 0, pw - w);
    let padded = g.add(padded, bias);
    let rows = windows(&mut g, padded);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(rows, 2, i * c, c));
    let count = g.shape(q)[0];
    let split = g.reshape(q, &[count, s * s, heads, c / heads]);
    let queries = g.permute(split, &[0, 2, 1, 3]);
    // The table row of every pair, by gathering from the tables.
    let position = |t: usize, axis: usize| if axis == 0 { t / s } else { t % s };
    let mut rel = None;
    for (axis, table) in tables.into_iter().enumerate() {
        let row = |p: usize| position(p / (s * s), axis) + s - 1 - position(p % (s * s), axis);
        let ids = (0..(s * s).pow(2)).map(|p| row(p) as u32).collect();
        let ids = g.constant(
            &format!("ids{axis}"),
            Tensor::u32(&[1, (s * s).pow(2)], ids),
        );
        let table = g.reshape(table, &[1, 2 * s - 1, c / heads]);
        let picked = g.gather(table, 1, ids);
        let picked = g.reshape(picked, &[1, 1, s * s, s * s, c / heads]);
        let each = g.reshape(queries, &[count, heads, s * s, 1, c / heads]);
        let products = g.mul(picked, each);
        let term = g.sum(products, &[4]);
        rel = Some(rel.map_or(term, |r| g.add(r, term)));
    }
    let y = plain_attention(&mut g, [q, k, v], heads, rel);
    let y = g.reshape(y, &[1, ph / s, pw / s, s, s, c]);
    let y = g.permute(y, &[0, 1, 3, 2, 4, 5]);
    let y = g.reshape(y, &[1, ph, pw, c]);
    let y = g.slice(y, 1, 0, h);
    let plain = g.slice(y, 2, 0, w);
    assert_close(&value(&mut g, &[], fast), &value(&mut g, &[], plain));
}

#[test]
fn noise_is_the_hosts_and_differs_between_sites_and_keys() {
    let mut g = Graph::new();
    let (a, b) = g.within("deep", |g| (g.uniform_noise(&[64]), g.uniform_noise(&[64])));
    let feed = |low, high| [("random", Tensor::u32(&[2], vec![low, high]))];
    let first = value(&mut g, &feed(9, 4), a);
    let host: Vec<f32> = (0..64).map(|i| random::uniform([9, 4], 0, i)).collect();
    assert_eq!(first, host);
    assert_ne!(first, value(&mut g, &feed(9, 4), b));
    assert_ne!(first, value(&mut g, &feed(9, 5), a));
    assert_ne!(first, value(&mut g, &feed(8, 4), a));
}

#[test]
fn dropout_keeps_the_mean() {
    let mut g = Graph::new();
    let x = g.fill(&[4000], 1.0);
    let y = g.dropout(x, 0.25);
    let y = value(&mut g, &[("random", Tensor::u32(&[2], vec![1, 2]))], y);
    assert!(y.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    let mean = y.iter().sum::<f32>() / 4000.0;
    assert!((mean - 1.0).abs() < 0.04, "{mean}");
}

#[test]
fn normal_noise_has_unit_variance() {
    let mut g = Graph::new();
    let z = g.normal_noise(&[4000]);
    let z = value(&mut g, &[("random", Tensor::u32(&[2], vec![1, 2]))], z);
    let moment = |k: i32| z.iter().map(|v| v.powi(k)).sum::<f32>() / 4000.0;
    assert!(moment(1).abs() < 0.05 && (moment(2) - 1.0).abs() < 0.1);
}

#[test]
fn losses_have_the_values_of_their_definitions() {
    let mut g = Graph::new();
    let uniform = g.fill(&[2, 4], 0.3);
    let labels = g.constant("labels", Tensor::u32(&[2], vec![0, 2]));
    let ce = loss::cross_entropy(&mut g, uniform, labels);
    assert_close(&value(&mut g, &[], ce), &[4.0f32.ln()]);
    // p = ¼ everywhere: classes with one pixel have (2·¼ + s)/(2/16 + 1 + s), the others about 0.
    let dice = loss::dice_loss(&mut g, uniform, labels);
    let want = 1.0 - 0.5 * (0.5 / 1.125) - 0.5 * (1e-5 / 0.125);
    assert_close(&value(&mut g, &[], dice), &[want]);
    let p = constant(&mut g, "p", &[2, 2], &[0.5, 0.5, 1.0, 0.0]);
    let t = constant(&mut g, "t", &[2, 2], &[1.0, 0.0, 1.0, 0.0]);
    let (soft, mse) = (loss::soft_dice(&mut g, p, t), loss::mse(&mut g, p, t));
    assert_close(&value(&mut g, &[], soft), &[0.25]);
    assert_close(&value(&mut g, &[], mse), &[0.125]);
}

#[test]
fn nt_xent_sums_the_means_of_both_views() {
    let (n, d, temperature) = (3, 4, 0.1);
    let mut g = Graph::new();
    let hidden = Init::Normal(1.0).draw(&[2 * n, d], 0, "h");
    let h = g.constant("h", hidden.clone());
    let got = loss::nt_xent(&mut g, h, temperature);
    let row = |i: usize| -> Vec<f64> {
        let row: Vec<f64> = (0..d).map(|k| hidden.at(i * d + k)).collect();
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        row.iter().map(|v| v / norm).collect()
    };
    let similarity = |i: usize, j: usize| -> f64 {
        let product: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
        product / f64::from(temperature)
    };
    let each = |i: usize| {
        let others = (0..2 * n).filter(|&j| j != i);
        let total: f64 = others.map(|j| similarity(i, j).exp()).sum();
        total.ln() - similarity(i, (i + n) % (2 * n))
    };
    let want = (0..2 * n).map(each).sum::<f64>() / n as f64;
    assert_close(&value(&mut g, &[], got), &[want as f32]);
}
