//! Forward pass. A weight is relative to a score of its row that is at most [`SLACK`] below the largest so far,
//! so that it is finite in f16 and the sums seldom have to be scaled, which takes them through workgroup memory.

use super::super::emitter::MASKED;
use super::super::geometry::both;
use super::super::walk::{Source, Walked};
use super::stage::Terms;
use super::{Cooperative, OWNED, Rest, SIZE, THREADS, WORD};
use crate::wgsl::float;

/// How far a score may be above what its row's weights are relative to: e⁸ is far below what an f16 holds.
const SLACK: f32 = 8.0;
/// Whether the rows of each subgroup have risen by more.
pub(super) const RISEN: &str = "risen";
/// Subgroups of a workgroup.
pub(super) const SUBGROUPS: usize = THREADS / 32;

impl Cooperative<'_> {
    /// Writes `out`, `lse` and, with relative positions, `rel`.
    pub(super) fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        self.e.place();
        self.e.leave_idle();
        self.start();
        self.own_queries();
        if let Some(rel) = rel {
            self.save_terms(rel);
        }
        let pads = self.e.pads();
        if let Some(rows) = pads {
            self.score_pads(rows, rel);
        }
        let [head, terms] = self.across();
        let sides = self.e.key_value();
        self.line(format!("var peak = {};", float(MASKED)));
        self.line("var total = 0.0f;");
        self.sums("out", head);
        let mark = Self::mark_keys;
        self.walk(&sides, self.e.keys(), mark, |c| {
            c.score("own_a", head + terms, c.tile_a());
            c.barrier();
            let scores: Vec<String> = (0..c.words()).map(|j| c.masked(j)).collect();
            c.follow_peak(&scores, head);
            for (j, score) in scores.iter().enumerate() {
                let weight = format!("exp({score} - vec4<f32>(peak))");
                let weight = c.e.w.bind("weight", weight);
                c.line(format!(
                    "total += {weight}.x + {weight}.y + {weight}.z + {weight}.w;"
                ));
                c.weigh(j, &weight);
            }
            c.barrier();
            c.accumulate("out", head, c.tile_b());
            c.barrier();
        });
        let sum = self.with_other("total", |a, b| format!("{a} + {b}"));
        self.line(format!("let sum = {sum};"));
        let logarithm = match pads {
            None => {
                self.line("let share = 1.0f / sum;");
                self.store_rows("out", out, self.e.queries(), |_, _, value| {
                    format!("{value} * share")
                });
                "peak + log(sum)"
            }
            Some([_, (pad_v, _)]) => {
                self.line("let highest = max(peak, pads_score);");
                self.line("let kept = exp(peak - highest);");
                self.line("let pads_weight = exp(pads_score - highest);");
                self.line("let all = sum * kept + pads_weight;");
                self.store_rows("out", out, self.e.queries(), |c, word, value| {
                    let pad = c.e.number(pad_v, &format!("pad_v + part + {word}u"));
                    format!("({value} * kept + {pad} * pads_weight) / all")
                });
                "highest + log(all)"
            }
        };
        let row = self.e.scalar_row("n_t");
        let first = (self.strips == 1).then(|| "part == 0u".to_string());
        let owner = both(self.token.clone(), first);
        if let Some(owner) = &owner {
            self.e.w.open(format!("if {owner}"));
        }
        self.line(format!("b{lse}[{row}] = {logarithm};"));
        if owner.is_some() {
            self.e.w.close();
        }
    }

    /// A number of the invocation and that of the other one of its row, if any, put together.
    fn with_other(&self, own: &str, both: impl Fn(&str, &str) -> String) -> String {
        match self.e.share.lanes {
            1 => own.to_string(),
            _ => both(own, &format!("subgroupShuffleXor({own}, 1u)")),
        }
    }

    /// Where some row's scores are too far above `peak`, moves it up in all rows, and scales their sums `out_{f}`.
    fn follow_peak(&mut self, scores: &[String], fragments: usize) {
        let largest = scores[1..].iter().fold(scores[0].clone(), |top, score| {
            format!("max({top}, {score})")
        });
        let largest = self.e.w.bind("largest", largest);
        self.line(format!(
            "let own = max(max({largest}.x, {largest}.y), max({largest}.z, {largest}.w));"
        ));
        let highest = self.with_other("own", |a, b| format!("max({a}, {b})"));
        self.line(format!("let highest = {highest};"));
        self.line(format!(
            "let rises = subgroupAny(highest > peak + {});",
            float(SLACK)
        ));
        self.e.w.open("if lane == 0u");
        self.line(format!("{RISEN}[subgroup] = select(0u, 1u, rises);"));
        self.e.w.close();
        // All have read their scores then.
        self.line(format!("let any = workgroupUniformLoad(&{RISEN});"));
        let any: Vec<String> = (0..SUBGROUPS).map(|s| format!("any[{s}]")).collect();
        self.e.w.open(format!("if ({}) != 0u", any.join(" | ")));
        self.line("let higher = max(peak, highest);");
        self.line("let factor = exp(peak - higher);");
        self.line("total *= factor;");
        self.line("peak = higher;");
        let fragments: Vec<usize> = (0..fragments).collect();
        for chunk in fragments.chunks(self.step / SIZE) {
            self.put_all("out", chunk);
            self.barrier();
            for j in 0..chunk.len() * SIZE / WORD / self.e.share.lanes {
                let at = format!("scores[row_scores + {}u]", self.word(j));
                self.line(format!("{at} = {at} * factor;"));
            }
            self.barrier();
            let pitch = self.pitch_scores();
            for strip in 0..self.strips {
                let out = self.of("out", strip);
                for (i, f) in chunk.iter().enumerate() {
                    let at = strip * OWNED * pitch + i * SIZE / WORD;
                    self.line(format!(
                        "{out}_{f} = coopLoadT<coop_mat16x16<f32,C>>(&scores[strip_scores + {at}u], {pitch}u);"
                    ));
                }
            }
            self.barrier();
        }
        self.e.w.close();
    }

    /// Holds the heads of the owned queries.
    pub(super) fn own_queries(&mut self) {
        let side = Walked {
            name: "q",
            source: Source::Head(self.e.a.q),
        };
        self.own_rows("own_a", side, self.e.queries());
    }

    /// Holds the heads of owned rows as the fragments `{name}_{f}`.
    pub(super) fn own_rows(&mut self, name: &str, side: Walked, tokens: usize) {
        let ([head, _], sides) = (self.across(), [side]);
        self.declare(self.own_span(0), &sides);
        for strip in 0..self.strips {
            let span = self.own_span(strip);
            self.fetch(span, span.base, &sides, tokens);
            self.keep(span, &sides, 1.0);
            self.barrier();
            self.hold(name, strip, 0..head);
            self.barrier();
        }
    }

    /// Stages what keys have beside their heads: terms and masks.
    pub(super) fn mark_keys(&mut self) {
        self.stage_terms(self.walked_span(), Terms::Hot);
        self.stage_masks();
    }

    /// One walk over the other side of the window: rows of the sides, of which the first carry the scale, and what
    /// `beside` adds are staged, and `body` computes with them while the next rows are read. Whole steps come
    /// first, and what they leave is a step of its own.
    pub(super) fn walk(
        &mut self,
        sides: &[Walked],
        tokens: usize,
        beside: impl Fn(&mut Self),
        body: impl Fn(&mut Self),
    ) {
        let span = self.walked_span();
        let (walked, step) = (self.e.walked, self.step);
        let all = self.e.slots_here(walked);
        self.declare(span, sides);
        self.fetch(span, "0u", sides, tokens);
        let compute = |c: &mut Self, next: Option<&str>| {
            c.keep(span, sides, c.e.a.scale);
            beside(c);
            c.barrier();
            if let Some(next) = next {
                c.e.w.open(format!("if {next} < {all}"));
                c.fetch(span, next, sides, tokens);
                c.e.w.close();
            }
            body(c);
        };
        if walked >= step {
            let whole = match self.e.overhangs() {
                true => format!("tokens / {step}u * {step}u"),
                false => format!("{}u", walked / step * step),
            };
            self.line(format!("let whole = {whole};"));
            self.e
                .w
                .open_loop("start", "0u", "whole", &format!("{step}u"));
            if walked > step {
                self.line(format!("let next = start + {step}u;"));
            }
            compute(self, (walked > step).then_some("next"));
            self.e.w.close();
        } else {
            self.line("let whole = 0u;");
        }
        if !self.e.partial(walked, step) {
            return;
        }
        self.rest = Some(match self.e.overhangs() {
            true => Rest::Counted,
            false => Rest::Fixed((walked % step).div_ceil(SIZE)),
        });
        self.e.w.open(format!("if whole < {all}"));
        self.line("let start = whole;");
        compute(self, None);
        self.e.w.close();
        self.rest = None;
    }

    /// Binds word `j` of the invocation's scores with those that take no part made least.
    pub(super) fn masked(&mut self, j: usize) -> String {
        let score = self.read(j);
        match self.rest {
            Some(_) => {
                let (least, column) = (float(MASKED), self.column_word(j));
                let masked = format!(
                    "select(vec4<f32>({least}), {score}, column_a[{column}] == vec4<f32>())"
                );
                self.e.w.bind("masked", masked)
            }
            None => score,
        }
    }
}
