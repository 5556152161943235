//! Host evaluation of single rows of attention and its gradients.

use super::words::Words;
use crate::{Attention, AttentionPass, HeadRows, Part, Saved, Tokens};

/// Element `i` of binding `output`.
pub(super) fn element(a: &Attention, buffers: &[Words], output: usize, i: usize) -> Option<f64> {
    let run = Run { a, buffers };
    (i < run.len(output)).then_some(())?;
    let (c, t) = (a.heads * a.head_dim, run.queries());
    let column = |i: usize| (i / c / t, i / c % t, i % c / a.head_dim, i % a.head_dim);
    let row = |i: usize| (i / t / a.heads, i % t, i / t % a.heads);
    match a.pass {
        AttentionPass::Forward { out, lse, rel } => {
            if output == out {
                let (b, n, h, d) = column(i);
                let keys = run.keys_of(n);
                let scores: Vec<f64> = keys.iter().map(|k| run.score(b, h, n, k, None)).collect();
                let top = scores.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = scores.iter().map(|s| (s - top).exp()).sum();
                let value = |(s, k): (&f64, &Key)| (s - top).exp() / total * run.value(b, h, k, d);
                Some(scores.iter().zip(&keys).map(value).sum())
            } else if output == lse {
                let (b, n, h) = row(i);
                let scores: Vec<f64> = run
                    .keys_of(n)
                    .iter()
                    .map(|k| run.score(b, h, n, k, None))
                    .collect();
                let top = scores.iter().copied().fold(f64::MIN, f64::max);
                Some(top + scores.iter().map(|s| (s - top).exp()).sum::<f64>().ln())
            } else if Some(output) == rel {
                let width = run.rel_width();
                let (b, n, h) = row(i / width);
                Some(run.rel_term(b, h, n, i % width))
            } else {
                None
            }
        }
        AttentionPass::BackwardQ { saved, dq, drel } => {
            if output == dq {
                let (b, n, h, d) = column(i);
                let ds: Vec<_> = run
                    .keys_of(n)
                    .into_iter()
                    .map(|k| (run.dscore(&saved, b, h, n, &k), k))
                    .collect();
                let direct: f64 = ds
                    .iter()
                    .map(|(s, k)| s * a.scale as f64 * run.key(b, h, k, d))
                    .sum();
                let relative: f64 = ds.iter().map(|(s, k)| s * run.table_sum(n, k, d)).sum();
                Some(direct + relative)
            } else if Some(output) == drel {
                let width = run.rel_width();
                let (b, n, h) = row(i / width);
                let hit = |k: &Key| {
                    let (y, x) = run.rel_columns(k);
                    y == i % width || x == i % width
                };
                Some(
                    run.keys_of(n)
                        .iter()
                        .filter(|k| hit(k))
                        .map(|k| run.dscore(&saved, b, h, n, k))
                        .sum(),
                )
            } else {
                None
            }
        }
        AttentionPass::BackwardKv {
            saved,
            dk,
            dv,
            dpad,
        } => {
            let gradient = |b, h, d, key: &Key, values: bool| -> f64 {
                let queries = (0..t).filter(|n| run.keys_of(*n).contains(key));
                let term = |n: usize| match values {
                    true => run.probability(&saved, b, h, n, key) * run.dout(&saved, b, h, n, d),
                    false => {
                        run.dscore(&saved, b, h, n, key) * a.scale as f64 * run.query(b, h, n, d)
                    }
                };
                queries.map(term).sum()
            };
            if output == dk || output == dv {
                let keys = run.keys();
                let (b, m, h, d) = (
                    i / c / keys,
                    i / c % keys,
                    i % c / a.head_dim,
                    i % a.head_dim,
                );
                let n = if matches!(a.tokens, Tokens::Grid { .. }) {
                    m
                } else {
                    0
                };
                let key = run.keys_of(n).into_iter().find(|k| k.token == Some(m))?;
                Some(gradient(b, h, d, &key, output == dv))
            } else if Some(output) == dpad {
                let (windows, h, d) = (run.windows().len(), i % c / a.head_dim, i % a.head_dim);
                let (b, w, values) = (i / c / 2 / windows, i / c / 2 % windows, i / c % 2 == 1);
                let first = run.windows()[w];
                let pads = run.keys_of(first).into_iter().filter(|k| k.token.is_none());
                Some(pads.map(|k| gradient(b, h, d, &k, values)).sum())
            } else {
                None
            }
        }
    }
}

/// A key as seen from a window: its token (none for padding) and its place in the window.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    token: Option<usize>,
    window: usize,
    y: usize,
    x: usize,
}

struct Run<'a> {
    a: &'a Attention,
    buffers: &'a [Words],
}

impl Run<'_> {
    fn queries(&self) -> usize {
        self.a.tokens.counts().0
    }

    fn keys(&self) -> usize {
        self.a.tokens.counts().1
    }

    /// Elements of a written binding.
    fn len(&self, output: usize) -> usize {
        let (rows, c) = (
            self.a.batch * self.queries(),
            self.a.heads * self.a.head_dim,
        );
        match self.a.pass {
            AttentionPass::Forward { lse, .. } if output == lse => rows * self.a.heads,
            AttentionPass::Forward { rel: Some(r), .. }
            | AttentionPass::BackwardQ { drel: Some(r), .. }
                if output == r =>
            {
                rows * self.a.heads * self.rel_width()
            }
            AttentionPass::BackwardKv { dpad: Some(p), .. } if output == p => {
                self.a.batch * self.windows().len() * 2 * c
            }
            AttentionPass::BackwardKv { .. } => self.a.batch * self.keys() * c,
            _ => rows * c,
        }
    }

    /// First token of each window.
    fn windows(&self) -> Vec<usize> {
        match self.a.tokens {
            Tokens::Sequence { .. } => vec![0],
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => {
                let starts = |y: usize| (0..width).step_by(window_w).map(move |x| y * width + x);
                (0..height).step_by(window_h).flat_map(starts).collect()
            }
        }
    }

    /// The keys query `n` attends to, in order.
    fn keys_of(&self, n: usize) -> Vec<Key> {
        match self.a.tokens {
            Tokens::Sequence { keys, .. } => (0..keys)
                .map(|m| Key {
                    token: Some(m),
                    window: 0,
                    y: 0,
                    x: m,
                })
                .collect(),
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => {
                let (wy, wx) = (n / width / window_h, n % width / window_w);
                let window = wy * width.div_ceil(window_w) + wx;
                let place = |p: usize| {
                    let (y, x) = (p / window_w, p % window_w);
                    let (gy, gx) = (wy * window_h + y, wx * window_w + x);
                    let token = (gy < height && gx < width).then_some(gy * width + gx);
                    Key {
                        token,
                        window,
                        y,
                        x,
                    }
                };
                let all = (0..window_h * window_w).map(place);
                all.filter(|k| k.token.is_some() || self.a.pad_kv.is_some())
                    .collect()
            }
        }
    }

    fn head(&self, rows: &HeadRows, tokens: usize, b: usize, h: usize, t: usize, d: usize) -> f64 {
        let row = (b % rows.batch) * tokens + t;
        self.buffers[rows.buffer].at(rows.offset + row * rows.row_stride + h * self.a.head_dim + d)
    }

    fn query(&self, b: usize, h: usize, n: usize, d: usize) -> f64 {
        self.head(&self.a.q, self.queries(), b, h, n, d)
    }

    fn key(&self, b: usize, h: usize, k: &Key, d: usize) -> f64 {
        match (k.token, self.a.pad_kv) {
            (Some(m), _) => self.head(&self.a.k, self.keys(), b, h, m, d),
            (None, Some((pad, _))) => self.part(pad, h * self.a.head_dim + d),
            (None, None) => 0.0,
        }
    }

    fn value(&self, b: usize, h: usize, k: &Key, d: usize) -> f64 {
        match (k.token, self.a.pad_kv) {
            (Some(m), _) => self.head(&self.a.v, self.keys(), b, h, m, d),
            (None, Some((_, pad))) => self.part(pad, h * self.a.head_dim + d),
            (None, None) => 0.0,
        }
    }

    fn extents(&self) -> (usize, usize) {
        match self.a.tokens {
            Tokens::Sequence { keys, .. } => (1, keys),
            Tokens::Grid {
                window_h, window_w, ..
            } => (window_h, window_w),
        }
    }

    fn rel_width(&self) -> usize {
        let (y, x) = self.extents();
        y + x
    }

    fn rel_columns(&self, k: &Key) -> (usize, usize) {
        (k.y, self.extents().0 + k.x)
    }

    fn part(&self, part: Part, at: usize) -> f64 {
        self.buffers[part.buffer].at(part.offset + at)
    }

    /// Table row that relates query `n` to column `column` of the saved terms: (table, row).
    fn table_row(&self, n: usize, column: usize) -> Option<(Part, usize)> {
        let (r_h, r_w) = self.a.rel_pos?;
        let Tokens::Grid {
            width,
            window_h,
            window_w,
            ..
        } = self.a.tokens
        else {
            return None;
        };
        let (y, x) = (n / width % window_h, n % width % window_w);
        Some(match column < window_h {
            true => (r_h, y + window_h - 1 - column),
            false => (r_w, x + window_w - 1 - (column - window_h)),
        })
    }

    fn table(&self, n: usize, column: usize, d: usize) -> f64 {
        self.table_row(n, column)
            .map_or(0.0, |(t, row)| self.part(t, row * self.a.head_dim + d))
    }

    fn table_sum(&self, n: usize, k: &Key, d: usize) -> f64 {
        let (y, x) = self.rel_columns(k);
        self.table(n, y, d) + self.table(n, x, d)
    }

    fn rel_term(&self, b: usize, h: usize, n: usize, column: usize) -> f64 {
        (0..self.a.head_dim)
            .map(|d| self.query(b, h, n, d) * self.table(n, column, d))
            .sum()
    }

    fn score(&self, b: usize, h: usize, n: usize, k: &Key, rel: Option<Part>) -> f64 {
        let dot: f64 = (0..self.a.head_dim)
            .map(|d| self.query(b, h, n, d) * self.key(b, h, k, d))
            .sum();
        let scaled = dot * f64::from(self.a.scale) + self.distance_bias(h, n, k);
        if self.a.rel_pos.is_none() && rel.is_none() {
            return scaled;
        }
        let (y, x) = self.rel_columns(k);
        let term = |column| match rel {
            Some(saved) => {
                let row = (b * self.a.heads + h) * self.queries() + n;
                self.part(saved, row * self.rel_width() + column)
            }
            None => self.rel_term(b, h, n, column),
        };
        scaled + term(y) + term(x)
    }

    fn distance_bias(&self, h: usize, n: usize, k: &Key) -> f64 {
        let (
            Some(bias),
            Tokens::Grid {
                width,
                window_h,
                window_w,
                ..
            },
        ) = (self.a.distance_bias, self.a.tokens)
        else {
            return 0.0;
        };
        let (y, x) = (n / width % window_h, n % width % window_w);
        let distance = y.abs_diff(k.y) * window_w + x.abs_diff(k.x);
        self.part(bias, h * window_h * window_w + distance)
    }

    fn probability(&self, s: &Saved, b: usize, h: usize, n: usize, k: &Key) -> f64 {
        let row = (b * self.a.heads + h) * self.queries() + n;
        (self.score(b, h, n, k, s.rel) - self.part(s.lse, row)).exp()
    }

    fn dout(&self, s: &Saved, b: usize, h: usize, n: usize, d: usize) -> f64 {
        let c = self.a.heads * self.a.head_dim;
        self.buffers[s.dout].at((b * self.queries() + n) * c + h * self.a.head_dim + d)
    }

    fn dscore(&self, s: &Saved, b: usize, h: usize, n: usize, k: &Key) -> f64 {
        let dp: f64 = (0..self.a.head_dim)
            .map(|d| self.dout(s, b, h, n, d) * self.value(b, h, k, d))
            .sum();
        let row = (b * self.a.heads + h) * self.queries() + n;
        self.probability(s, b, h, n, k) * (dp - self.part(s.delta, row))
    }
}
