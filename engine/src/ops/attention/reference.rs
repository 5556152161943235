//! Attention on the host: one query after the other, every logit in f64.

use samora_shaders::Tokens;

use super::layout::Layout;
use crate::Tensor;

/// The operands of a pass.
pub(super) struct Reference<'a> {
    layout: Layout,
    batch: usize,
    channels: usize,
    inputs: &'a [&'a Tensor],
    sequences: Vec<Sequence>,
}

/// Queries and keys that attend to each other, with their place in the window.
struct Sequence {
    queries: Vec<Place>,
    keys: Vec<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    /// Index of the token; `None` for padding.
    token: Option<usize>,
    y: usize,
    x: usize,
}

/// A query: batch entry, head, token and its place.
#[derive(Clone, Copy)]
struct Query {
    b: usize,
    h: usize,
    token: usize,
    place: Place,
}

impl<'a> Reference<'a> {
    pub(super) fn new(layout: Layout, batch: usize, inputs: &'a [&'a Tensor]) -> Self {
        let channels = inputs[0].shape.last().copied().unwrap_or(0);
        Self {
            layout,
            batch,
            channels,
            inputs,
            sequences: sequences(layout),
        }
    }

    /// `out`, `lse` and, with tables, the relative terms.
    pub(super) fn forward(&self) -> Vec<Vec<f32>> {
        let (wh, ww) = self.layout.tokens.window();
        let mut out = vec![0.0; self.batch * self.layout.tokens.counts().0 * self.channels];
        let mut lse = vec![0.0; self.rows()];
        let mut rel = vec![0.0; self.rows() * (wh + ww)];
        for (query, sequence) in self.queries() {
            let terms = self.relative_terms(query);
            let logits: Vec<f64> = sequence
                .keys
                .iter()
                .map(|&key| self.logit(query, key, &terms))
                .collect();
            let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logits.iter().map(|s| (s - largest).exp()).sum();
            for (&key, s) in sequence.keys.iter().zip(&logits) {
                let p = (s - largest).exp() / total;
                let v = self.key_row(2, query, key);
                add(&mut out[self.at(query)..], p, v.unwrap_or(&[]));
            }
            let row = self.row(query);
            lse[row] = largest + total.ln();
            rel[row * (wh + ww)..][..terms.len()].copy_from_slice(&terms);
        }
        [out, lse, rel].map(to_f32).to_vec()
    }

    /// `dq` and, with tables, the gradient of the relative terms.
    pub(super) fn backward_q(&self) -> Vec<Vec<f32>> {
        let (wh, ww) = self.layout.tokens.window();
        let mut dq = vec![0.0; self.batch * self.layout.tokens.counts().0 * self.channels];
        let mut drel = vec![0.0; self.rows() * (wh + ww)];
        for (query, sequence) in self.queries() {
            let dq = &mut dq[self.at(query)..];
            let drel = &mut drel[self.row(query) * (wh + ww)..];
            for &key in &sequence.keys {
                let Some(k) = self.key_row(1, query, key) else {
                    continue;
                };
                let (_, ds) = self.weight(query, key);
                add(dq, ds * f64::from(self.layout.scale), k);
                if self.layout.tables {
                    drel[key.y] += ds;
                    drel[wh + key.x] += ds;
                }
            }
            for (term, &d) in drel.iter().enumerate().take(wh + ww) {
                if self.layout.tables {
                    add(dq, d, self.table_row(query, term));
                }
            }
        }
        [dq, drel].map(to_f32).to_vec()
    }

    /// `dk`, `dv` and the gradients of the padding tokens' key and value per window.
    pub(super) fn backward_kv(&self) -> Vec<Vec<f32>> {
        let keys = self.layout.tokens.counts().1;
        let (down, across) = self.layout.tokens.windows();
        let mut dk = vec![0.0; self.batch * keys * self.channels];
        let mut dv = dk.clone();
        let mut dpad = vec![0.0; self.batch * down * across * 2 * self.channels];
        let dout = self.layout.saved();
        for (query, sequence) in self.queries() {
            let (q, dout) = (self.query_row(0, query), self.query_row(dout, query));
            let (wh, ww) = self.layout.tokens.window();
            for &key in &sequence.keys {
                if self.key_row(1, query, key).is_none() {
                    continue;
                }
                let (p, ds) = self.weight(query, key);
                let ds = ds * f64::from(self.layout.scale);
                let head = query.h * self.width();
                match (key.token, self.layout.tokens) {
                    (Some(token), _) => {
                        let at = (query.b * keys + token) * self.channels + head;
                        add(&mut dk[at..], ds, q);
                        add(&mut dv[at..], p, dout);
                    }
                    (None, Tokens::Grid { width, .. }) => {
                        let (y, x) = (query.token / width, query.token % width);
                        let window = (query.b * down + y / wh) * across + x / ww;
                        let at = window * 2 * self.channels + head;
                        add(&mut dpad[at..], ds, q);
                        add(&mut dpad[at + self.channels..], p, dout);
                    }
                    (None, Tokens::Sequence { .. }) => {}
                }
            }
        }
        [dk, dv, dpad].map(to_f32).to_vec()
    }

    /// All queries with the sequence they belong to.
    fn queries(&self) -> impl Iterator<Item = (Query, &Sequence)> {
        (0..self.batch * self.layout.heads).flat_map(move |bh| {
            let (b, h) = (bh / self.layout.heads, bh % self.layout.heads);
            self.sequences.iter().flat_map(move |sequence| {
                sequence.queries.iter().filter_map(move |&place| {
                    let token = place.token?;
                    let query = Query { b, h, token, place };
                    Some((query, sequence))
                })
            })
        })
    }

    /// Probability of a key and gradient of its logit, from the saved values.
    fn weight(&self, query: Query, key: Place) -> (f64, f64) {
        let saved = self.layout.saved();
        let (wh, ww) = self.layout.tokens.window();
        let row = self.row(query);
        let (lse, delta) = (
            self.inputs[saved + 1].at(row),
            self.inputs[saved + 2].at(row),
        );
        let terms: Vec<f64> = match self.layout.tables {
            true => (0..wh + ww)
                .map(|t| self.inputs[saved + 3].at(row * (wh + ww) + t))
                .collect(),
            false => Vec::new(),
        };
        let p = (self.logit(query, key, &terms) - lse).exp();
        let v = self.key_row(2, query, key).unwrap_or(&[]);
        let dp = dot(self.query_row(saved, query), v);
        (p, p * (dp - delta))
    }

    /// `scale·q·k + rel`; −∞ for a masked key.
    fn logit(&self, query: Query, key: Place, terms: &[f64]) -> f64 {
        let Some(k) = self.key_row(1, query, key) else {
            return f64::NEG_INFINITY;
        };
        let rel = match self.layout.tables {
            true => terms[key.y] + terms[self.layout.tokens.window().0 + key.x],
            false => 0.0,
        };
        let bias = match self.layout.biased {
            true => self.distance_bias(query, key),
            false => 0.0,
        };
        f64::from(self.layout.scale) * dot(self.query_row(0, query), k) + rel + bias
    }

    fn distance_bias(&self, query: Query, key: Place) -> f64 {
        let (wh, ww) = self.layout.tokens.window();
        let (dy, dx) = (query.place.y.abs_diff(key.y), query.place.x.abs_diff(key.x));
        self.inputs[self.layout.bias_input()].at(query.h * wh * ww + dy * ww + dx)
    }

    /// Products of a query with the table rows of every key row, then of every key column.
    fn relative_terms(&self, query: Query) -> Vec<f64> {
        let (wh, ww) = self.layout.tokens.window();
        let terms = if self.layout.tables { wh + ww } else { 0 };
        let q = self.query_row(0, query);
        (0..terms)
            .map(|t| dot(q, self.table_row(query, t)))
            .collect()
    }

    /// The table row behind relative term `term` of a query.
    fn table_row(&self, query: Query, term: usize) -> &[f32] {
        let (wh, ww) = self.layout.tokens.window();
        let (table, row) = match term < wh {
            true => (3, query.place.y + wh - 1 - term),
            false => (4, query.place.x + ww - 1 - (term - wh)),
        };
        &self.inputs[table].as_f32()[row * self.width()..][..self.width()]
    }

    /// Head `h` of a query's row in input `k`.
    fn query_row(&self, k: usize, query: Query) -> &[f32] {
        let queries = self.layout.tokens.counts().0;
        let b = query.b % self.inputs[k].shape[0];
        let at = (b * queries + query.token) * self.channels + query.h * self.width();
        &self.inputs[k].as_f32()[at..][..self.width()]
    }

    /// Head `h` of a key's row in input `k`, 1 or 2; `None` for a masked pad.
    fn key_row(&self, k: usize, query: Query, key: Place) -> Option<&[f32]> {
        let head = query.h * self.width();
        let (input, at) = match key.token {
            Some(token) => {
                let b = query.b % self.inputs[k].shape[0];
                let at = (b * self.layout.tokens.counts().1 + token) * self.channels;
                (self.inputs[k], at)
            }
            None if self.layout.pads => (self.inputs[self.layout.saved() - 3 + k], 0),
            None => return None,
        };
        Some(&input.as_f32()[at + head..][..self.width()])
    }

    fn width(&self) -> usize {
        self.channels / self.layout.heads
    }

    /// Rows of `[batch, heads, tokens]`.
    fn rows(&self) -> usize {
        self.batch * self.layout.heads * self.layout.tokens.counts().0
    }

    fn row(&self, query: Query) -> usize {
        (query.b * self.layout.heads + query.h) * self.layout.tokens.counts().0 + query.token
    }

    /// Start of a query's head in `[batch, tokens, channels]`.
    fn at(&self, query: Query) -> usize {
        (query.b * self.layout.tokens.counts().0 + query.token) * self.channels
            + query.h * self.width()
    }
}

fn sequences(layout: Layout) -> Vec<Sequence> {
    match layout.tokens {
        Tokens::Sequence { queries, keys } => {
            let places = |n: usize| {
                let place = |t| Place {
                    token: Some(t),
                    y: 0,
                    x: 0,
                };
                (0..n).map(place).collect()
            };
            vec![Sequence {
                queries: places(queries),
                keys: places(keys),
            }]
        }
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => {
            let (down, across) = layout.tokens.windows();
            let window = |index: usize| {
                let place = |i: usize| {
                    let (y, x) = (i / window_w, i % window_w);
                    let row = index / across * window_h + y;
                    let column = index % across * window_w + x;
                    let inside = row < height && column < width;
                    let token = inside.then_some(row * width + column);
                    Place { token, y, x }
                };
                let keys: Vec<Place> = (0..window_h * window_w).map(place).collect();
                let queries = keys.iter().filter(|p| p.token.is_some()).copied().collect();
                Sequence { queries, keys }
            };
            (0..down * across).map(window).collect()
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum()
}

fn add(to: &mut [f64], factor: f64, row: &[f32]) {
    for (t, &v) in to.iter_mut().zip(row) {
        *t += factor * f64::from(v);
    }
}

fn to_f32(values: Vec<f64>) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}
